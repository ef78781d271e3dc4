// quipu-payments-verify: reads every partition plainly from its start and checks it against the
// input. Its checks are its own; with the producer and the consumers it shares the SDK, the readers
// of CSV, of rows in records and of ledger files.
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "client/examples/payments/log_reader.h"
#include "client/examples/payments/verification.h"

namespace quipu::payments {
namespace {

constexpr int kPatienceMs = 30000;

struct VerifyOptions {
  std::string bootstrap_servers;
  std::string topic;
  PaymentInput::Options input;
  PaymentVerification::Options checks;
  std::string expected_table;
  ExpectedTableColumns table_columns;
  std::string ledger_directory;
};

absl::Status CheckEverything(const VerifyOptions& options, PaymentVerification& verification) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<PaymentInput> input,
                         PaymentInput::Open(options.input));
  while (true) {
    QUIPU_ASSIGN_OR_RETURN(std::optional<Payment> payment, input->Next());
    if (!payment.has_value()) break;
    verification.Expect(*std::move(payment));
  }
  QUIPU_ASSIGN_OR_RETURN(const PartitionEnds ends,
                         CurrentEnds(options.bootstrap_servers, options.topic));
  QUIPU_RETURN_IF_ERROR(ReadPartitions(
      options.bootstrap_servers, options.topic, ends, kPatienceMs, [&](const ReadRecord& record) {
        verification.OnRecord(record.partition, record.offset, record.key, record.value);
      }));
  verification.Finish();
  if (!options.expected_table.empty()) {
    QUIPU_RETURN_IF_ERROR(verification.CompareTable(options.expected_table, options.table_columns));
  }
  if (!options.ledger_directory.empty()) {
    for (const auto& [partition, end] : ends) {
      QUIPU_ASSIGN_OR_RETURN(const PartitionLedger ledger,
                             PartitionLedger::Load(options.ledger_directory, partition));
      verification.CompareLedger(ledger);
    }
    verification.FinishLedgers();
  }
  return absl::OkStatus();
}

int Verify(const VerifyOptions& options) {
  PaymentVerification verification(options.checks);
  const absl::Status status = CheckEverything(options, verification);
  if (!status.ok()) {
    std::fprintf(stderr, "quipu-payments-verify: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::printf("verified: %" PRIu64 " rows of the input, %" PRIu64 " records in the log, %" PRIu64
              " accounts\n",
              verification.rows(), verification.records(), verification.accounts());
  const auto say = [&](const char* kind) {
    const auto found = verification.findings().find(kind);
    return found == verification.findings().end() ? uint64_t{0} : found->second;
  };
  std::printf("  lost %" PRIu64 ", doubled %" PRIu64 ", reordered %" PRIu64 ", altered %" PRIu64
              ", scattered %" PRIu64 ", foreign %" PRIu64 "\n",
              say("lost"), say("doubled"), say("reordered"), say("altered"), say("scattered"),
              say("foreign"));
  std::printf("  balances that do not follow %" PRIu64 ", sums beyond 64 bits %" PRIu64
              ", final table %s, ledgers %s\n",
              say("unbalanced"), say("overflow"),
              options.expected_table.empty() ? "not given"
                                             : (say("table") == 0 ? "as expected" : "DIFFERS"),
              options.ledger_directory.empty() ? "not given"
                                               : (say("applied") == 0 ? "as the log" : "DIFFER"));
  for (const std::string& text : verification.shown()) std::fprintf(stderr, "  %s\n", text.c_str());
  return verification.findings().empty() ? 0 : 1;
}

}  // namespace
}  // namespace quipu::payments

int main(int argc, char** argv) {
  using namespace quipu::payments;  // NOLINT: this file only
  CLI::App app{"Checks payments in the log against their input. Exit code 0: all is well.",
               "quipu-payments-verify"};
  VerifyOptions options;
  app.add_option("-b,--bootstrap-server", options.bootstrap_servers)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--input", options.input.path)->required();
  app.add_option("--key-column", options.input.columns.key);
  app.add_option("--amount-column", options.input.columns.amount);
  app.add_option("--balance-column", options.input.columns.balance);
  app.add_flag("--skip-bad", options.input.skip_bad);
  app.add_option("--balance-tolerance", options.checks.balance_tolerance)->capture_default_str();
  app.add_option("--expected-table", options.expected_table, "Final table to compare with");
  app.add_option("--expected-key-column", options.table_columns.key);
  app.add_option("--expected-count-column", options.table_columns.count);
  app.add_option("--expected-sum-column", options.table_columns.sum);
  app.add_option("--expected-balance-column", options.table_columns.balance);
  app.add_option("--ledger-dir", options.ledger_directory, "Balances of the consumers");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Verify(options);
}
