// `quipu bench consume`: how fast a topic is read from its beginning.
#include <algorithm>
#include <cstdio>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/cli/bench/bench.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

struct BenchConsumeOptions {
  std::string topic;
  uint64_t records = 0;  // 0: not given
  double seconds = 0;    // 0: not given
  bool from_end = false;
  bool no_progress = false;
};

// Reads a topic and looks at the offsets on the way: they ascend by one in each partition.
class Reading {
 public:
  Reading(const Common& common, const BenchConsumeOptions& options, Consumer& consumer)
      : common_(common), options_(options), consumer_(consumer), line_(!options.no_progress) {}

  absl::Status Run() {
    QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> partitions,
                           consumer_.PartitionsOf(options_.topic));
    QUIPU_RETURN_IF_ERROR(Start(partitions));
    CatchInterrupts();
    start_ = BenchClock::now();
    const absl::Status read = ReadAll();
    const double seconds = SecondsOf((records_ > 0 ? last_ : BenchClock::now()) - start_);
    line_.Clear();
    QUIPU_RETURN_IF_ERROR(consumer_.Close(std::chrono::milliseconds(common_.timeout_ms)));
    Report(std::max(seconds, 1e-9), partitions.size());
    QUIPU_RETURN_IF_ERROR(read);
    return Judge();
  }

 private:
  absl::Status Start(const std::vector<NamedPartition>& partitions) {
    QUIPU_RETURN_IF_ERROR(consumer_.Assign(partitions));
    QUIPU_ASSIGN_OR_RETURN(const NamedOffsets starts, consumer_.BeginningOffsets(partitions));
    QUIPU_ASSIGN_OR_RETURN(const NamedOffsets ends, consumer_.EndOffsets(partitions));
    for (const auto& [partition, end] : ends) {
      parts_[partition.partition] = {.next = end.offset, .end = end.offset};
    }
    for (const auto& [partition, start] : starts) {
      Part& part = parts_[partition.partition];
      if (!options_.from_end) part.next = start.offset;
      there_ += static_cast<uint64_t>(std::max<int64_t>(part.end - part.next, 0));
      QUIPU_RETURN_IF_ERROR(consumer_.Seek(partition, part.next));
    }
    return absl::OkStatus();
  }

  // Without -n or --seconds: what was there at the start.
  [[nodiscard]] uint64_t Wanted() const {
    if (options_.records > 0) return options_.records;
    return options_.seconds > 0 ? UINT64_MAX : there_;
  }

  [[nodiscard]] bool IsDone() const {
    if (options_.records > 0) return records_ >= options_.records;
    return options_.seconds <= 0 && of_there_ >= there_;
  }

  absl::Status ReadAll() {
    const uint64_t wanted = Wanted();
    BenchClock::time_point heard = start_;
    while (!IsDone() && InterruptSignal() == 0) {
      const BenchClock::time_point now = BenchClock::now();
      if (options_.seconds > 0 && SecondsOf(now - start_) >= options_.seconds) break;
      QUIPU_ASSIGN_OR_RETURN(const std::vector<ConsumerRecord> records,
                             consumer_.Poll(std::chrono::milliseconds(50)));
      for (const ConsumerRecord& record : records) {
        if (IsDone()) break;
        Take(record);
      }
      if (!records.empty()) heard = last_ = BenchClock::now();
      if (line_.due()) ShowProgress(wanted);
      const bool quiet = now - heard >= std::chrono::milliseconds(common_.timeout_ms);
      if (quiet && options_.seconds <= 0) {
        return ToStatus(ErrorCode::kRequestTimedOut,
                        absl::StrCat("only ", records_, " of ", wanted, " records came, and none ",
                                     "for ", common_.timeout_ms, " ms (--timeout)"));
      }
    }
    return absl::OkStatus();
  }

  void Take(const ConsumerRecord& record) {
    if (records_ == 0) first_ = BenchClock::now();
    ++records_;
    bytes_ += record.key().value_or("").size() + record.value().value_or("").size();
    Part& part = parts_[record.partition()];
    // Records that were written meanwhile do not stand for those that were there.
    if (record.offset() >= part.next && record.offset() < part.end) ++of_there_;
    if (record.offset() < part.next) ++repeated_;
    if (record.offset() > part.next) {
      skipped_ += static_cast<uint64_t>(record.offset() - part.next);
    }
    part.next = std::max(part.next, record.offset() + 1);
  }

  void ShowProgress(uint64_t wanted) {
    const double seconds = SecondsOf(BenchClock::now() - start_);
    const std::string of = wanted == UINT64_MAX ? "" : absl::StrCat(" of ", wanted);
    line_.Show(absl::StrFormat("%d%s records, %.0f/s, %.1f MB/s", records_, of,
                               static_cast<double>(records_) / seconds,
                               static_cast<double>(bytes_) / seconds / 1e6));
  }

  void Report(double seconds, size_t partitions) const {
    const double rate = static_cast<double>(records_) / seconds;
    const double megabytes = static_cast<double>(bytes_) / seconds / 1e6;
    const double first_ms = records_ > 0 ? SecondsOf(first_ - start_) * 1000 : 0;
    if (common_.json()) {
      Json json{{"records", records_}, {"bytes", bytes_},       {"partitions", partitions},
                {"skipped", skipped_}, {"repeated", repeated_}, {"first_record_ms", first_ms}};
      AddRun(records_, bytes_, seconds, CpuSeconds(), json);
      PrintJson(json);
      return;
    }
    std::printf(
        "%.0f records/s, %.1f MB/s (%llu records, %llu bytes of keys and values in %.2f s, %zu "
        "partitions; the first after %.1f ms)\n",
        rate, megabytes, static_cast<unsigned long long>(records_),
        static_cast<unsigned long long>(bytes_), seconds, partitions, first_ms);
  }

  [[nodiscard]] absl::Status Judge() const {
    if (skipped_ + repeated_ == 0) return absl::OkStatus();
    return ToStatus(ErrorCode::kUnknownServerError,
                    absl::StrCat(skipped_, " offsets were skipped and ", repeated_,
                                 " came again or too late: the records are not all there once and "
                                 "in order"));
  }

  struct Part {
    Offset next;  // expected
    Offset end;   // when it began
  };

  const Common& common_;
  const BenchConsumeOptions& options_;
  Consumer& consumer_;
  StatusLine line_;
  std::map<PartitionIndex, Part> parts_;
  uint64_t there_ = 0;     // records that were there when it began
  uint64_t of_there_ = 0;  // of them, how many have come
  BenchClock::time_point start_;
  BenchClock::time_point first_;
  BenchClock::time_point last_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
  uint64_t skipped_ = 0;
  uint64_t repeated_ = 0;
};

