// A database that is open for reading, with changes laid over it that are in none of its files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/db.h"
#include "rocksdb/utilities/stackable_db.h"
#include "rocksdb/utilities/write_batch_with_index.h"

namespace quipu {

// Get and NewIterator of one family show the database as it would be with the changes applied;
// nothing else of it does. One thread; no change while an iterator lives.
class OverlaidDb final : public rocksdb::StackableDB {
 public:
  // Takes the database; the families stay the caller's, as do their handles.
  OverlaidDb(rocksdb::DB* db, std::vector<rocksdb::ColumnFamilyHandle*> families);

  // Lays the puts and deletions of a WriteBatch over what is there. kStorageError: it has others.
  absl::Status Add(absl::string_view batch);

  using rocksdb::StackableDB::Get;
  rocksdb::Status Get(const rocksdb::ReadOptions& options, rocksdb::ColumnFamilyHandle* family,
                      const rocksdb::Slice& key, rocksdb::PinnableSlice* value) override;
  using rocksdb::StackableDB::NewIterator;
  rocksdb::Iterator* NewIterator(const rocksdb::ReadOptions& options,
                                 rocksdb::ColumnFamilyHandle* family) override;

 private:
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  rocksdb::WriteBatchWithIndex changes_;
};

}  // namespace quipu
