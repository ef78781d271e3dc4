#include "tests/disk_faults/bad_reads.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "storage/log_recovery.h"
#include "storage/rocksdb/open_storage.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "tests/disk_faults/log_operations.h"
#include "tests/disk_faults/raft_operations.h"

namespace quipu::disk_faults {
namespace {

using faultfs::Call;
using faultfs::CallKind;
using faultfs::Fault;

constexpr int kOperationsBefore = 25;
constexpr int kOperationsMeanwhile = 4;
constexpr size_t kReadBytes = 4096;
// "": every file. RocksDB's write-ahead log, tables, blobs, MANIFEST and CURRENT; our two files.
constexpr absl::string_view kFiles[] = {
    "", "", ".log", ".log", ".sst", ".blob", "MANIFEST", "CURRENT", "watermark", "meta.properties"};

// The disk of one trial. Bad reads come at random; which read it is depends on RocksDB's threads.
class BadDisk {
 public:
  BadDisk(uint64_t seed, Fault fault, bool journal)
      : fault_(fault), machine_(Planted::kNone), chances_(seed * 2 + 1) {
    if (journal) machine_.UseJournal();
    Rng rng(seed);
    file_ = kFiles[rng.Below(std::size(kFiles))];
    if (journal && (file_ == ".log" || file_ == ".blob")) file_ = ".seg";
    one_in_ = uint64_t{1} << rng.Below(7);
  }

  Machine& machine() { return machine_; }
  // Formats the directory.
  bool Make(NodeRole role) {
    bool formatted = false;
    const bool made = machine_.Open(role, formatted).ok();
    machine_.Close();
    return made;
  }
  // The hook runs under the disk's lock: what it uses has one user at a time. It ends when a log
  // was set aside: RocksDB 7.8 ends the process by an assertion of its own when it cannot make a
  // column family of a new database, which is an end as good as any but not one that a test
  // survives.
  void ReadBadly() {
    machine_.disk().SetHook([this, set_aside = false](const Call& call) mutable {
      set_aside |= call.kind == CallKind::kRename && call.path == Machine::path() + "/log.unproven";
      if (set_aside || call.kind != CallKind::kRead || !absl::StrContains(call.path, file_) ||
          !chances_.Chance(1, one_in_)) {
        return Fault::kNone;
      }
      ++bad_reads_;
      return fault_;
    });
  }
  void ReadWell() { machine_.disk().SetHook({}); }
  [[nodiscard]] uint64_t bad_reads() const { return bad_reads_; }

  OpenStorageOptions options() {
    OpenStorageOptions options;
    options.path = Machine::path();
    options.fatal = machine_.fatal();
    options.files = &machine_.files();
    options.env = &machine_.env();
    options.log_store = machine_.journal() ? LogStoreKind::kJournal : LogStoreKind::kRocksdb;
    options.journal.segment_bytes = kTestSegmentBytes;
    options.journal.spare_bytes = 2 * kTestSegmentBytes;
    return options;
  }

 private:
  const Fault fault_;
  Machine machine_;
  Rng chances_;
  absl::string_view file_;
  uint64_t one_in_ = 1;
  std::atomic<uint64_t> bad_reads_ = 0;
};

// The course of a trial; a role says how its storage is opened, used and judged.
class BadReadTrial {
 public:
  BadReadTrial(uint64_t seed, Fault fault, bool journal, BadReadCounts& counts)
      : rng_(seed), disk_(seed, fault, journal), counts_(counts) {}
  virtual ~BadReadTrial() = default;

  Violation Run(NodeRole role) {
    if (!disk_.Make(role)) return "cannot be formatted";
    if (!Open().ok()) return "cannot be opened";
    for (int i = 0; i < kOperationsBefore; ++i) {
      if (!Operate()) return "an operation failed on a sound disk";
    }
    Close();
    disk_.machine().Restart(0);
    Violation violation = Meanwhile();
    Close();
    counts_.bad_reads += disk_.bad_reads();
    disk_.ReadWell();
    disk_.machine().Restart(0);
    if (violation.empty()) violation = Afterwards();
    Close();
    return violation;
  }

