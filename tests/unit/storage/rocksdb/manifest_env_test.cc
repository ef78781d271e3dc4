// Goal: a MANIFEST with a torn end is read up to its last sound record, and nothing that the proof
// of D4 relies on gets weaker by it. Method: a MANIFEST of a real database, damaged at its end and
// in its middle.
#include "storage/rocksdb/env/manifest_env.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "rocksdb/file_system.h"
#include "storage/file_watermark.h"
#include "storage/rocksdb/proven_db.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

namespace fs = std::filesystem;

class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    EXPECT_TRUE(FileWatermark::Create(folder_.path() + "/watermark").ok());
    EXPECT_TRUE(Open().ok());
  }
  absl::Status Open() {
    db_.reset();
    watermark_ = *FileWatermark::Open(folder_.path() + "/watermark");
    const auto cache = BlockCache();
    auto db = ProvenDb::Open(
        {.path = folder_.path() + "/db",
         .families = {{"default", SmallFamilyOptions(cache)}, {"other", SmallFamilyOptions(cache)}},
         .identity = "me",
         .fatal = [](const std::string& reason) { ADD_FAILURE() << reason; }},
        *watermark_);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
    return absl::OkStatus();
  }
  void Put(const std::string& key) {
    rocksdb::WriteBatch batch;
    ASSERT_TRUE(batch.Put(db_->family(1), key, "value").ok());
    ASSERT_TRUE(db_->Write(batch).ok());
  }
  [[nodiscard]] bool Has(const std::string& key) const {
    const auto found = db_->Get(db_->family(1), key);
    return found.ok() && found->has_value();
  }
  [[nodiscard]] std::string ManifestPath() const {
    for (const auto& entry : fs::directory_iterator(folder_.path() + "/db")) {
      const std::string path = entry.path().string();
      if (path.find("MANIFEST-") != std::string::npos) return path;
    }
    return "";
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static void Write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  }

  conformance::TemporaryFolder folder_;
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<ProvenDb> db_;
};

TEST_F(ManifestTest, WholeFileIsSound) {
  const std::string content = Read(ManifestPath());
  ASSERT_GT(content.size(), 100U);
  EXPECT_EQ(SoundManifestBytes(content), content.size());
  // Cut anywhere: never more than is there, and never less than at an earlier cut.
  size_t last = 0;
  for (size_t length = 0; length <= content.size(); ++length) {
    const size_t sound = SoundManifestBytes(absl::string_view(content).substr(0, length));
    ASSERT_LE(sound, length);
    ASSERT_GE(sound, last);
    last = sound;
  }
}

TEST_F(ManifestTest, EveryFlippedBitEndsTheSoundPartBeforeIt) {
  const std::string content = Read(ManifestPath());
  for (size_t i = 0; i < content.size(); ++i) {
    std::string damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x04);
    ASSERT_LE(SoundManifestBytes(damaged), i);
  }
}

TEST_F(ManifestTest, TheOpeningGoesByTheManifestOfTheProof) {
  db_.reset();
  const std::string content = Read(ManifestPath());
  const auto read_by = [this](rocksdb::Env& env) {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    rocksdb::FileSystem& files = *env.GetFileSystem();
    EXPECT_TRUE(files.NewSequentialFile(ManifestPath(), {}, &file, nullptr).ok());
    std::string scratch(1 << 16, '\0');
    rocksdb::Slice bytes;
    EXPECT_TRUE(file->Read(scratch.size(), {}, &bytes, scratch.data(), nullptr).ok());
    return bytes.ToString();
  };
  ManifestEnv env(*rocksdb::Env::Default());
  EXPECT_EQ(read_by(env), content);
  Write(ManifestPath(), content.substr(0, content.size() - 1));
  EXPECT_EQ(read_by(env), content);
  env.ForgetManifests();
  EXPECT_LT(read_by(env).size(), content.size());
}

TEST_F(ManifestTest, RecordOverSeveralBlocksIsSoundAsAWhole) {
  // RocksDB's own writer, with a column family of a name longer than a block.
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const std::string name(70000, 'n');
  ASSERT_TRUE(db_->db().CreateColumnFamily({}, name, &handle).ok());
  ASSERT_TRUE(db_->db().DestroyColumnFamilyHandle(handle).ok());
  const std::string content = Read(ManifestPath());
  ASSERT_GT(content.size(), 70000U);
  EXPECT_EQ(SoundManifestBytes(content), content.size());
  EXPECT_LT(SoundManifestBytes(absl::string_view(content).substr(0, content.size() - 2000)), 3000U);
}

TEST_F(ManifestTest, TornEndIsNoReasonToRefuse) {
  Put("a");
  db_.reset();
  const std::string path = ManifestPath();
  const std::string content = Read(path);
  // A record whose first sector is missing: a header of zeros would be the end of the file to
  // RocksDB, one with a length and a wrong checksum is damage.
  Write(path, content + std::string("\x11\x22\x33\x44\x40\x00\x01", 7) + std::string(80, '\0'));
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(Has("a"));
  Put("b");
  ASSERT_TRUE(Open().ok());
  EXPECT_TRUE(Has("b"));
}

TEST_F(ManifestTest, DamagedRecordThatWasActedOnIsUnproven) {
  Put("a");
  for (const size_t family : {size_t{0}, size_t{1}}) {
    ASSERT_TRUE(db_->db().Flush(rocksdb::FlushOptions(), db_->family(family)).ok());
  }
  Put("b");  // the WAL with "a" is gone
  const std::string path = ManifestPath();
  db_.reset();
  std::string content = Read(path);
  // Everything behind the first half: the tables are not known any more.
  content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 0x04);
  Write(path, content);
  EXPECT_EQ(CodeOf(Open()), ErrorCode::kUnprovenDirectory);
}

// RocksDB would open, make the missing family anew, and step over the groups in it.
TEST_F(ManifestTest, LostFamilyBelowLivingGroupsIsUnproven) {
  Put("a");
  const std::string path = ManifestPath();
  db_.reset();
  std::string content = Read(path);
  const size_t name = content.find("other");
  ASSERT_NE(name, std::string::npos);
  content[name] = 'x';
  Write(path, content);
  EXPECT_EQ(CodeOf(Open()), ErrorCode::kUnprovenDirectory);
}

}  // namespace
}  // namespace quipu
