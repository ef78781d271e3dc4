// `quipu consume`: prints records, from partitions or as a member of a group.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"
#include "client/cli/records/record_format.h"
#include "client/cli/records/time_text.h"
#include "client/consumer.h"

namespace quipu::cli {
namespace {

struct ConsumeOptions {
  std::string topic;
  std::string group;
  std::string instance_id;  // empty: a dynamic member
  bool from_beginning = false;
  std::vector<int32_t> partitions;
  std::string offset;     // a number, -number, start or end; empty: not given
  std::string from_time;  // empty: not given
  std::string key;
  bool key_given = false;
  uint64_t count = 0;  // 0: no limit
  int idle_ms = 0;     // 0: never ends for want of records
  bool exit_at_end = false;
  bool with_meta = false;
  std::string format;  // empty: as --output says
};

// How the records are printed: --format goes before --output.
absl::StatusOr<RecordFormat> FormatOf(const Common& common, const ConsumeOptions& options) {
  if (!options.format.empty()) return RecordFormat::Parse(options.format);
  if (common.json()) return RecordFormat::Parse("json");
  return RecordFormat::Parse(options.with_meta ? "%p\\t%o\\t%k\\t%v\\n" : "text");
}

// The partitions that were asked for; `all` when none was.
absl::StatusOr<std::vector<NamedPartition>> Chosen(const ConsumeOptions& options,
                                                   const std::vector<NamedPartition>& all) {
  if (options.partitions.empty()) return all;
  std::vector<NamedPartition> chosen;
  for (const int32_t partition : options.partitions) {
    chosen.push_back({.topic = options.topic, .partition = PartitionIndex(partition)});
  }
  return chosen;
}

// Where --from-time begins: the first record of that time or later, the end where there is none.
absl::Status SeekToTime(Consumer& consumer, const Common& common, const ConsumeOptions& options,
                        const std::vector<NamedPartition>& partitions) {
  QUIPU_ASSIGN_OR_RETURN(const int64_t time, ParseTime(options.from_time, WallMs()));
  if (time < 0) return WrongArguments("--from-time is before 1970");
  std::map<NamedPartition, TimestampMs> times;
  for (const NamedPartition& partition : partitions) times[partition] = TimestampMs(time);
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  // The ends first: a record that is written in between is then found, or lies behind the end.
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets ends, consumer.EndOffsets(partitions));
  QUIPU_ASSIGN_OR_RETURN(const NamedTimes found, admin->OffsetsForTimes(times));
  std::map<NamedPartition, Offset> starts;
  for (const auto& [partition, end] : ends) starts[partition] = end.offset;
  for (const auto& [partition, record] : found) {
    if (record.offset != kNoOffset) starts[partition] = record.offset;
  }
  for (const auto& [partition, start] : starts) {
    QUIPU_RETURN_IF_ERROR(consumer.Seek(partition, start));
  }
  return absl::OkStatus();
}

// --offset -N: so many offsets before the end, but not before the start.
absl::Status SeekBeforeEnd(Consumer& consumer, int64_t distance,
                           const std::vector<NamedPartition>& partitions) {
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets starts, consumer.BeginningOffsets(partitions));
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets ends, consumer.EndOffsets(partitions));
  const std::map<NamedPartition, OffsetAndMetadata> start_of(starts.begin(), starts.end());
  for (const auto& [partition, end] : ends) {
    const auto start = start_of.find(partition);
    const int64_t lowest = start == start_of.end() ? 0 : start->second.offset.value();
    const int64_t wanted = std::max(lowest, end.offset.value() - distance);
    QUIPU_RETURN_IF_ERROR(consumer.Seek(partition, Offset(wanted)));
  }
  return absl::OkStatus();
}