 protected:
  virtual absl::Status Open() = 0;
  virtual void Close() = 0;
  // True: acknowledged.
  virtual bool Operate() = 0;
  // Opens, reads and works while reads are bad.
  virtual Violation Meanwhile() = 0;
  // Opens and compares when they are good again.
  virtual Violation Afterwards() = 0;

  Violation OperateMeanwhile() {
    for (int i = 0; i < kOperationsMeanwhile; ++i) {
      if (!Operate()) {
        ++counts_.fatal;
        return "";
      }
      ++counts_.operations;
    }
    return "";
  }

  Rng rng_;
  BadDisk disk_;
  BadReadCounts& counts_;
  bool refused_ = false;  // the opening, while reads were bad
};

// ---- brokers ----

class BrokerTrial final : public BadReadTrial {
 public:
  using BadReadTrial::BadReadTrial;

 private:
  absl::Status Open() override {
    absl::StatusOr<BrokerStorage> storage = OpenBrokerStorage(disk_.options());
    if (storage.ok()) storage_ = std::make_unique<BrokerStorage>(*std::move(storage));
    return storage.status();
  }
  void Close() override { storage_.reset(); }
  RocksdbLogStore& store() { return static_cast<RocksdbLogStore&>(*storage_->store); }

  // True: acknowledged. What it may have left behind is in `states_`, newest last.
  bool Operate() override {
    const LogOperation operation = NextOperation(states_.back(), rng_);
    if (operation.kind == LogOperation::Kind::kFlush) return store().Flush().ok();
    const std::vector<MemoryLogStore> within = StatesWithin(states_.back(), operation);
    const bool done = Apply(store(), operation).ok() && !disk_.machine().fatal_called();
    states_.insert(states_.end(), within.begin() + 1, within.end());
    if (done) acknowledged_ = states_.size() - 1;
    return done;
  }

  Violation Meanwhile() override {
    const bool from_the_start = rng_.Chance(1, 2);
    if (from_the_start) disk_.ReadBadly();
    const absl::Status opened = Open();
    disk_.ReadBadly();
    if (!opened.ok()) {
      ++counts_.refused;
      refused_ = true;
      return from_the_start ? "" : absl::StrCat("does not open: ", opened.ToString());
    }
    unclean_ = storage_->watermark->unclean();
    ++(unclean_ ? counts_.unclean : counts_.opened);
    if (unclean_) return from_the_start ? "" : "is unproven without a bad read";
    for (const KnownLog& log : states_.back().Logs()) {
      Violation violation = Read(log.log_id);
      if (!violation.empty()) return violation;
    }
    return OperateMeanwhile();
  }

  // Everything that the log serves, compared with what it should.
  Violation Read(LogId log_id) {
    const MemoryLogStore& expected = states_.back();
    const auto recovered = store().Recover(log_id);
    if (!recovered.ok()) {
      ++counts_.reads_failed;
    } else {
      const RecoveredLog wanted = *expected.Recover(log_id);
      const bool producers =
          !recovered->damaged.empty() || recovered->producers == wanted.producers;
      if (recovered->log_end_offset != wanted.log_end_offset ||
          !(recovered->state == wanted.state) || recovered->epochs != wanted.epochs || !producers) {
        return absl::StrCat("log ", log_id.value(), " is recovered as another one (I61): end ",
                            recovered->log_end_offset.value(), " for ",
                            wanted.log_end_offset.value(), ", ", recovered->epochs.size(), " for ",
                            wanted.epochs.size(), " epochs, ", recovered->producers.size(), " for ",
                            wanted.producers.size(), " producers, ", recovered->damaged.size(),
                            " damaged batches");
      }
    }
    const auto& stored = expected.StoredBatches(log_id);
    auto next = stored.lower_bound(expected.Recover(log_id)->state.log_start_offset);
    while (next != stored.end()) {
      const auto batches = store().Read(log_id, next->first, Offset::Max(), kReadBytes);
      if (!batches.ok()) {
        ++counts_.reads_failed;
        const std::optional<DamagedBatch> place = DamagedPlaceOf(batches.status());
        if (!place) return "";  // the keys themselves
        if (place->last_offset != next->first) {
          return absl::StrCat("batch ", place->last_offset.value(), " of log ", log_id.value(),
                              " is called damaged (I62), next was ", next->first.value(), ": ",
                              batches.status().message());
        }
        ++next;
        continue;
      }
      if (batches->empty()) return absl::StrCat("a batch of log ", log_id.value(), " is missing");
      for (const StoredBatch& batch : *batches) {
        if (next == stored.end() || !(batch.bytes == next->second.bytes)) {
          return absl::StrCat("a batch of log ", log_id.value(), " is served wrong (I62)");
        }
        ++counts_.batches;
        ++next;
      }
    }
    return "";
  }

