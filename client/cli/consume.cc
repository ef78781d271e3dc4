// `quipu consume`: prints records, from partitions or as a member of a group.
#include <csignal>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/consumer.h"

namespace quipu::cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;
void OnInterrupt(int /*signal*/) { g_interrupted = 1; }

struct ConsumeOptions {
  std::string topic;
  std::string group;
  bool from_beginning = false;
  std::vector<int32_t> partitions;
  int64_t offset = -1;
  uint64_t count = 0;  // 0: no limit
  int idle_ms = 0;     // 0: never ends for want of records
  bool with_meta = false;
};

Json TextOrNull(const std::optional<absl::string_view>& bytes) {
  if (!bytes.has_value()) return nullptr;
  return std::string(*bytes);
}

void PrintRecord(const Common& common, const ConsumeOptions& options,
                 const ConsumerRecord& record) {
  if (common.json()) {
    Json headers = Json::object();
    for (const RecordHeader& header : record.headers()) {
      headers[std::string(header.key)] = TextOrNull(header.value);
    }
    const Json json{{"partition", record.partition().value()}, {"offset", record.offset().value()},
                    {"timestamp", record.timestamp().value()}, {"key", TextOrNull(record.key())},
                    {"value", TextOrNull(record.value())},     {"headers", headers}};
    std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
    return;
  }
  if (options.with_meta) {
    std::cout << record.partition() << "\t" << record.offset() << "\t"
              << std::string(record.key().value_or("")) << "\t";
  }
  std::cout << std::string(record.value().value_or("")) << "\n";
}

absl::Status StartReading(Consumer& consumer, const ConsumeOptions& options) {
  if (!options.group.empty()) return consumer.Subscribe({options.topic});
  QUIPU_ASSIGN_OR_RETURN(std::vector<NamedPartition> partitions,
                         consumer.PartitionsOf(options.topic));
  if (!options.partitions.empty()) {
    partitions.clear();
    for (const int32_t partition : options.partitions) {
      partitions.push_back({.topic = options.topic, .partition = PartitionIndex(partition)});
    }
  }
  QUIPU_RETURN_IF_ERROR(consumer.Assign(partitions));
  for (const NamedPartition& partition : partitions) {
    if (options.offset >= 0) {
      QUIPU_RETURN_IF_ERROR(consumer.Seek(partition, Offset(options.offset)));
    } else if (options.from_beginning) {
      QUIPU_RETURN_IF_ERROR(consumer.SeekToBeginning(partition));
    } else {
      QUIPU_RETURN_IF_ERROR(consumer.SeekToEnd(partition));
    }
  }
  return absl::OkStatus();
}

absl::Status Consume(const Common& common, const ConsumeOptions& options) {
  std::signal(SIGINT, OnInterrupt);
  std::signal(SIGTERM, OnInterrupt);
  ConfigMap config = ConnectionConfig(common);
  if (!options.group.empty()) {
    config["group.id"] = options.group;
    config["auto.offset.reset"] = options.from_beginning ? "earliest" : "latest";
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, Consumer::Create(config));
  QUIPU_RETURN_IF_ERROR(StartReading(*consumer, options));
  uint64_t printed = 0;
  int idle_ms = 0;
  constexpr int kPollMs = 100;
  while (g_interrupted == 0 && (options.count == 0 || printed < options.count)) {
    QUIPU_ASSIGN_OR_RETURN(const std::vector<ConsumerRecord> records,
                           consumer->Poll(std::chrono::milliseconds(kPollMs)));
    for (const ConsumerRecord& record : records) {
      if (options.count > 0 && printed == options.count) break;
      PrintRecord(common, options, record);
      ++printed;
    }
    std::cout.flush();
    if (!records.empty() && !options.group.empty()) consumer->CommitAsync();
    idle_ms = records.empty() ? idle_ms + kPollMs : 0;
    if (options.idle_ms > 0 && idle_ms >= options.idle_ms) break;
  }
  return consumer->Close();
}

}  // namespace

void AddConsumeCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<ConsumeOptions>();
  CLI::App* consume = app.add_subcommand("consume", "Print records until interrupted");
  consume->add_option("topic", options->topic)->required();
  consume->add_option("-g,--group", options->group, "As a member of this group; commits offsets");
  consume->add_flag("--from-beginning", options->from_beginning,
                    "Start at the first record (a group: if it has no offset yet)");
  consume->add_option("-p,--partition", options->partitions, "Only these partitions");
  consume->add_option("--offset", options->offset, "Start at this offset")
      ->check(CLI::NonNegativeNumber);
  consume->add_option("-n,--count", options->count, "End after so many records");
  consume->add_option("--idle-ms", options->idle_ms, "End after so long without a record");
  consume->add_flag("--meta", options->with_meta, "Partition, offset and key before the value");
  AddConnectionOptions(*consume, common);
  consume->footer("Example: quipu consume payments --from-beginning -n 10 --output json");
  OnCall(*consume, common, [&common, options] { return Consume(common, *options); });
}

}  // namespace quipu::cli
