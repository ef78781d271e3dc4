#include "storage/rocksdb/log_proof.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// Inside this file: what was found; ProveDatabase makes a proof of it. Statuses with a code of ours
// are trouble with the machine.
absl::Status Unproven(absl::string_view what) { return absl::DataLossError(what); }
bool IsUnproven(const absl::Status& status) {
  return absl::IsDataLoss(status) && CodeOf(status) == ErrorCode::kUnknownServerError;
}

// Damage and missing files are a matter of proof; anything else is trouble with the machine.
absl::Status OpenError(const std::string& path, const rocksdb::Status& status) {
  if (status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound() ||
      status.IsInvalidArgument()) {
    return Unproven(status.ToString());
  }
  return FromRocksdb(status, absl::StrCat("cannot read the database ", path));
}

// The group record that a family's tables hold; group 0 when there is none.
absl::StatusOr<GroupRecord> FlushedGroup(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                         const std::string& path) {
  std::string value;
  const auto key = EncodeSingleKey(KeyPrefix::kGroup);
  const rocksdb::Status status = db.Get(CheckedRead(), family, ToSlice(key.view()), &value);
  if (status.IsNotFound()) return GroupRecord{};
  if (!status.ok()) return OpenError(path, status);
  const std::optional<GroupRecord> record = DecodeGroupRecord(value);
  if (!record.has_value()) return Unproven("a group record is damaged");
  return *record;
}