  Violation Afterwards() override {
    const absl::Status opened = Open();
    if (!opened.ok()) {
      // Nothing is set aside twice.
      const bool may_be = (refused_ || unclean_) && CodeOf(opened) == ErrorCode::kUnprovenDirectory;
      return may_be ? "" : absl::StrCat("does not open any more: ", opened.ToString());
    }
    const bool marked = storage_->watermark->unclean();
    std::string difference;
    for (size_t i = states_.size(); i-- > (marked ? 0 : acknowledged_);) {
      difference = Difference(*storage_->store, states_[i]);
      if (difference.empty()) return "";
    }
    return absl::StrCat(marked ? "is marked, and no prefix (D4): " : "lost what was there (I60): ",
                        difference);
  }

  std::unique_ptr<BrokerStorage> storage_;
  std::vector<MemoryLogStore> states_ = {MemoryLogStore()};
  size_t acknowledged_ = 0;  // of states_
  bool unclean_ = false;
};

// ---- controllers ----

class ControllerTrial final : public BadReadTrial {
 public:
  using BadReadTrial::BadReadTrial;

 private:
  absl::Status Open() override {
    absl::StatusOr<ControllerStorage> storage = OpenControllerStorage(disk_.options());
    if (storage.ok()) storage_ = std::make_unique<ControllerStorage>(*std::move(storage));
    return storage.status();
  }
  void Close() override { storage_.reset(); }

  bool Operate() override {
    const RaftWrite write = NextWrite(acknowledged_, rng_);
    under_way_ = acknowledged_;
    if (!under_way_.Write(write).ok()) return false;
    if (!storage_->store->Write(write).ok() || disk_.machine().fatal_called()) return false;
    acknowledged_ = MemoryRaftStore(under_way_);
    return true;
  }

  Violation Meanwhile() override {
    disk_.ReadBadly();
    refused_ = !Open().ok();
    if (refused_) {
      ++counts_.refused;
      return "";
    }
    ++counts_.opened;
    if (!storage_->store->Load().ok()) {
      ++counts_.reads_failed;
      return "";
    }
    const std::string difference = Difference(*storage_->store, acknowledged_);
    // Each load may fail; what is loaded is right.
    if (!difference.empty() && !absl::StartsWith(difference, "cannot be loaded")) {
      return absl::StrCat("loads what is not there (C15): ", difference);
    }
    return OperateMeanwhile();
  }

  Violation Afterwards() override {
    const absl::Status opened = Open();
    if (!opened.ok()) {
      // RocksDB may have cut the WAL where it could not read it: noticed then, and ever after.
      const bool may_be = refused_ && CodeOf(opened) == ErrorCode::kUnprovenDirectory;
      return may_be ? "" : absl::StrCat("does not open any more: ", opened.ToString());
    }
    if (Difference(*storage_->store, under_way_).empty()) return "";
    return Difference(*storage_->store, acknowledged_);
  }

  std::unique_ptr<ControllerStorage> storage_;
  MemoryRaftStore acknowledged_;
  MemoryRaftStore under_way_;
};

}  // namespace

Violation BadReadsOfBroker(uint64_t seed, Fault fault, bool journal, BadReadCounts& counts) {
  ++counts.trials;
  return BrokerTrial(seed, fault, journal, counts).Run(NodeRole::kBroker);
}

Violation BadReadsOfController(uint64_t seed, Fault fault, BadReadCounts& counts) {
  ++counts.trials;
  return ControllerTrial(seed, fault, /*journal=*/false, counts).Run(NodeRole::kController);
}

}  // namespace quipu::disk_faults
