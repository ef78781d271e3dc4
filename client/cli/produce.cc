// `quipu produce`: records from lines, CSV or JSON, of standard input or a file.
#include <chrono>
#include <csignal>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"
#include "client/cli/records/record_reader.h"
#include "client/producer.h"

namespace quipu::cli {
namespace {

struct ProduceOptions {
  std::string topic;
  std::string file;
  std::string format = "lines";
  ReaderOptions reader;
  std::string key;
  std::vector<std::string> headers;  // key=value
  int32_t partition = -1;
  std::string compression;  // empty: the profile's, else none
};

// What became of the lines. Callbacks of the producer and the reader of the lines meet here.
class Outcome {
 public:
  void Acknowledged() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++acknowledged_;
  }
  void Failed(uint64_t line, ErrorCode error, Persisted persisted, const std::string& message) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++failed_;
    if (persisted == Persisted::kUnknown) ++unknown_;
    if (first_ && first_->line < line) return;
    first_ = Failure{.line = line, .error = error, .persisted = persisted, .message = message};
  }
  [[nodiscard]] bool failed() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return failed_ > 0;
  }
  // Prints the totals; the first failure as a status.
  absl::Status Report(const Common& common, uint64_t read, uint64_t last_line) const;

 private:
  struct Failure {
    uint64_t line;
    ErrorCode error;
    Persisted persisted;
    std::string message;
  };

  mutable std::mutex mutex_;
  uint64_t acknowledged_ = 0;
  uint64_t failed_ = 0;
  uint64_t unknown_ = 0;          // of those that failed
  std::optional<Failure> first_;  // the lowest line
};

absl::Status Outcome::Report(const Common& common, uint64_t read, uint64_t last_line) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (common.json()) {
    Json json{{"acknowledged", acknowledged_}, {"read", read}, {"failed", failed_}};
    if (first_) {
      json["persisted_unknown"] = unknown_;
      json["first_failed_line"] = first_->line;
      json["persisted"] = PersistedName(first_->persisted);
      json["error"] = std::string(ErrorName(first_->error));
    }
    if (InterruptSignal() != 0) json["interrupted_after_line"] = last_line;
    PrintJson(json);
  } else {
    std::printf("%llu of %llu records acknowledged\n",
                static_cast<unsigned long long>(acknowledged_),
                static_cast<unsigned long long>(read));
  }
  if (InterruptSignal() != 0) {
    std::fprintf(stderr, "quipu: interrupted; nothing after line %llu was sent\n",
                 static_cast<unsigned long long>(last_line));
  }
  if (!first_) return absl::OkStatus();
  return ToStatus(first_->error,
                  absl::StrCat("line ", first_->line, ": ", first_->message,
                               " (persisted: ", PersistedName(first_->persisted), "); of ", read,
                               " records read ", acknowledged_, " are acknowledged, ", unknown_,
                               " have an unknown outcome, ", failed_ - unknown_,
                               " are not in the log; nothing after line ", last_line, " was sent"));
}

// Sends what a reader gives, until the first failure or a signal.
class Sending {
 public:
  Sending(const Common& common, const ProduceOptions& options, Producer& producer)
      : common_(common), options_(options), producer_(producer) {
    for (const std::string& header : options.headers) {
      const size_t equals = header.find('=');  // the parser has checked it
      headers_.emplace_back(header.substr(0, equals), header.substr(equals + 1));
    }
  }

  // Stops at the first failure: a later record of the account must not overtake one that failed.
  absl::Status Run() {
    const auto stop = [this] { return outcome_.failed() || InterruptSignal() != 0; };
    QUIPU_ASSIGN_OR_RETURN(LineSource source, LineSource::Open(options_.file, stop));
    const std::unique_ptr<RecordReader> reader = MakeRecordReader(options_.reader, source);
    uint64_t read = 0;
    uint64_t last_line = 0;
    while (!stop()) {
      InputRecord input;
      const absl::StatusOr<bool> more = reader->Next(input);
      if (more.ok() && !*more) break;
      last_line = reader->line();
      if (more.ok()) {
        ++read;
        Send(input, last_line);
      } else {
        if (CodeOf(more.status()) == ErrorCode::kInvalidRecord) ++read;
        outcome_.Failed(last_line, CodeOf(more.status()), Persisted::kNo, DetailOf(more.status()));
      }
    }
    const absl::Status closed = producer_.Close(std::chrono::milliseconds(common_.timeout_ms));
    QUIPU_RETURN_IF_ERROR(outcome_.Report(common_, read, last_line));
    return closed;
  }

 private:
  // The text behind "NAME: ".
  static std::string DetailOf(const absl::Status& status) {
    const absl::string_view text = status.message();
    const size_t colon = text.find(": ");
    return std::string(colon == absl::string_view::npos ? text : text.substr(colon + 2));
  }

  [[nodiscard]] ProducerRecord RecordOf(const InputRecord& input) const {
    ProducerRecord record;
    record.topic = options_.topic;
    if (input.partition) record.partition = PartitionIndex(*input.partition);
    if (options_.partition >= 0) record.partition = PartitionIndex(options_.partition);
    if (input.key) record.key = *input.key;
    if (!options_.key.empty()) record.key = options_.key;
    if (input.value) record.value = *input.value;
    if (input.timestamp) record.timestamp = TimestampMs(*input.timestamp);
    for (const auto& [key, value] : headers_) record.headers.push_back({key, value});
    for (const auto& [key, value] : input.headers) {
      record.headers.push_back({key, value});
      if (!value) record.headers.back().value = std::nullopt;
    }
    return record;
  }

