#include "storage/rocksdb/rocksdb_status.h"

#include "absl/strings/str_cat.h"
#include "base/error_code.h"

namespace quipu {

absl::Status FromRocksdb(const rocksdb::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  const ErrorCode code =
      status.IsCorruption() ? ErrorCode::kCorruptMessage : ErrorCode::kStorageError;
  return ToStatus(code, absl::StrCat(what, ": ", status.ToString()));
}

}  // namespace quipu
