// Goal: a process never uses a directory that is not its own, and every refusal says what to do.
// Method: real folders under the temporary folder.
#include "storage/data_directory.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_watermark.h"
#include "storage/files.h"
#include "storage/posix/posix_file.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

using ::testing::HasSubstr;

DirectoryIdentity BrokerIdentity() {
  return {.cluster_id = ClusterId(1, 2),
          .role = NodeRole::kBroker,
          .node_id = 3,
          .directory_id = DirectoryId(4, 5),
          .voters = {}};
}

DirectoryIdentity ControllerIdentity() {
  DirectoryIdentity identity = BrokerIdentity();
  identity.role = NodeRole::kController;
  for (int32_t id = 1; id <= 3; ++id) {
    identity.voters.push_back(
        {.id = ControllerId(id),
         .endpoint = {.host = "127.0.0.1", .port = static_cast<uint16_t>(9000 + id)},
         .directory_id = DirectoryId(4, static_cast<uint64_t>(2 + id))});
  }
  return identity;
}

class DataDirectoryTest : public ::testing::Test {
 protected:
  absl::Status OpenError(const ExpectedIdentity& expected) {
    return DataDirectory::Open(path_, expected).status();
  }
  void WriteIdentity(const std::string& text) { std::ofstream(path_ + "/meta.properties") << text; }
  std::string ReadIdentity() {
    std::ifstream in(path_ + "/meta.properties");
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  conformance::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/data";
};

TEST(PosixFile, FolderIsThatOfTheLastName) {
  EXPECT_EQ(FolderOf("/a/b"), "/a");
  EXPECT_EQ(FolderOf("/a/b//"), "/a");
  EXPECT_EQ(FolderOf("/a"), "/");
  EXPECT_EQ(FolderOf("/"), "/");
  EXPECT_EQ(FolderOf("a/"), ".");
}

TEST_F(DataDirectoryTest, FormattedDirectoryOpensWithItsIdentity) {
  ASSERT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
  const auto directory = DataDirectory::Open(
      path_, {.role = NodeRole::kBroker, .node_id = 3, .cluster_id = ClusterId(1, 2)});
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ((*directory)->identity(), BrokerIdentity());
}

TEST_F(DataDirectoryTest, ControllerDirectoryKeepsTheVoters) {
  ASSERT_TRUE(FormatDirectory(path_, ControllerIdentity()).ok());
  const auto directory = DataDirectory::Open(path_, {.role = NodeRole::kController});
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ((*directory)->identity(), ControllerIdentity());
}

TEST_F(DataDirectoryTest, FormatMakesTheWatermarkFile) {
  ASSERT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
  const auto watermark = FileWatermark::Open(DataDirectory::WatermarkPath(path_));
  ASSERT_TRUE(watermark.ok());
  EXPECT_EQ((*watermark)->last_group(), 0U);
}

TEST_F(DataDirectoryTest, UnformattedDirectoryNamesTheCommand) {
  const absl::Status status = OpenError({.role = NodeRole::kBroker});
  EXPECT_EQ(CodeOf(status), ErrorCode::kResourceNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("quipu storage format"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
}

TEST_F(DataDirectoryTest, FormattingTwiceChangesNothing) {
  ASSERT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
  const std::string before = ReadIdentity();
  DirectoryIdentity other = BrokerIdentity();
  other.node_id = 9;
  EXPECT_EQ(CodeOf(FormatDirectory(path_, other)), ErrorCode::kDuplicateResource);
  EXPECT_EQ(ReadIdentity(), before);
}

TEST_F(DataDirectoryTest, FolderWithOtherFilesIsNotFormatted) {
  std::filesystem::create_directory(path_);
  std::ofstream(path_ + "/precious.txt") << "x";
  const absl::Status status = FormatDirectory(path_, BrokerIdentity());
  EXPECT_EQ(CodeOf(status), ErrorCode::kStorageError);
  EXPECT_THAT(std::string(status.message()), HasSubstr("precious.txt"));
}

TEST_F(DataDirectoryTest, FormatThatWasCutShortCanBeRepeated) {
  std::filesystem::create_directory(path_);
  std::ofstream(path_ + "/watermark.tmp") << "x";
  EXPECT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
}

TEST_F(DataDirectoryTest, ForeignDirectoriesAreRefused) {
  ASSERT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
  EXPECT_EQ(CodeOf(OpenError({.role = NodeRole::kBroker, .cluster_id = ClusterId(9, 9)})),
            ErrorCode::kInconsistentClusterId);
  EXPECT_EQ(CodeOf(OpenError({.role = NodeRole::kBroker, .node_id = 8})),
            ErrorCode::kInvalidConfig);
  EXPECT_EQ(CodeOf(OpenError({.role = NodeRole::kController})), ErrorCode::kInvalidConfig);
  EXPECT_EQ(CodeOf(OpenError({.role = NodeRole::kBroker, .directory_id = DirectoryId(9, 9)})),
            ErrorCode::kInvalidConfig);
}

TEST_F(DataDirectoryTest, LockedDirectoryIsRefusedUntilTheLockIsGone) {
  ASSERT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
  auto first = DataDirectory::Open(path_, {.role = NodeRole::kBroker});
  ASSERT_TRUE(first.ok());
  const absl::Status status = OpenError({.role = NodeRole::kBroker});
  EXPECT_EQ(CodeOf(status), ErrorCode::kStorageError);
  EXPECT_THAT(std::string(status.message()), HasSubstr("in use by another process"));
  first->reset();
  EXPECT_TRUE(OpenError({.role = NodeRole::kBroker}).ok());
}

TEST_F(DataDirectoryTest, NewerFormatIsRefused) {
  std::filesystem::create_directory(path_);
  WriteIdentity("format.version=3\nanything=else\n");
  const absl::Status status = OpenError({.role = NodeRole::kBroker});
  EXPECT_EQ(CodeOf(status), ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(std::string(status.message()), HasSubstr("format version 3"));
}

TEST_F(DataDirectoryTest, DamagedIdentityIsRefused) {
  ASSERT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok());
  std::string text = ReadIdentity();
  text.replace(text.find("node.id=3"), 9, "node.id=4");
  WriteIdentity(text);
  const absl::Status status = OpenError({.role = NodeRole::kBroker});
  EXPECT_EQ(CodeOf(status), ErrorCode::kStorageError);
  EXPECT_THAT(std::string(status.message()), HasSubstr("damaged"));
}

TEST_F(DataDirectoryTest, IncompleteIdentitiesAreNotFormatted) {
  DirectoryIdentity identity = BrokerIdentity();
  identity.cluster_id = ClusterId();
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
  identity = BrokerIdentity();
  identity.directory_id = DirectoryId();
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
  identity = ControllerIdentity();
  identity.voters.pop_back();
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
  identity = ControllerIdentity();
  identity.directory_id = DirectoryId(8, 8);  // not the one among the voters
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DataDirectoryTest, AnObserverIsFormattedOnPurposeAndKeepsThatItIsOne) {
  DirectoryIdentity identity = ControllerIdentity();
  identity.directory_id = DirectoryId(8, 8);
  const absl::Status refused = FormatDirectory(path_, identity);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--observer"));
  identity.observer = true;
  identity.voters.pop_back();  // there may be two, or four, in the middle of a replacement
  ASSERT_TRUE(FormatDirectory(path_, identity).ok());
  const auto directory = DataDirectory::Open(path_, {.role = NodeRole::kController});
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ((*directory)->identity(), identity);
}

TEST_F(DataDirectoryTest, AnObserverHasADirectoryIdOfItsOwnAndKnowsSomebody) {
  DirectoryIdentity identity = ControllerIdentity();
  identity.observer = true;  // under a voter's directory id
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
  identity.directory_id = DirectoryId(8, 8);
  identity.voters.clear();
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
  identity = BrokerIdentity();
  identity.observer = true;
  EXPECT_EQ(CodeOf(FormatDirectory(path_, identity)), ErrorCode::kInvalidConfig);
}

// ---- log.store ---------------------------------------------------------------------------------

class LogStoreKindTest : public DataDirectoryTest {
 protected:
  LogStoreKindTest() { EXPECT_TRUE(FormatDirectory(path_, BrokerIdentity()).ok()); }
  absl::StatusOr<LogStoreKind> OpenAs(LogStoreKind kind, bool may_be_other = false) {
    auto directory = DataDirectory::Open(
        path_, {.role = NodeRole::kBroker, .log_store = kind, .may_be_other_store = may_be_other});
    if (!directory.ok()) return directory.status();
    return (*directory)->identity().log_store;
  }
  // By a kind that the directory is not, with what to do; nothing changes.
  void ExpectRefused(LogStoreKind kind, const std::string& is, const std::string& asked) {
    const auto before = conformance::FilesOf(path_);
    const absl::Status status = OpenAs(kind).status();
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidConfig) << status;
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr(path_));
    EXPECT_THAT(message, HasSubstr("is stored with log.store=" + is));
    EXPECT_THAT(message, HasSubstr("is set to log.store=" + asked));
    EXPECT_THAT(message, HasSubstr("Set log.store=" + is));
    EXPECT_THAT(message, HasSubstr("quipu storage format " + path_ + " --role broker"));
    EXPECT_EQ(conformance::FilesOf(path_), before);
  }
  void WriteWatermark(uint64_t group) {
    auto watermark = FileWatermark::Open(DataDirectory::WatermarkPath(path_));
    ASSERT_TRUE(watermark.ok());
    ASSERT_TRUE((*watermark)->StoreLastGroup(group).ok());
  }
};

TEST_F(LogStoreKindTest, AFreshDirectoryBecomesWhatIsAskedForAndStaysIt) {
  EXPECT_EQ(OpenAs(LogStoreKind::kJournal).value(), LogStoreKind::kJournal);
  const std::string identity = ReadIdentity();
  EXPECT_TRUE(identity.starts_with("format.version=2\n")) << identity;
  EXPECT_THAT(identity, HasSubstr("\nlog.store=journal\n"));
  DirectoryIdentity expected = BrokerIdentity();
  expected.log_store = LogStoreKind::kJournal;
  EXPECT_EQ(ReadDirectoryIdentity(path_).value(), expected);
  WriteWatermark(1);
  EXPECT_EQ(OpenAs(LogStoreKind::kJournal).value(), LogStoreKind::kJournal);
  // A process that was not told opens it as it is.
  EXPECT_EQ(OpenAs(LogStoreKind::kRocksdb, /*may_be_other=*/true).value(), LogStoreKind::kJournal);
  EXPECT_EQ(ReadIdentity(), identity);
}

// As an older program wrote it, and as that program can still read it.
TEST_F(LogStoreKindTest, TheFirstFormatKnowsOneWayToStore) {
  const std::string identity = ReadIdentity();
  EXPECT_TRUE(identity.starts_with("format.version=1\n")) << identity;
  EXPECT_THAT(identity, ::testing::Not(HasSubstr("log.store")));
  EXPECT_EQ(ReadDirectoryIdentity(path_)->log_store, LogStoreKind::kRocksdb);
  EXPECT_EQ(OpenAs(LogStoreKind::kRocksdb).value(), LogStoreKind::kRocksdb);
  WriteWatermark(1);
  EXPECT_EQ(OpenAs(LogStoreKind::kJournal, /*may_be_other=*/true).value(), LogStoreKind::kRocksdb);
  EXPECT_EQ(ReadIdentity(), identity);
}

TEST_F(LogStoreKindTest, AsLongAsNothingIsStoredItMayBecomeTheOtherAgain) {
  const std::string first = ReadIdentity();
  EXPECT_EQ(OpenAs(LogStoreKind::kJournal).value(), LogStoreKind::kJournal);
  EXPECT_EQ(OpenAs(LogStoreKind::kRocksdb).value(), LogStoreKind::kRocksdb);
  EXPECT_EQ(ReadIdentity(), first);
}

TEST_F(LogStoreKindTest, TheOtherKindIsRefusedOnceAnythingIsStored) {
  EXPECT_TRUE(OpenAs(LogStoreKind::kRocksdb).ok());
  WriteWatermark(1);
  ExpectRefused(LogStoreKind::kJournal, "rocksdb", "journal");
  EXPECT_TRUE(OpenAs(LogStoreKind::kRocksdb).ok());
}

TEST_F(LogStoreKindTest, AJournalIsRefusedToTheOtherKind) {
  EXPECT_TRUE(OpenAs(LogStoreKind::kJournal).ok());
  std::filesystem::create_directory(DataDirectory::JournalPath(path_));
  ExpectRefused(LogStoreKind::kRocksdb, "journal", "rocksdb");
  EXPECT_TRUE(OpenAs(LogStoreKind::kJournal).ok());
}

// Each by itself: a start may have been cut short, or its files may be gone.
TEST_F(LogStoreKindTest, ADatabaseAnUncleanMarkOrALostWatermarkAreEnough) {
  EXPECT_TRUE(OpenAs(LogStoreKind::kRocksdb).ok());
  std::ofstream(DataDirectory::DatabasePath(path_) + "/CURRENT") << "MANIFEST-000001\n";
  ExpectRefused(LogStoreKind::kJournal, "rocksdb", "journal");
  std::filesystem::remove(DataDirectory::DatabasePath(path_) + "/CURRENT");
  ASSERT_TRUE((*FileWatermark::Open(DataDirectory::WatermarkPath(path_)))->MarkUnclean(0).ok());
  ExpectRefused(LogStoreKind::kJournal, "rocksdb", "journal");
  std::filesystem::remove(DataDirectory::WatermarkPath(path_));
  ExpectRefused(LogStoreKind::kJournal, "rocksdb", "journal");
}

TEST_F(LogStoreKindTest, AWayThatThisProgramDoesNotKnowIsDamage) {
  std::string text = ReadIdentity();
  text = text.substr(0, text.find("checksum=")) + "log.store=tape\n";
  WriteIdentity(absl::StrCat(text, "checksum=", absl::Hex(Crc32c(text), absl::kZeroPad8), "\n"));
  const absl::Status status = OpenAs(LogStoreKind::kRocksdb).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kStorageError);
  EXPECT_THAT(std::string(status.message()), HasSubstr("log.store"));
}