  // Waits for room in the buffer, but not longer than --timeout, nor after a signal.
  void Send(const InputRecord& input, uint64_t line) {
    const ProducerRecord record = RecordOf(input);
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(common_.timeout_ms);
    const auto callback = [this, line](const DeliveryResult& result) {
      if (result.ok()) {
        outcome_.Acknowledged();
      } else {
        outcome_.Failed(line, result.error, result.persisted, result.message);
      }
    };
    ErrorCode error = producer_.TrySend(record, callback);
    while (error == ErrorCode::kBufferFull && InterruptSignal() == 0 &&
           std::chrono::steady_clock::now() < deadline) {
      PauseUnlessInterrupted(std::chrono::milliseconds(1));
      error = producer_.TrySend(record, callback);
    }
    if (error == ErrorCode::kNone) return;
    if (error == ErrorCode::kBufferFull) {
      outcome_.Failed(line, error, Persisted::kNo,
                      InterruptSignal() != 0
                          ? "interrupted before there was room to send it"
                          : "the brokers took nothing for --timeout milliseconds");
      return;
    }
    producer_.Send(record, callback);  // refuses it too, and says why
  }

  const Common& common_;
  const ProduceOptions& options_;
  Producer& producer_;
  std::vector<std::pair<std::string, std::string>> headers_;
  Outcome outcome_;
};

// Options that do not go together, and the format by its name.
absl::Status Complete(ProduceOptions& options) {
  const bool csv = options.format == "csv";
  if (csv) options.reader.format = InputFormat::kCsv;
  if (options.format == "json") options.reader.format = InputFormat::kJson;
  if (!csv && !options.reader.key_column.empty()) {
    return WrongArguments("--key-column needs --format csv");
  }
  if (!csv && !options.reader.value_column.empty()) {
    return WrongArguments("--value-column needs --format csv");
  }
  if (options.format != "lines" && !options.reader.key_separator.empty()) {
    return WrongArguments("--key-separator splits lines; it needs --format lines");
  }
  return absl::OkStatus();
}

absl::Status Produce(Common& common, ProduceOptions& options) {
  QUIPU_RETURN_IF_ERROR(Complete(options));
  QUIPU_ASSIGN_OR_RETURN(ConfigMap config, ClientConfig(common, ProducerConfigTable()));
  config["max.block.ms"] = std::to_string(common.timeout_ms);
  if (!options.compression.empty()) config["compression.type"] = options.compression;
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer, Producer::Create(config));
  // Before the first record: wrong servers or a wrong topic are told although nothing comes in.
  QUIPU_ASSIGN_OR_RETURN(
      const int32_t partitions,
      producer->PartitionCount(options.topic, std::chrono::milliseconds(common.timeout_ms)));
  if (options.partition >= partitions) {
    return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                    absl::StrCat("topic ", options.topic, " has no partition ", options.partition,
                                 "; it has ", partitions, ", counted from 0"));
  }
  CatchInterrupts();
  QUIPU_RETURN_IF_ERROR(Sending(common, options, *producer).Run());
  common.exit_code = InterruptExitCode();
  return absl::OkStatus();
}

}  // namespace

void AddProduceCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<ProduceOptions>();
  CLI::App* produce =
      app.add_subcommand("produce", "Send records from standard input or a file, in its order");
  produce->add_option("topic", options->topic)->required();
  produce->add_option("file", options->file, "Default, or -: standard input");
  produce
      ->add_option(
          "-f,--format", options->format,
          "lines: a record each; csv: with a header line; json: an object a line with key, "
          "value, headers, partition, timestamp")
      ->check(CLI::IsMember({"lines", "csv", "json"}))
      ->capture_default_str();
  produce->add_option("-k,--key", options->key, "Key of every record");
  produce->add_option("--key-separator", options->reader.key_separator,
                      "Lines: splits each line into key and value");
  produce->add_option("--key-column", options->reader.key_column, "CSV: the column with the key");
  produce->add_option("--value-column", options->reader.value_column,
                      "CSV: the column with the value; default: the row as it stands");
  produce->add_option("-H,--header", options->headers, "key=value of every record; repeatable")
      ->check(KeyValue());
  produce->add_option("-p,--partition", options->partition, "Default: by key")
      ->check(CLI::NonNegativeNumber);
  produce->add_option("--compression", options->compression, "none, gzip, snappy, lz4 or zstd")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}));
  AddConnectionOptions(*produce, common);
  produce->footer(
      "Stops at the first record that fails, and says which and what is in the log.\n"
      "Examples:\n"
      "  printf 'acc-1:42\\n' | quipu produce payments --key-separator :\n"
      "  quipu produce payments payments.csv -f csv --key-column account\n"
      "  quipu consume old --from-beginning -e -o json | quipu produce new -f json");
  OnCall(*produce, common, [&common, options] { return Produce(common, *options); });
}

}  // namespace quipu::cli
