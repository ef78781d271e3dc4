// `quipu produce`: one record per line of standard input.
#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>

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

absl::Status Produce(const Common& common, const ProduceOptions& options) {
  ConfigMap config{{"bootstrap.servers", common.bootstrap_servers},
                   {"compression.type", options.compression},
                   {"max.block.ms", std::to_string(common.timeout_ms)}};
  std::mutex mutex;
  absl::Status failure;
  std::atomic<uint64_t> acknowledged{0};
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer, Producer::Create(config));
  const auto on_result = [&](const DeliveryResult& result) {
    if (result.ok()) {
      ++acknowledged;
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex);
    if (failure.ok()) {
      failure = ToStatus(result.error,
                         result.message + " (persisted: " + PersistedName(result.persisted) + ")");
    }
  };
  std::string line;
  uint64_t number = 0;
  while (std::getline(std::cin, line)) {
    ++number;
    ProducerRecord record;
    record.topic = options.topic;
    if (options.partition >= 0) record.partition = PartitionIndex(options.partition);
    absl::string_view value = line;
    if (!options.key.empty()) record.key = options.key;
    if (!options.key_separator.empty()) {
      const size_t at = line.find(options.key_separator);
      if (at == std::string::npos) {
        failure = ToStatus(ErrorCode::kInvalidRecord,
                           "line " + std::to_string(number) + ": no key separator '" +
                               options.key_separator + "'; nothing after this line was sent");
        break;
      }
      record.key = value.substr(0, at);
      value = value.substr(at + options.key_separator.size());
    }
    record.value = value;
    producer->Send(record, on_result);
  }
  const absl::Status closed = producer->Close(std::chrono::milliseconds(common.timeout_ms));
  if (common.json()) {
    PrintJson(Json{{"acknowledged", acknowledged.load()}, {"read", number}});
  } else {
    std::printf("%llu of %llu records acknowledged\n",
                static_cast<unsigned long long>(acknowledged.load()),
                static_cast<unsigned long long>(number));
  }
  const std::lock_guard<std::mutex> lock(mutex);
  QUIPU_RETURN_IF_ERROR(failure);
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
  produce->add_option("--compression", options->compression, "none, lz4 or zstd")
      ->check(CLI::IsMember({"none", "lz4", "zstd"}))
      ->capture_default_str();
  AddConnectionOptions(*produce, common);
  produce->footer("Example: printf 'acc-1:42\\n' | quipu produce payments --key-separator :");
  OnCall(*produce, common, [&common, options] { return Produce(common, *options); });
}

}  // namespace quipu::cli
