// Goal: damage anywhere in the files of a closed database is detected, never served: the directory
// is refused, or each read is right or reports damage; and a batch whose damage was reported is
// repaired from an undamaged twin (D5, I62).
// Method: one database is made and closed; for each seed a copy of it gets one piece of damage at a
// place drawn from the seed, is opened, read batch by batch, compared with the twin and repaired.
//
//   QUIPU_PLACEMENTS=10000 QUIPU_PLACEMENT_SEED=1 TMPDIR=/dev/shm storage_faults_test
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "base/rng.h"
#include "gmock/gmock.h"
#include "storage/log_recovery.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu::conformance {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPlacements = 200;
constexpr int kLogs = 3;
constexpr size_t kBlock = 4096;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << bytes;
}

// A store in a folder, whose end by itself is noted and not a failure of the test.
class Database {
 public:
  explicit Database(const std::string& folder) {
    auto watermark = FileWatermark::Open(folder + "/watermark");
    if (!watermark.ok()) {
      status_ = watermark.status();
      return;
    }
    watermark_ = *std::move(watermark);
    auto store = RocksdbLogStore::Open({.path = folder + "/log",
                                        .identity = "test",
                                        .fatal = [](const std::string&) {},
                                        .trimmer = {}},
                                       *watermark_);
    status_ = store.status();
    if (store.ok()) store_ = *std::move(store);
  }
  [[nodiscard]] const absl::Status& status() const { return status_; }
  RocksdbLogStore& store() { return *store_; }

 private:
  absl::Status status_;
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<RocksdbLogStore> store_;
};

using Batches = std::map<Offset, StoredBatch>;  // by last offset

struct Counts {
  uint64_t refused = 0;     // the directory was not opened
  uint64_t harmless = 0;    // every read was right
  uint64_t detected = 0;    // some read reported damage
  uint64_t batches = 0;     // reads that reported damage
  uint64_t repaired = 0;    // of these, right after the repair
  uint64_t unrepaired = 0;  // of these, still reported: damage of the keys' tables
};

class CorruptionPlacementsTest : public ::testing::Test {
 protected:
  CorruptionPlacementsTest() {
    EXPECT_TRUE(FileWatermark::Create(twin() + "/watermark").ok());
    Database database(twin());
    EXPECT_TRUE(database.status().ok()) << database.status();
    Fill(database.store());
  }
  [[nodiscard]] std::string twin() const { return twin_.path(); }

  // Three parts lie in tables and blob files, the last one in the WAL alone.
  void Fill(RocksdbLogStore& store) {
    Rng rng(1);
    for (int i = 0; i < kLogs; ++i) {
      logs_.push_back(*store.CreateLog(PartitionUid(static_cast<uint64_t>(i) + 1)));
    }
    std::vector<Offset> ends(kLogs, Offset(0));
    for (int part = 0; part < 4; ++part) {
      for (int i = 0; i < 40; ++i) Append(store, rng, ends);
      if (part < 3) {
        EXPECT_TRUE(store.Flush().ok());
      }
    }
  }

  void Append(RocksdbLogStore& store, Rng& rng, std::vector<Offset>& ends) {
    const size_t at = rng.Below(kLogs);
    const auto records = static_cast<int32_t>(rng.Between(1, 4));
    const StoredBatch batch =
        MakeBatch({.base = ends[at],
                   .records = records,
                   .timestamp = TimestampMs(1000 + ends[at].value()),
                   .value_bytes = static_cast<size_t>(rng.Chance(1, 4) ? rng.Between(2000, 9000)
                                                                       : rng.Between(10, 600)),
                   .producer = ProducerId(static_cast<int64_t>(at)),
                   .sequence = Sequence(static_cast<int32_t>(ends[at].value()))});
    ends[at] = batch.last_offset + 1;
    LogMutation mutation;
    mutation.appends = {batch};
    mutation.epochs = {{.epoch = LeaderEpoch(1), .start_offset = Offset(0)}};
    mutation.state = PartitionState{.leader_epoch = LeaderEpoch(1), .high_watermark = ends[at]};
    if (rng.Chance(1, 15))
      mutation.producers = ProducerSnapshot{.as_of = ends[at], .producers = {}};
    EXPECT_TRUE(store.Write({{logs_[at], mutation}}).ok());
    truth_[logs_[at]][batch.last_offset] = batch;
  }