// Without a group.
absl::Status StartReading(Consumer& consumer, const Common& common, const ConsumeOptions& options,
                          const std::vector<NamedPartition>& partitions) {
  QUIPU_RETURN_IF_ERROR(consumer.Assign(partitions));
  if (!options.from_time.empty()) return SeekToTime(consumer, common, options, partitions);
  int64_t offset = -1;
  const bool numeric = absl::SimpleAtoi(options.offset, &offset);
  if (numeric && options.offset[0] == '-') return SeekBeforeEnd(consumer, -offset, partitions);
  for (const NamedPartition& partition : partitions) {
    if (numeric) {
      QUIPU_RETURN_IF_ERROR(consumer.Seek(partition, Offset(offset)));
    } else if (options.from_beginning || options.offset == "start") {
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
  Printing(const Common& common, const ConsumeOptions& options, RecordFormat format,
           Consumer& consumer)
      : common_(common), options_(options), format_(std::move(format)), consumer_(consumer) {}

  absl::Status Run() {
    QUIPU_RETURN_IF_ERROR(Start());
    const absl::Status read = ReadUntilDone();
    // Nobody is there to commit to, nor to take leave of.
    if (CodeOf(read) == ErrorCode::kNotConnected) return read;
    const absl::Status committed = CommitPrinted();
    const absl::Status closed = consumer_.Close(std::chrono::milliseconds(common_.timeout_ms));
    QUIPU_RETURN_IF_ERROR(read);
    QUIPU_RETURN_IF_ERROR(committed);
    if (InterruptSignal() != 0) {
      const bool committing = !options_.group.empty() && count_ > 0;
      std::fprintf(stderr, "quipu: interrupted; %llu records were printed%s%s\n",
                   static_cast<unsigned long long>(count_),
                   committing ? ", and their offsets are committed for group " : "",
                   committing ? options_.group.c_str() : "");
    }
    return closed;
  }

 private:
  using Clock = std::chrono::steady_clock;

  absl::Status Start() {
    // Also tells an unknown topic and that no broker can be reached, which a subscription alone
    // would try on for ever.
    QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> all,
                           consumer_.PartitionsOf(options_.topic));
    // Until here there is nothing to finish, and a signal ends the process at once.
    CatchInterrupts();
    const Clock::time_point now = Clock::now();
    reached_ = now;
    if (options_.group.empty()) {
      idle_since_ = now;
      QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> partitions, Chosen(options_, all));
      QUIPU_RETURN_IF_ERROR(StartReading(consumer_, common_, options_, partitions));
      if (options_.exit_at_end) {
        QUIPU_ASSIGN_OR_RETURN(ends_, consumer_.EndOffsets(partitions));
      }
      return absl::OkStatus();
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
    while (InterruptSignal() == 0 && (options_.count == 0 || count_ < options_.count)) {
      if (options_.exit_at_end && AtEnd()) break;
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
    std::string text;
    for (const ConsumerRecord& record : records) {
      if (options_.count > 0 && count_ == options_.count) break;
      if (IsBehindEnd(record)) continue;
      if (options_.key_given && record.key() != absl::string_view(options_.key)) continue;
      format_.Append(PrintedOf(record), text);
      ++count_;
      const NamedPartition partition{record.topic(), record.partition()};
      const OffsetAndMetadata next{
          .offset = record.offset() + 1, .leader_epoch = record.leader_epoch(), .metadata = {}};
      if (positions.empty() || positions.back().first != partition) {
        positions.emplace_back(partition, next);
      }
      positions.back().second = next;
    }
    std::cout << text;
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

  // Every partition has been read up to where it ended at the start.
  [[nodiscard]] bool AtEnd() const {
    return std::all_of(ends_.begin(), ends_.end(), [this](const auto& end) {
      const absl::StatusOr<OffsetAndMetadata> position = consumer_.Position(end.first);
      return position.ok() && position->offset != kNoOffset &&
             position->offset >= end.second.offset;
    });
  }

  // It came in after the end that --exit-at-end stands for.
  [[nodiscard]] bool IsBehindEnd(const ConsumerRecord& record) const {
    if (!options_.exit_at_end) return false;
    return std::any_of(ends_.begin(), ends_.end(), [&record](const auto& end) {
      return end.first.partition == record.partition() && record.offset() >= end.second.offset;
    });
  }

  [[nodiscard]] NamedOffsets Printed() const { return {printed_.begin(), printed_.end()}; }

  absl::Status CommitPrinted() {
    if (printed_.empty()) return absl::OkStatus();
    return consumer_.CommitSync(Printed());
  }

  const Common& common_;
  const ConsumeOptions& options_;
  const RecordFormat format_;
  Consumer& consumer_;
  NamedOffsets ends_;  // --exit-at-end: where the partitions ended at the start
  uint64_t count_ = 0;
  std::map<NamedPartition, OffsetAndMetadata> printed_;  // where to go on; groups only
  absl::Status revocation_;
  bool assigned_ = false;
  Clock::time_point idle_since_;
  Clock::time_point reached_;  // when some broker was last known to answer
};

absl::Status Consume(Common& common, const ConsumeOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(RecordFormat format, FormatOf(common, options));
  QUIPU_ASSIGN_OR_RETURN(ConfigMap config, ConnectionConfig(common, ConsumerConfigTable()));
  // A profile's settings are for services: here what is printed is committed, nothing else.
  config["enable.auto.commit"] = "false";
  config.erase("group.id");
  if (options.group.empty()) {
    config.erase("group.instance.id");
  } else {
    config["group.id"] = options.group;
    if (!options.instance_id.empty()) config["group.instance.id"] = options.instance_id;
    if (options.from_beginning) config["auto.offset.reset"] = "earliest";
    config.emplace("auto.offset.reset", "latest");
  }
  if (options.count > 0) {
    config["max.poll.records"] = std::to_string(std::min<uint64_t>(options.count, 500));
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, Consumer::Create(config));
  QUIPU_RETURN_IF_ERROR(Printing(common, options, std::move(format), *consumer).Run());
  common.exit_code = InterruptExitCode();
  return absl::OkStatus();
}

CLI::Validator OffsetText() {
  return CLI::Validator(
      [](const std::string& text) {
        int64_t offset = 0;
        const bool good = text == "start" || text == "end" || absl::SimpleAtoi(text, &offset);
        return good ? std::string()
                    : "'" + text + "': expected an offset, -N (N before the end), start or end";
      },
      "OFFSET");
}

// Of a text that a function of ours parses.
template <typename Parse>
CLI::Validator Parsed(Parse parse, const char* name) {
  return CLI::Validator(
      [parse](const std::string& text) { return std::string(parse(text).status().message()); },
      name);
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
  consume
      ->add_option("--instance-id", options->instance_id,
                   "As this static member (group.instance.id): it keeps its partitions while it is "
                   "started again")
      ->check(NotEmpty())
      ->needs(group);
  CLI::Option* from_beginning =
      consume->add_flag("--from-beginning", options->from_beginning,
                        "Start at the first record (a group: if it has no offset yet)");
  consume->add_option("-p,--partition", options->partitions, "Only these partitions")
      ->check(CLI::NonNegativeNumber)
      ->excludes(group);
  CLI::Option* offset =
      consume
          ->add_option("--offset", options->offset,
                       "Start at this offset; -N: N before the end; start; end (the default)")
          ->check(OffsetText())
          ->excludes(group)
          ->excludes(from_beginning);
  consume
      ->add_option("--from-time", options->from_time,
                   "Start at the first record of this time or later: ISO 8601 (UTC without a "
                   "zone), -1h, -2d12h, or milliseconds since 1970")
      ->check(Parsed([](const std::string& text) { return ParseTime(text, WallMs()); }, "TIME"))
      ->excludes(group)
      ->excludes(from_beginning)
      ->excludes(offset);
  CLI::Option* key = consume->add_option("--key", options->key, "Only records with this key");
  key->excludes(group)->each([options](const std::string&) { options->key_given = true; });
  consume->add_option("-n,--count", options->count, "End after so many records; 0: no limit");
  consume->add_option("--idle-ms", options->idle_ms, "End after so long without a record")
      ->check(CLI::NonNegativeNumber);
  consume
      ->add_flag("-e,--exit-at-end", options->exit_at_end,
                 "End where the partitions ended at the start, instead of waiting for more")
      ->excludes(group);
  CLI::Option* meta =
      consume->add_flag("--meta", options->with_meta, "Partition, offset and key before the value");
  consume
      ->add_option("-f,--format", options->format,
                   "text, json, hex, or a template: %k key, %v value, %t topic, %p partition, %o "
                   "offset, %T timestamp, %h headers, %K %V bytes of key and value, %%, \\n \\t "
                   "\\xHH (default: as --output says)")
      ->check(Parsed([](const std::string& text) { return RecordFormat::Parse(text); }, "FORMAT"))
      ->excludes(meta);
  AddConnectionOptions(*consume, common);
  consume->footer(
      "Ctrl-C commits what was printed, leaves the group, and ends with 130.\n"
      "Examples:\n"
      "  quipu consume payments --from-beginning -n 10 -o json\n"
      "  quipu consume payments --from-time -1h -e -f '%T %k %v\\n'\n"
      "  quipu consume payments -p 3 --offset -20 -e -f hex\n"
      "  quipu consume payments -g billing");
  OnCall(*consume, common, [&common, options] { return Consume(common, *options); });
}

}  // namespace quipu::cli
