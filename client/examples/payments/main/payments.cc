// quipu-payments: produces payments from CSV, and applies them to account balances.
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>

#include "client/examples/payments/payment_consumer.h"
#include "client/examples/payments/payment_producer.h"

namespace quipu::payments {
namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quipu-payments: %s\n", std::string(status.message()).c_str());
  return 1;
}

void AddInputOptions(CLI::App& verb, PaymentInput::Options& input) {
  verb.add_option("--input", input.path, "CSV with a header line, plain or .xz")->required();
  verb.add_option("--key-column", input.columns.key, "Account (default: the first column)");
  verb.add_option("--amount-column", input.columns.amount, "Whole number (default: by name)");
  verb.add_option("--balance-column", input.columns.balance, "Balance after it (default: by name)");
  verb.add_flag("--skip-bad", input.skip_bad, "Go on after a bad row and count it");
}

int Count(const PaymentInput::Options& options) {
  absl::StatusOr<std::unique_ptr<PaymentInput>> input = PaymentInput::Open(options);
  if (!input.ok()) return Fail(input.status());
  uint64_t rows = 0;
  while (true) {
    const absl::StatusOr<std::optional<Payment>> payment = (*input)->Next();
    if (!payment.ok()) return Fail(payment.status());
    if (!payment->has_value()) break;
    ++rows;
  }
  std::printf("%" PRIu64 "\n", rows);
  return 0;
}

int Produce(const ProduceOptions& options) {
  const absl::StatusOr<ProduceSummary> summary = ProducePayments(options);
  if (!summary.ok()) return Fail(summary.status());
  std::printf("produced: %" PRIu64 " rows, %" PRIu64 " acknowledged by this run, %" PRIu64
              " were there already, %" PRIu64 " bad rows skipped%s\n",
              summary->rows, summary->acknowledged, summary->already_there, summary->bad_rows,
              summary->resumed ? " (resumed after a kill)" : "");
  return 0;
}

int Consume(const ConsumeOptions& options) {
  const absl::StatusOr<ConsumeSummary> summary = ConsumePayments(options);
  if (!summary.ok()) return Fail(summary.status());
  std::printf("consumed: %" PRIu64 " rows applied once each, %" PRIu64
              " redelivered and left out, %" PRIu64 " markers, %" PRIu64 " assignments\n",
              summary->applied, summary->redelivered, summary->markers, summary->rebalances);
  return 0;
}

}  // namespace
}  // namespace quipu::payments

int main(int argc, char** argv) {
  using namespace quipu::payments;  // NOLINT: this file only
  CLI::App app{"Streams payments through Quipu.", "quipu-payments"};
  app.require_subcommand(1);
  int exit_code = 0;

  PaymentInput::Options count_options;
  CLI::App* count = app.add_subcommand("count", "Count the rows of an input");
  AddInputOptions(*count, count_options);
  count->callback([&] { exit_code = Count(count_options); });

  ProduceOptions produce_options;
  CLI::App* produce = app.add_subcommand("produce", "Send the rows of an input, keyed by account");
  AddInputOptions(*produce, produce_options.input);
  produce->add_option("-b,--bootstrap-server", produce_options.bootstrap_servers)->required();
  produce->add_option("--topic", produce_options.topic)->required();
  produce
      ->add_option("--state-dir", produce_options.state_directory,
                   "Where the producer's identity is kept")
      ->required()
      ->check(CLI::ExistingDirectory);
  produce->add_option("--rate", produce_options.rate, "Rows per second; 0: full speed")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  produce->add_option("--events", produce_options.events_path, "File to tell progress in");
  produce->callback([&] { exit_code = Produce(produce_options); });

  ConsumeOptions consume_options;
  CLI::App* consume = app.add_subcommand("consume", "Apply payments to balances, with a group");
  consume->add_option("-b,--bootstrap-server", consume_options.bootstrap_servers)->required();
  consume->add_option("--topic", consume_options.topic)->required();
  consume->add_option("--group", consume_options.group)->required();
  consume->add_option("--members", consume_options.members)
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  consume->add_option("--ledger-dir", consume_options.ledger_directory, "Where balances are kept")
      ->required()
      ->check(CLI::ExistingDirectory);
  consume->add_option("--rows", consume_options.rows, "End when so many rows are applied");
  consume->add_option("--idle-seconds", consume_options.idle_seconds,
                      "End after so long without a record");
  consume->callback([&] { exit_code = Consume(consume_options); });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