// Tables [.. lowest] .. highest] and the WAL [first .. last] must join without a gap:
//   every group above `lowest` is missing in some family's tables, so the WAL must hold it.
absl::Status CheckJoin(const std::vector<GroupRecord>& flushed, const GroupRun& wal) {
  const auto by_number = [](const GroupRecord& a, const GroupRecord& b) {
    return a.number < b.number;
  };
  const auto [lowest, highest] = std::minmax_element(flushed.begin(), flushed.end(), by_number);
  if (!wal.seen_any()) {
    if (lowest->number == highest->number) return absl::OkStatus();
    return Unproven(absl::StrCat("groups ", lowest->number + 1, " to ", highest->number,
                                 " are missing in the WAL"));
  }
  if (wal.first().number > lowest->number + 1) {
    return Unproven(absl::StrCat("groups ", lowest->number + 1, " to ", wal.first().number - 1,
                                 " are missing in the WAL"));
  }
  if (wal.last().number < highest->number) {
    return Unproven(absl::StrCat("groups ", wal.last().number + 1, " to ", highest->number,
                                 " are missing in the WAL"));
  }
  for (const GroupRecord& record : flushed) {
    const uint64_t number = record.number;
    const bool matches =
        number + 1 < wal.first().number ||
        (number + 1 == wal.first().number ? record.chain == wal.first().previous_chain
                                          : record.chain == wal.ChainOf(number));
    if (!matches) {
      return Unproven(absl::StrCat("group ", number, " differs between tables and WAL"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void GroupRun::Add(const GroupRecord& record) {
  QUIPU_CHECK(!seen_any() || record.number == last_.number + 1);
  if (!seen_any()) first_ = record;
  last_ = record;
  chains_.push_back(record.chain);
}

rocksdb::WalFilter::WalProcessingOption ChainWalFilter::LogRecordFound(
    unsigned long long /*log_number*/, const std::string& file_name,
    const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* /*new_batch*/, bool* /*batch_changed*/) {
  if (!broken_.empty()) return WalProcessingOption::kIgnoreCurrentRecord;
  // After it has cut a torn tail off, RocksDB begins the next WAL with an empty batch of its own,
  // so that a later replay knows that the two belong together (DBImpl::Open).
  if (batch.Count() == 0) return WalProcessingOption::kIgnoreCurrentRecord;
  const std::optional<GroupRecord> group = ReadSealedGroup(batch.Data(), family_count_);
  const uint64_t last = run_.last().number;
  if (!group.has_value()) {
    broken_ =
        absl::StrCat("a record of ", file_name, " after group ", last, " is damaged or not ours");
  } else if (run_.seen_any() && group->number != last + 1) {
    broken_ = absl::StrCat("group ", group->number, " follows group ", last, " in ", file_name);
  } else if (run_.seen_any() && group->previous_chain != run_.last().chain) {
    broken_ =
        absl::StrCat("group ", group->number, " does not continue the one before in ", file_name);
  } else {
    run_.Add(*group);
  }
  return WalProcessingOption::kIgnoreCurrentRecord;
}

absl::Status UnprovenError(const std::string& path, const std::string& what) {
  return ToStatus(
      ErrorCode::kUnprovenDirectory,
      absl::StrCat("the log in ", path, " cannot be shown to be complete: ", what,
                   ". Its files were left as they are. Keep them for examination, format a new "
                   "directory with a new directory id (quipu storage format), and let the node "
                   "take its data from its peers"));
}

namespace {

// What the tables and the WAL hold, in one read-only opening.
struct FoundGroups {
  std::vector<GroupRecord> flushed;  // of each family
  ChainWalFilter wal;
  std::string missing;  // a family that is not there
};

absl::Status ReadGroups(const std::string& path, const std::vector<std::string>& families,
                        rocksdb::Env& env, FoundGroups& found) {
  rocksdb::DBOptions options = DatabaseOptions();
  options.env = &env;
  options.create_if_missing = false;
  options.create_missing_column_families = false;
  options.max_open_files = 64;  // only group records are read
  options.wal_filter = &found.wal;

  std::vector<std::string> existing;
  rocksdb::Status status = rocksdb::DB::ListColumnFamilies(options, path, &existing);
  if (!status.ok()) return OpenError(path, status);
  const std::shared_ptr<rocksdb::Cache> cache = BlockCache();
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : families) {
    if (std::find(existing.begin(), existing.end(), name) != existing.end()) {
      descriptors.emplace_back(name, SmallFamilyOptions(cache));
    } else {
      found.flushed.emplace_back();  // its creation was cut short: it holds nothing
      found.missing = name;
    }
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  status = rocksdb::DB::OpenForReadOnly(options, path, descriptors, &handles, &raw);
  if (!status.ok()) return OpenError(path, status);
  const std::unique_ptr<rocksdb::DB> db(raw);
  absl::Status result;
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    absl::StatusOr<GroupRecord> record = FlushedGroup(*db, handle, path);
    if (record.ok()) found.flushed.push_back(*record);
    result.Update(record.status());
  }
  for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return result;
}

DatabaseProof NoPrefix(absl::string_view why) {
  return {.last = {}, .unproven = std::string(why), .is_prefix = false};
}

}  // namespace

absl::StatusOr<DatabaseProof> ProveDatabase(const std::string& path,
                                            const std::vector<std::string>& families,
                                            uint64_t watermark, rocksdb::Env& env,
                                            const WalkGroups& walk) {
  const rocksdb::Status current = env.FileExists(path + "/CURRENT");
  if (!current.ok() && !current.IsNotFound()) {
    return FromRocksdb(current, absl::StrCat("cannot read the database ", path));
  }
  if (current.IsNotFound()) {
    if (watermark == 0) return DatabaseProof{};
    return NoPrefix(
        absl::StrCat("there is no database, but group ", watermark, " was synced to it"));
  }
  FoundGroups found{.flushed = {}, .wal = ChainWalFilter(families.size()), .missing = {}};
  absl::Status joined = ReadGroups(path, families, env, found);
  GroupRun run = found.wal.run();
  std::string broken = found.wal.broken();
  if (joined.ok() && walk != nullptr) {
    if (run.seen_any() || !broken.empty()) {
      return NoPrefix("RocksDB's own log holds groups, where the journal is the log");
    }
    const GroupRecord& lowest = *std::min_element(
        found.flushed.begin(), found.flushed.end(),
        [](const GroupRecord& a, const GroupRecord& b) { return a.number < b.number; });
    absl::StatusOr<std::string> walked = walk(lowest, run);
    joined = walked.status();
    if (walked.ok()) broken = *std::move(walked);
  }
  if (joined.ok()) joined = CheckJoin(found.flushed, run);
  // All families are there before the first group is written. RocksDB would step over what the WAL
  // holds of one that is not (WriteBatchInternal::InsertInto at recovery).
  if (joined.ok() && !found.missing.empty() && run.seen_any()) {
    joined = Unproven(absl::StrCat("it holds groups, but not the family ", found.missing));
  }
  if (IsUnproven(joined)) return NoPrefix(joined.message());
  QUIPU_RETURN_IF_ERROR(joined);
  DatabaseProof proof;
  proof.last = run.seen_any() ? run.last() : found.flushed.front();
  if (!broken.empty()) {
    proof.unproven = broken;
  } else if (proof.last.number < watermark) {
    proof.unproven = absl::StrCat("it ends at group ", proof.last.number, ", but group ", watermark,
                                  " was synced");
  }
  return proof;
}

}  // namespace quipu
