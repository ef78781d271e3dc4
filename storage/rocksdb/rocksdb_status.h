// RocksDB's verdicts as ours.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/slice.h"
#include "rocksdb/status.h"

namespace quipu {

// kCorruptMessage for damage, kStorageError for everything else; `what` says what was tried.
absl::Status FromRocksdb(const rocksdb::Status& status, absl::string_view what);

// Keeps the first failure of several steps.
inline void KeepFirst(rocksdb::Status& kept, const rocksdb::Status& next) {
  if (kept.ok()) kept = next;
}

inline rocksdb::Slice ToSlice(absl::string_view view) { return {view.data(), view.size()}; }
inline absl::string_view ToView(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

}  // namespace quipu
