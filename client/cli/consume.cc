// `quipu consume`: prints records, from partitions or as a member of a group.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
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

// Without a group: `all` partitions, or those that were asked for.
absl::Status StartReading(Consumer& consumer, const ConsumeOptions& options,
                          const std::vector<NamedPartition>& all) {
  std::vector<NamedPartition> partitions = all;
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

// Prints what a consumer reads and commits what was printed, nothing else.
class Printing {
 public:
  Printing(const Common& common, const ConsumeOptions& options, Consumer& consumer)
      : common_(common), options_(options), consumer_(consumer) {}

  absl::Status Run() {
    QUIPU_RETURN_IF_ERROR(Start());
    const absl::Status read = ReadUntilDone();
    // Nobody is there to commit to, nor to take leave of.
    if (CodeOf(read) == ErrorCode::kNotConnected) return read;
    const absl::Status committed = CommitPrinted();
    const absl::Status closed = consumer_.Close(std::chrono::milliseconds(common_.timeout_ms));
    QUIPU_RETURN_IF_ERROR(read);
    QUIPU_RETURN_IF_ERROR(committed);
    return closed;
  }

 private:
  using Clock = std::chrono::steady_clock;

  absl::Status Start() {
    // Also tells an unknown topic and that no broker can be reached, which a subscription alone
    // would try on for ever.
    QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> all,
                           consumer_.PartitionsOf(options_.topic));
    const Clock::time_point now = Clock::now();
    reached_ = now;
    if (options_.group.empty()) {
      idle_since_ = now;
      return StartReading(consumer_, options_, all);
    }
    // Joining takes its time; being idle begins with the assignment.
    idle_since_ = now + std::chrono::milliseconds(common_.timeout_ms);
    return consumer_.Subscribe(
        {options_.topic},
        {.on_assigned =
             [this](const NamedOffsets&) {
               if (!assigned_) idle_since_ = Clock::now();
               assigned_ = true;
             },
         .on_revoked =
             [this](const std::vector<NamedPartition>& partitions) {
               if (revocation_.ok()) revocation_ = CommitPrinted();
               for (const NamedPartition& partition : partitions) printed_.erase(partition);
             },
         // Whoever has them now begins at what was committed: those records come again, there.
         .on_lost =
             [this](const std::vector<NamedPartition>& partitions) {
               for (const NamedPartition& partition : partitions) printed_.erase(partition);
             }});
  }

  absl::Status ReadUntilDone() {
    while (g_interrupted == 0 && (options_.count == 0 || count_ < options_.count)) {
      QUIPU_ASSIGN_OR_RETURN(const std::vector<ConsumerRecord> records,
                             consumer_.Poll(std::chrono::milliseconds(100)));
      QUIPU_RETURN_IF_ERROR(revocation_);
      QUIPU_RETURN_IF_ERROR(Print(records));
      const Clock::time_point now = Clock::now();
      if (!records.empty()) idle_since_ = now;
      if (options_.idle_ms > 0 &&
          now - idle_since_ >= std::chrono::milliseconds(options_.idle_ms)) {
        break;
      }
      const absl::Status connected = consumer_.ConnectionStatus();
      if (connected.ok()) reached_ = now;
      if (now - reached_ >= std::chrono::milliseconds(common_.timeout_ms)) return connected;
    }
    return absl::OkStatus();
  }

  absl::Status Print(const std::vector<ConsumerRecord>& records) {
    NamedOffsets positions;
    for (const ConsumerRecord& record : records) {
      if (options_.count > 0 && count_ == options_.count) break;
      PrintRecord(common_, options_, record);
      ++count_;
      const NamedPartition partition{record.topic(), record.partition()};
      const OffsetAndMetadata next{
          .offset = record.offset() + 1, .leader_epoch = record.leader_epoch(), .metadata = {}};
      if (positions.empty() || positions.back().first != partition) {
        positions.emplace_back(partition, next);
      }
      positions.back().second = next;
    }
    std::cout.flush();
    if (!std::cout) {
      return ToStatus(ErrorCode::kStorageError, "standard output cannot be written any more");
    }
    if (options_.group.empty()) return absl::OkStatus();
    for (const auto& [partition, next] : positions) printed_[partition] = next;
    // Not waited for: the last commit, which is, covers what this one may miss.
    if (!positions.empty()) consumer_.CommitAsync(Printed(), {});
    return absl::OkStatus();
  }

  [[nodiscard]] NamedOffsets Printed() const { return {printed_.begin(), printed_.end()}; }

  absl::Status CommitPrinted() {
    if (printed_.empty()) return absl::OkStatus();
    return consumer_.CommitSync(Printed());
  }

  const Common& common_;
  const ConsumeOptions& options_;
  Consumer& consumer_;
  uint64_t count_ = 0;
  std::map<NamedPartition, OffsetAndMetadata> printed_;  // where to go on; groups only
  absl::Status revocation_;
  bool assigned_ = false;
  Clock::time_point idle_since_;
  Clock::time_point reached_;  // when some broker was last known to answer
};

absl::Status Consume(const Common& common, const ConsumeOptions& options) {
  std::signal(SIGINT, OnInterrupt);
  std::signal(SIGTERM, OnInterrupt);
  QUIPU_ASSIGN_OR_RETURN(ConfigMap config, ConnectionConfig(common));
  if (!options.group.empty()) {
    config["group.id"] = options.group;
    config["auto.offset.reset"] = options.from_beginning ? "earliest" : "latest";
  }
  if (options.count > 0) {
    config["max.poll.records"] = std::to_string(std::min<uint64_t>(options.count, 500));
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, Consumer::Create(config));
  return Printing(common, options, *consumer).Run();
}

}  // namespace

void AddConsumeCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<ConsumeOptions>();
  CLI::App* consume = app.add_subcommand("consume", "Print records until interrupted");
  consume->add_option("topic", options->topic)->required();
  CLI::Option* group =
      consume
          ->add_option("-g,--group", options->group,
                       "As a member of this group; commits the offsets of what was printed")
          ->check(NotEmpty());
  CLI::Option* from_beginning =
      consume->add_flag("--from-beginning", options->from_beginning,
                        "Start at the first record (a group: if it has no offset yet)");
  consume->add_option("-p,--partition", options->partitions, "Only these partitions")
      ->check(CLI::NonNegativeNumber)
      ->excludes(group);
  consume->add_option("--offset", options->offset, "Start at this offset")
      ->check(CLI::NonNegativeNumber)
      ->excludes(group)
      ->excludes(from_beginning);
  consume->add_option("-n,--count", options->count, "End after so many records; 0: no limit");
  consume->add_option("--idle-ms", options->idle_ms, "End after so long without a record")
      ->check(CLI::NonNegativeNumber);
  consume->add_flag("--meta", options->with_meta, "Partition, offset and key before the value");
  AddConnectionOptions(*consume, common);
  consume->footer("Example: quipu consume payments --from-beginning -n 10 --output json");
  OnCall(*consume, common, [&common, options] { return Consume(common, *options); });
}

}  // namespace quipu::cli
