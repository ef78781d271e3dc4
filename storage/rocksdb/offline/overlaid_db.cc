#include "storage/rocksdb/offline/overlaid_db.h"

#include <utility>

#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// Copies a batch's changes, by the number of the family, into an index.
class Overlayer final : public rocksdb::WriteBatch::Handler {
 public:
  Overlayer(const std::vector<rocksdb::ColumnFamilyHandle*>& families,
            rocksdb::WriteBatchWithIndex& changes)
      : families_(families), changes_(changes) {}
  rocksdb::Status PutCF(uint32_t id, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    rocksdb::ColumnFamilyHandle* const family = Find(id);
    return family != nullptr ? changes_.Put(family, key, value) : Unknown();
  }
  rocksdb::Status DeleteCF(uint32_t id, const rocksdb::Slice& key) override {
    rocksdb::ColumnFamilyHandle* const family = Find(id);
    return family != nullptr ? changes_.Delete(family, key) : Unknown();
  }

 private:
  [[nodiscard]] rocksdb::ColumnFamilyHandle* Find(uint32_t id) const {
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      if (family->GetID() == id) return family;
    }
    return nullptr;
  }
  static rocksdb::Status Unknown() {
    return rocksdb::Status::Corruption("a family that is not there");
  }

  const std::vector<rocksdb::ColumnFamilyHandle*>& families_;
  rocksdb::WriteBatchWithIndex& changes_;
};

// WriteBatchWithIndex's iterator minds no bound but the upper one, and that only on its way
// forward; this one minds both everywhere.
class BoundedIterator final : public rocksdb::Iterator {
 public:
  BoundedIterator(std::unique_ptr<rocksdb::Iterator> all, const rocksdb::ReadOptions& options)
      : all_(std::move(all)),
        from_(options.iterate_lower_bound),
        end_(options.iterate_upper_bound) {}

  [[nodiscard]] bool Valid() const override {
    return all_->Valid() && (from_ == nullptr || all_->key().compare(*from_) >= 0) &&
           (end_ == nullptr || all_->key().compare(*end_) < 0);
  }
  void SeekToFirst() override { from_ != nullptr ? all_->Seek(*from_) : all_->SeekToFirst(); }
  void SeekToLast() override {
    if (end_ == nullptr) return all_->SeekToLast();
    all_->SeekForPrev(*end_);
    if (all_->Valid() && all_->key() == *end_) all_->Prev();
  }
  void Seek(const rocksdb::Slice& target) override {
    all_->Seek(from_ != nullptr && target.compare(*from_) < 0 ? *from_ : target);
  }
  void SeekForPrev(const rocksdb::Slice& target) override {
    if (end_ != nullptr && target.compare(*end_) >= 0) return SeekToLast();
    all_->SeekForPrev(target);
  }
  void Next() override { all_->Next(); }
  void Prev() override { all_->Prev(); }
  [[nodiscard]] rocksdb::Slice key() const override { return all_->key(); }
  [[nodiscard]] rocksdb::Slice value() const override { return all_->value(); }
  [[nodiscard]] rocksdb::Status status() const override { return all_->status(); }

 private:
  const std::unique_ptr<rocksdb::Iterator> all_;
  const rocksdb::Slice* const from_;  // inclusive; null: none
  const rocksdb::Slice* const end_;   // exclusive; null: none
};

}  // namespace

OverlaidDb::OverlaidDb(rocksdb::DB* db, std::vector<rocksdb::ColumnFamilyHandle*> families)
    : StackableDB(db),
      families_(std::move(families)),
      changes_(rocksdb::BytewiseComparator(), 0, /*overwrite_key=*/true) {}

absl::Status OverlaidDb::Add(absl::string_view batch) {
  Overlayer overlayer(families_, changes_);
  return FromRocksdb(rocksdb::WriteBatch(std::string(batch)).Iterate(&overlayer),
                     "cannot lay a group over the database");
}

rocksdb::Status OverlaidDb::Get(const rocksdb::ReadOptions& options,
                                rocksdb::ColumnFamilyHandle* family, const rocksdb::Slice& key,
                                rocksdb::PinnableSlice* value) {
  return changes_.GetFromBatchAndDB(db_, options, family, key, value);
}

rocksdb::Iterator* OverlaidDb::NewIterator(const rocksdb::ReadOptions& options,
                                           rocksdb::ColumnFamilyHandle* family) {
  rocksdb::ReadOptions unbounded = options;
  unbounded.iterate_lower_bound = nullptr;
  unbounded.iterate_upper_bound = nullptr;
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): RocksDB's interface hands iterators over.
  return new BoundedIterator(std::unique_ptr<rocksdb::Iterator>(changes_.NewIteratorWithBase(
                                 family, db_->NewIterator(unbounded, family))),
                             options);
}

}  // namespace quipu