  // What was done to which file.
  std::string Damage(const std::string& folder, Rng& rng) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const bool diary = entry.path().filename().string().starts_with("LOG");
      if (entry.is_regular_file() && entry.file_size() > 0 && !diary) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<fs::path> blobs;
    for (const fs::path& file : files) {
      if (file.extension() == ".blob") blobs.push_back(file);
    }
    // Half of the damage hits payload, as it would on a disk.
    const fs::path& file =
        rng.Chance(1, 2) ? blobs[rng.Below(blobs.size())] : files[rng.Below(files.size())];
    std::string bytes = ReadFile(file);
    std::string what;
    const size_t at = rng.Below(bytes.size());
    switch (rng.Below(file.extension() == ".blob" ? 4 : 3)) {
      case 0:
        what = "bit flip";
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
        break;
      case 1:
        what = "zeroed block";
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at / kBlock * kBlock),
                  bytes.begin() + static_cast<std::ptrdiff_t>(
                                      std::min(bytes.size(), (at / kBlock + 1) * kBlock)),
                  '\0');
        break;
      case 2: {
        what = "misdirected block";
        const std::string other = ReadFile(files[rng.Below(files.size())]);
        const size_t from = rng.Below(other.size()) / kBlock * kBlock;
        const size_t to = at / kBlock * kBlock;
        const size_t size = std::min({kBlock, other.size() - from, bytes.size() - to});
        bytes.replace(to, size, other, from, size);
        break;
      }
      default:
        what = "truncated";
        bytes.resize(at);
        break;
    }
    WriteFile(file, bytes);
    return what + " of " + file.filename().string() + " at " + std::to_string(at);
  }

  // Reads the batch that ends at `last`; nullopt when damage was reported. Anything else than the
  // right bytes fails the test.
  static bool ReadsRight(RocksdbLogStore& store, LogId log, const StoredBatch& right) {
    const auto read = store.Read(log, right.base_offset, right.last_offset + 1, 1);
    if (!read.ok()) {
      const ErrorCode code = CodeOf(read.status());
      EXPECT_TRUE(code == ErrorCode::kCorruptMessage || code == ErrorCode::kStorageError)
          << read.status();
      return false;
    }
    EXPECT_EQ(read->size(), 1U) << "offset " << right.base_offset << " is missing";
    if (read->size() != 1) return false;
    EXPECT_EQ((*read)[0].bytes, right.bytes) << "offset " << right.base_offset;
    return true;
  }

  void Examine(const std::string& folder, Counts& counts) {
    Database database(folder);
    if (!database.status().ok()) {
      ++counts.refused;
      return;
    }
    RocksdbLogStore& store = database.store();
    uint64_t damaged = 0;
    for (const auto& [log, batches] : truth_) {
      const auto recovered = store.Recover(log);
      if (recovered.ok()) {
        EXPECT_EQ(recovered->log_end_offset, batches.rbegin()->first + 1);
      }
      for (const auto& [last, right] : batches) {
        if (ReadsRight(store, log, right)) continue;
        ++damaged;
        // The repair names the place that the read named, where it named one.
        LogMutation mutation;
        mutation.repairs = {right};
        const absl::Status written = store.Write({{log, mutation}});
        (written.ok() && ReadsRight(store, log, right) ? counts.repaired : counts.unrepaired) += 1;
      }
    }
    ++(damaged > 0 ? counts.detected : counts.harmless);
    counts.batches += damaged;
  }

  TemporaryFolder twin_;
  std::vector<LogId> logs_;
  std::map<LogId, Batches> truth_;
};

TEST_F(CorruptionPlacementsTest, DamageIsDetectedNeverServedAndRepaired) {
  const uint64_t count = FromEnvironment("QUIPU_PLACEMENTS", kPlacements);
  const uint64_t first = FromEnvironment("QUIPU_PLACEMENT_SEED", 1);
  Counts counts;
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    const TemporaryFolder copy;
    fs::copy(twin(), copy.path(), fs::copy_options::recursive);
    Rng rng(seed);
    const std::string what = Damage(copy.path(), rng);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + what);
    Examine(copy.path(), counts);
  }
  std::cout << "placements " << count << " from seed " << first << ": refused " << counts.refused
            << ", harmless " << counts.harmless << ", detected by reads " << counts.detected
            << "; batches damaged " << counts.batches << ", repaired " << counts.repaired
            << ", refused for good " << counts.unrepaired << "\n";
  // Each outcome is there to be seen.
  EXPECT_GT(counts.refused, 0U);
  EXPECT_GT(counts.detected, 0U);
  EXPECT_GT(counts.repaired, 0U);
}

}  // namespace
}  // namespace quipu::conformance
