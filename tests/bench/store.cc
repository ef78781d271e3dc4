// Durable appends at the store of one broker, without a broker: the seam that everything is written
// through, beside the raw journal of quipu-bench-floor.
//
//   quipu-bench-store DIR --batch-size 16384 --queued 16 [--partitions 100] [--store rocksdb]
//
// DIR is new or empty. So many batches are always waiting: what is durable is at once followed by
// as much, which was made meanwhile, in turn to each partition. Each log keeps its newest batches,
// as under retention (--keep-mib 0: all). Prints JSON.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "core/record/record_batch_builder.h"
#include "storage/rocksdb/open_storage.h"

namespace quipu {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Options {
  std::string path;
  LogStoreKind store = LogStoreKind::kRocksdb;
  size_t batch_bytes = 16384;
  size_t queued = 16;
  int partitions = 100;
  size_t keep_mib = 256;  // of all partitions
  double warm_up_seconds = 0.5;
  double seconds = 2;
};

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "quipu-bench-store: %s\n", why.c_str());
  std::_Exit(1);
}

double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

// What this process has caused to be written to disks, as the system counts.
int64_t BytesWritten() {
  std::ifstream file("/proc/self/io");
  for (std::string name; file >> name;) {
    int64_t value = 0;
    file >> value;
    if (name == "write_bytes:") return value;
  }
  Fail("/proc/self/io has no write_bytes");
}

BrokerStorage Open(const Options& options) {
  const DirectoryIdentity identity{.cluster_id = ClusterId(1, 1),
                                   .role = NodeRole::kBroker,
                                   .node_id = 1,
                                   .directory_id = DirectoryId(2, 2),
                                   .voters = {}};
  const absl::Status formatted = FormatDirectory(options.path, identity);
  if (!formatted.ok()) Fail(formatted.ToString());
  OpenStorageOptions open;
  open.path = options.path;
  open.fatal = &Fail;
  open.log_store = options.store;
  absl::StatusOr<BrokerStorage> storage = OpenBrokerStorage(open);
  if (!storage.ok()) Fail(storage.status().ToString());
  return *std::move(storage);
}

// About `bytes` long: one record that fills it.
RecordBatchView MakeBatch(size_t bytes) {
  const auto built = [](size_t value_bytes) {
    RecordBatchBuilder builder({});
    builder.Add({.timestamp = TimestampMs(1), .value = std::string(value_bytes, 'b')});
    return builder.Build();
  };
  const size_t rest = built(1).size() - 1;
  const auto view = RecordBatchView::Parse(built(bytes > rest ? bytes - rest : 1));
  if (!view.ok()) Fail(view.status().ToString());
  return *view;
}

class Load {
 public:
  Load(const Options& options, BrokerStorage& storage)
      : options_(options), storage_(storage), batch_(MakeBatch(options.batch_bytes)) {
    std::vector<PartitionUid> uids;
    for (int i = 0; i < options.partitions; ++i) uids.emplace_back(static_cast<uint64_t>(i + 1));
    const auto logs = storage.store->CreateLogs(uids);
    if (!logs.ok()) Fail(logs.status().ToString());
    logs_ = *logs;
    next_.resize(logs_.size());
  }

  Json Run() {
    prepared_ = Prepare();
    Until(options_.warm_up_seconds);
    const uint64_t groups = storage_.writer->groups_written();
    const int64_t written = BytesWritten();
    const double cpu = CpuSeconds();
    appended_ = 0;
    const double seconds = Until(options_.seconds);
    const auto bytes = static_cast<double>(appended_ * batch_.size());
    const double synced = static_cast<double>(storage_.writer->groups_written() - groups);
    return {{"mb_per_second", bytes / seconds / 1e6},
            {"batch_bytes", batch_.size()},
            {"groups_per_second", synced / seconds},
            {"cpu_seconds_per_gib", (CpuSeconds() - cpu) / (bytes / static_cast<double>(1 << 30))},
            {"bytes_written_per_byte", static_cast<double>(BytesWritten() - written) / bytes}};
  }

