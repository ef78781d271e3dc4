#include "tests/disk_faults/machine.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu::disk_faults {
namespace {

using faultfs::Call;
using faultfs::CallKind;
using faultfs::Fault;

// Passes everything on, but with kWatermarkBeforeSync a group too early.
class ShownWatermark final : public WatermarkFile {
 public:
  ShownWatermark(FileWatermark& file, bool early) : file_(file), early_(early) {}
  absl::Status StoreBrokerEpoch(BrokerEpoch epoch) override {
    return file_.StoreBrokerEpoch(epoch);
  }
  [[nodiscard]] BrokerEpoch broker_epoch() const override { return file_.broker_epoch(); }
  absl::Status StoreLastGroup(uint64_t group) override {
    return file_.StoreLastGroup(early_ ? group + 1 : group);
  }
  [[nodiscard]] uint64_t last_group() const override { return file_.last_group(); }
  [[nodiscard]] bool unclean() const override { return file_.unclean(); }

 private:
  FileWatermark& file_;
  const bool early_;
};

DirectoryIdentity IdentityOf(NodeRole role) {
  DirectoryIdentity identity{.cluster_id = ClusterId(1, 2),
                             .role = role,
                             .node_id = 1,
                             .directory_id = DirectoryId(3, 4),
                             .voters = {}};
  if (role == NodeRole::kController) {
    identity.voters = {{.id = ControllerId(1),
                        .endpoint = {.host = "127.0.0.1", .port = 9000},
                        .directory_id = DirectoryId(3, 4)}};
  }
  return identity;
}

}  // namespace

bool IsLogFile(const std::string& path) {
  return absl::EndsWith(path, ".log") || absl::EndsWith(path, ".seg");
}

void Machine::Arm(uint64_t calls) {
  const uint64_t last = calls == 0 ? 0 : disk_.calls() + calls;
  disk_.SetHook([this, last](const Call& call) {
    if (last != 0 && call.kind != CallKind::kRead && call.number >= last) return Fault::kPowerLoss;
    if (planted_ == Planted::kWalNotSynced && call.kind == CallKind::kSync &&
        IsLogFile(call.path)) {
      return Fault::kLie;
    }
    if (planted_ == Planted::kFolderNotSynced && call.kind == CallKind::kSyncFolder &&
        (call.path == "/" || call.path == path())) {
      return Fault::kLie;
    }
    return Fault::kNone;
  });
}

FatalHandler Machine::fatal() {
  return [this](const std::string& /*reason*/) {
    const std::lock_guard<std::mutex> lock(mutex_);
    fatal_called_ = true;
  };
}

bool Machine::fatal_called() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return fatal_called_;
}

void Machine::Restart(uint64_t seed) {
  if (disk_.has_power()) {
    disk_.RestartProcess();
  } else {
    disk_.PowerOn(seed);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  fatal_called_ = false;
}

absl::Status Machine::Open(NodeRole role, bool& acknowledged) {
  const ExpectedIdentity expected{.role = role};
  auto opened = DataDirectory::Open(path(), expected, files_);
  if (!opened.ok() && CodeOf(opened.status()) == ErrorCode::kResourceNotFound && !acknowledged) {
    QUIPU_RETURN_IF_ERROR(FormatDirectory(path(), IdentityOf(role), files_));
    acknowledged = disk_.has_power();
    opened = DataDirectory::Open(path(), expected, files_);
  }
  QUIPU_RETURN_IF_ERROR(opened.status());
  directory_ = *std::move(opened);
  acknowledged = acknowledged || disk_.has_power();
  QUIPU_ASSIGN_OR_RETURN(watermark_, FileWatermark::Open(directory_->watermark_path(), files_));
  shown_watermark_ =
      std::make_unique<ShownWatermark>(*watermark_, planted_ == Planted::kWatermarkBeforeSync);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RocksdbLogStore>> Machine::OpenLog(bool& acknowledged) {
  QUIPU_RETURN_IF_ERROR(Open(NodeRole::kBroker, acknowledged));
  RocksdbLogStore::Options options{.path = path() + "/log",
                                   .identity = "test",
                                   .fatal = fatal(),
                                   .trimmer = {.reclaim_bytes_min = 1, .garbage_ratio = 0.2},
                                   .env = env_.get()};
  if (journal_) {
    options.journal = JournalLog::Options{.journal = {.folder = path() + "/journal",
                                                      .directory_id = DirectoryId(3, 4),
                                                      .fatal = fatal(),
                                                      .files = &files_,
                                                      .segment_bytes = kTestSegmentBytes,
                                                      .spares_max = 2,
                                                      .spares_ahead = 1},
                                          .tail_bytes = 4096};
    options.cleaner = {.flush_bytes = 3 * kTestSegmentBytes, .dead_percent = 25, .newest_kept = 1};
  }
  return RocksdbLogStore::Open(std::move(options), *shown_watermark_);
}

void Machine::Close() {
  shown_watermark_.reset();
  watermark_.reset();
  directory_.reset();
}

}  // namespace quipu::disk_faults