absl::Status BenchConsume(Common& common, const BenchConsumeOptions& options) {
  if (options.from_end && options.records == 0 && options.seconds <= 0) {
    return WrongArguments("--from-end needs -n or --seconds: nothing is there at the end");
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, MakeConsumer(common));
  QUIPU_RETURN_IF_ERROR(Reading(common, options, *consumer).Run());
  common.exit_code = InterruptExitCode();
  return absl::OkStatus();
}

}  // namespace

void AddBenchConsume(CLI::App& bench, Common& common) {
  auto options = std::make_shared<BenchConsumeOptions>();
  CLI::App* consume = bench.add_subcommand("consume", "Records per second from the beginning on");
  consume->add_option("topic", options->topic, "An existing topic")->required();
  consume->add_option("-n,--records", options->records, "End after so many")
      ->check(CLI::PositiveNumber);
  consume->add_option("--seconds", options->seconds, "End after so long")
      ->check(CLI::PositiveNumber);
  consume->add_flag("--from-end", options->from_end,
                    "Only what is written from now on; needs -n or --seconds");
  AddProgressOption(*consume, options->no_progress);
  AddConnectionOptions(*consume, common);
  consume->footer(
      "Reads all partitions in one consumer without a group; without -n and --seconds, what is "
      "there\n"
      "when it begins. Ends with 1 when offsets are skipped or come again, or when fewer records\n"
      "come than it was to read.\n"
      "Example: quipu bench consume payments -o json");
  OnCall(*consume, common, [&common, options] { return BenchConsume(common, *options); });
}

}  // namespace quipu::cli
