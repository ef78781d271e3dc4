// `quipu produce`: one record per line of standard input.
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/producer.h"

namespace quipu::cli {
namespace {

struct ProduceOptions {
  std::string topic;
  std::string key_separator;
  std::string key;
  int32_t partition = -1;
  std::string compression = "none";
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
  absl::Status Report(const Common& common, uint64_t read) const;

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

absl::Status Outcome::Report(const Common& common, uint64_t read) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (common.json()) {
    Json json{{"acknowledged", acknowledged_}, {"read", read}, {"failed", failed_}};
    if (first_) {
      json["persisted_unknown"] = unknown_;
      json["first_failed_line"] = first_->line;
      json["persisted"] = PersistedName(first_->persisted);
      json["error"] = std::string(ErrorName(first_->error));
    }
    PrintJson(json);
  } else {
    std::printf("%llu of %llu records acknowledged\n",
                static_cast<unsigned long long>(acknowledged_),
                static_cast<unsigned long long>(read));
  }
  if (!first_) return absl::OkStatus();
  return ToStatus(first_->error,
                  absl::StrCat("line ", first_->line, ": ", first_->message,
                               " (persisted: ", PersistedName(first_->persisted), "); of ", read,
                               " lines read ", acknowledged_, " are acknowledged, ", unknown_,
                               " have an unknown outcome, ", failed_ - unknown_,
                               " are not in the log; nothing after line ", read, " was sent"));
}

// Fills key and value from the line. False: there is no separator in it.
bool Split(const ProduceOptions& options, const std::string& line, ProducerRecord& record) {
  const absl::string_view text = line;
  record.value = text;
  if (!options.key.empty()) record.key = options.key;
  if (options.key_separator.empty()) return true;
  const size_t at = line.find(options.key_separator);
  if (at == std::string::npos) return false;
  record.key = text.substr(0, at);
  record.value = text.substr(at + options.key_separator.size());
  return true;
}

absl::Status Produce(const Common& common, const ProduceOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::string servers, BootstrapServers(common));
  Outcome outcome;
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer,
                         Producer::Create({{"bootstrap.servers", servers},
                                           {"compression.type", options.compression},
                                           {"max.block.ms", std::to_string(common.timeout_ms)}}));
  // Before the first line: wrong servers or a wrong topic are told although nothing comes in.
  QUIPU_ASSIGN_OR_RETURN(
      const int32_t partitions,
      producer->PartitionCount(options.topic, std::chrono::milliseconds(common.timeout_ms)));
  if (options.partition >= partitions) {
    return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                    absl::StrCat("topic ", options.topic, " has no partition ", options.partition,
                                 "; it has ", partitions, ", counted from 0"));
  }
  std::string line;
  uint64_t number = 0;
  // Stops at the first failure: a later line of the account must not overtake one that failed.
  while (!outcome.failed() && std::getline(std::cin, line)) {
    ++number;
    ProducerRecord record;
    record.topic = options.topic;
    if (options.partition >= 0) record.partition = PartitionIndex(options.partition);
    if (!Split(options, line, record)) {
      outcome.Failed(number, ErrorCode::kInvalidRecord, Persisted::kNo,
                     absl::StrCat("no key separator '", options.key_separator, "'"));
      break;
    }
    producer->Send(record, [&outcome, number](const DeliveryResult& result) {
      if (result.ok()) {
        outcome.Acknowledged();
      } else {
        outcome.Failed(number, result.error, result.persisted, result.message);
      }
    });
  }
  const absl::Status closed = producer->Close(std::chrono::milliseconds(common.timeout_ms));
  QUIPU_RETURN_IF_ERROR(outcome.Report(common, number));
  return closed;
}

}  // namespace

void AddProduceCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<ProduceOptions>();
  CLI::App* produce = app.add_subcommand("produce", "Send one record per line of standard input");
  produce->add_option("topic", options->topic)->required();
  produce->add_option("-k,--key", options->key, "Key of every record");
  produce->add_option("--key-separator", options->key_separator, "Splits each line: key, value");
  produce->add_option("-p,--partition", options->partition, "Default: by key")
      ->check(CLI::NonNegativeNumber);
  produce->add_option("--compression", options->compression, "none, gzip, snappy, lz4 or zstd")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}))
      ->capture_default_str();
  AddConnectionOptions(*produce, common);
  produce->footer("Example: printf 'acc-1:42\\n' | quipu produce payments --key-separator :");
  OnCall(*produce, common, [&common, options] { return Produce(common, *options); });
}

}  // namespace quipu::cli