 private:
  // Until so long is over and all is durable; how long that took.
  double Until(double seconds) {
    const auto since = [start = Clock::now()] {
      return std::chrono::duration<double>(Clock::now() - start).count();
    };
    while (since() < seconds) Append();
    return since();
  }

  std::vector<LogWrite> Prepare() {
    std::vector<LogWrite> writes(options_.queued);
    for (LogWrite& write : writes) {
      const size_t log = turn_++ % logs_.size();
      const Offset offset = next_[log];
      next_[log] = offset + 1;
      write.log_id = logs_[log];
      write.mutation.appends.push_back({.base_offset = offset,
                                        .last_offset = offset,
                                        .max_timestamp = TimestampMs(1),
                                        .bytes = StampBatch(batch_, offset, LeaderEpoch(0), {})});
    }
    AddTrims(writes);
    return writes;
  }

  // Eight times while as much is appended as is kept, every log's beginning is given up.
  void AddTrims(std::vector<LogWrite>& writes) {
    const auto kept =
        static_cast<int64_t>((options_.keep_mib << 20) / batch_.size() / logs_.size());
    prepared_batches_ += writes.size();
    const bool due = kept > 0 && prepared_batches_ >=
                                     trimmed_at_ + std::max<uint64_t>(kept * logs_.size() / 8, 1);
    if (!due) return;
    trimmed_at_ = prepared_batches_;
    for (size_t log = 0; log < logs_.size(); ++log) {
      const Offset start(std::max<int64_t>(next_[log].value() - kept, 0));
      LogWrite& write = writes.emplace_back(LogWrite{.log_id = logs_[log], .mutation = {}});
      write.mutation.state = PartitionState{.log_start_offset = start, .high_watermark = start};
    }
  }

  void Append() {
    std::vector<std::pair<LogId, Offset>> trims;
    for (const LogWrite& write : prepared_) {
      if (write.mutation.state)
        trims.emplace_back(write.log_id, write.mutation.state->log_start_offset);
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      durable_ = false;
    }
    storage_.writer->Submit(std::move(prepared_), [this] {
      const std::lock_guard<std::mutex> held(mutex_);
      durable_ = true;
      wake_.notify_one();
    });
    prepared_ = Prepare();
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return durable_; });
    lock.unlock();
    for (const auto& [log_id, start] : trims) storage_.store->PublishTrim(log_id, start);
    appended_ += options_.queued;
  }

  const Options& options_;
  BrokerStorage& storage_;
  const RecordBatchView batch_;
  std::vector<LogId> logs_;
  std::vector<Offset> next_;
  size_t turn_ = 0;
  uint64_t appended_ = 0;
  std::vector<LogWrite> prepared_;
  uint64_t prepared_batches_ = 0;
  uint64_t trimmed_at_ = 0;  // of these
  std::mutex mutex_;
  std::condition_variable wake_;
  bool durable_ = false;  // under mutex_
};

int Main(int argc, char** argv) {
  CLI::App app("Durable appends at the store of one broker");
  Options options;
  app.add_option("dir", options.path, "New or empty")->required();
  const std::map<std::string, LogStoreKind> kinds = {{"rocksdb", LogStoreKind::kRocksdb},
                                                     {"journal", LogStoreKind::kJournal}};
  app.add_option("--store", options.store, "How the directory stores")
      ->transform(CLI::CheckedTransformer(kinds));
  app.add_option("--batch-size", options.batch_bytes)->check(CLI::Range(100, 1 << 20));
  app.add_option("--queued", options.queued)->check(CLI::PositiveNumber);
  app.add_option("--partitions", options.partitions)->check(CLI::PositiveNumber);
  app.add_option("--keep-mib", options.keep_mib, "Batches kept, of all partitions; 0: all");
  app.add_option("--warm-up", options.warm_up_seconds)->check(CLI::NonNegativeNumber);
  app.add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  BrokerStorage storage = Open(options);
  std::cout << Load(options, storage).Run().dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace quipu

int main(int argc, char** argv) { return quipu::Main(argc, argv); }