TEST(VoterTextTest, VoterComesBackFromItsText) {
  const VoterIdentity voter = ControllerIdentity().voters[0];
  EXPECT_EQ(ParseVoter(VoterText(voter)), voter);
  const VoterIdentity v6{.id = ControllerId(1),
                         .endpoint = {.host = "::1", .port = 9},
                         .directory_id = DirectoryId(1, 1)};
  EXPECT_EQ(ParseVoter(VoterText(v6)), v6);
}

TEST(VoterTextTest, OtherFormsAreRefused) {
  const std::string id = DirectoryId(1, 1).ToText();
  for (const std::string& text :
       {std::string(), std::string("1@host:80"), "host:80:" + id, "x@host:80:" + id,
        "1@host:99999:" + id, "1@host:0:" + id, "1@:80:" + id, std::string("1@host:80:zz"),
        "-1@host:80:" + id, "1@host:80:" + DirectoryId().ToText()}) {
    EXPECT_FALSE(ParseVoter(text).has_value()) << text;
  }
}

TEST(UseOfFiles, CountsThoseWithTheSuffixInTheFolderItself) {
  const conformance::TemporaryFolder folder;
  const auto write = [&](const std::string& name, size_t bytes) {
    std::ofstream(folder.path() + "/" + name) << std::string(bytes, 'x');
  };
  write("000004.log", 10);
  write("000007.log", 5);
  write("LOG", 100);
  write("000005.sst", 100);
  std::filesystem::create_directory(folder.path() + "/below");
  write("below/000001.log", 100);
  const auto use = UseOfFiles(folder.path(), DataDirectory::kWalSuffix);
  ASSERT_TRUE(use.ok()) << use.status();
  EXPECT_EQ(use->files, 2);
  EXPECT_EQ(use->bytes, 15);
  EXPECT_EQ(CodeOf(UseOfFiles(folder.path() + "/nowhere", ".log").status()),
            ErrorCode::kStorageError);
}

}  // namespace
}  // namespace quipu
