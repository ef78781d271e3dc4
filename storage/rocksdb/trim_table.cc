#include "storage/rocksdb/trim_table.h"

#include <algorithm>
#include <string>
#include <utility>

#include "storage/key_encoding.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// One table file's filter. No exception may leave it, so it does nothing that could throw.
class TrimFilter final : public rocksdb::CompactionFilter {
 public:
  TrimFilter(std::shared_ptr<const TrimView> view, TrimFamily family)
      : view_(std::move(view)), family_(family) {}
  const char* Name() const override { return "quipu.TrimFilter"; }

  Decision FilterV2(int /*level*/, const rocksdb::Slice& key, ValueType /*value_type*/,
                    const rocksdb::Slice& /*existing_value*/, std::string* /*new_value*/,
                    std::string* /*skip_until*/) const override {
    return Judge(key);
  }
  Decision FilterBlobByKey(int /*level*/, const rocksdb::Slice& key, std::string* /*new_value*/,
                           std::string* /*skip_until*/) const override {
    return Judge(key);
  }

 private:
  [[nodiscard]] Decision Judge(const rocksdb::Slice& key) const {
    switch (family_) {
      case TrimFamily::kLog: {
        const auto decoded = DecodeLogKey(ToView(key));
        if (!decoded.has_value()) return Decision::kKeep;
        return Of(decoded->log_id, decoded->last_offset);
      }
      case TrimFamily::kTimeIndex: {
        const auto decoded = DecodeTimeIndexKey(ToView(key));
        if (!decoded.has_value()) return Decision::kKeep;
        return Of(decoded->log_id, decoded->last_offset);
      }
    }
    return Decision::kKeep;
  }
  [[nodiscard]] Decision Of(LogId log_id, Offset last_offset) const {
    return view_->IsDead(log_id, last_offset) ? Decision::kRemove : Decision::kKeep;
  }

  const std::shared_ptr<const TrimView> view_;
  const TrimFamily family_;
};

class TrimFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  TrimFilterFactory(std::shared_ptr<const TrimTable> table, TrimFamily family)
      : table_(std::move(table)), family_(family) {}
  const char* Name() const override { return "quipu.TrimFilterFactory"; }
  // At flush too: what is dead already need not reach a blob file.
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kCompaction ||
           reason == rocksdb::TableFileCreationReason::kFlush;
  }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& /*context*/) override {
    return std::make_unique<TrimFilter>(table_->Snapshot(), family_);
  }

 private:
  const std::shared_ptr<const TrimTable> table_;
  const TrimFamily family_;
};

}  // namespace

bool TrimView::IsDead(LogId log_id, Offset last_offset) const {
  if (log_id >= next_log_id) return false;
  const auto found = log_starts.find(log_id);
  return found == log_starts.end() || last_offset < found->second;
}

void TrimTable::Publish(TrimView view) {
  const std::lock_guard<std::mutex> lock(mutex_);
  view_ = std::move(view);
  shared_.reset();
}

void TrimTable::AddLog(LogId log_id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  view_.log_starts.emplace(log_id, Offset{0});
  view_.next_log_id = std::max(view_.next_log_id, log_id + 1);
  shared_.reset();
}

void TrimTable::RemoveLog(LogId log_id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  view_.log_starts.erase(log_id);
  shared_.reset();
}

void TrimTable::RaiseLogStart(LogId log_id, Offset log_start) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = view_.log_starts.find(log_id);
  if (found == view_.log_starts.end() || log_start <= found->second) return;
  found->second = log_start;
  shared_.reset();
}

std::shared_ptr<const TrimView> TrimTable::Snapshot() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (shared_ == nullptr) shared_ = std::make_shared<const TrimView>(view_);
  return shared_;
}

std::shared_ptr<rocksdb::CompactionFilterFactory> MakeTrimFilter(
    std::shared_ptr<const TrimTable> table, TrimFamily family) {
  return std::make_shared<TrimFilterFactory>(std::move(table), family);
}

}  // namespace quipu
