// Goal: an archive is whole or not there, a metrics page comes or the reason does, and no data
// directory gets into a bundle by its log files. Method: real files in a temporary folder, a server
// on 127.0.0.1 with answers good and bad.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "client/cli/bundle/archive.h"
#include "client/cli/bundle/http_get.h"
#include "client/cli/bundle/log_files.h"
#include "tests/unit/client/cli/one_answer.h"

namespace quipu::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    std::string name = (fs::temp_directory_path() / "quipu-bundle-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~BundleTest() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string Path(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
  }

  fs::path folder_;
};

// ---- the archive ----
std::string Unpacked(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  std::string out(1 << 20, '\0');
  const int got = gzread(file, out.data(), static_cast<unsigned>(out.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  out.resize(static_cast<size_t>(std::max(got, 0)));
  return out;
}

TEST_F(BundleTest, AnArchiveHoldsItsMembersInBlocksOf512Bytes) {
  auto archive = TarGz::Create(Path("a.tar.gz"), 1767225600);
  ASSERT_TRUE(archive.ok()) << archive.status();
  ASSERT_EQ((*archive)->Add("one.txt", "hello"), absl::OkStatus());
  const std::string deep = absl::StrCat(std::string(120, 'd'), "/", std::string(100, 'n'));
  ASSERT_EQ((*archive)->Add(deep, std::string(512, 'x')), absl::OkStatus());
  const auto size = (*archive)->Finish();
  ASSERT_TRUE(size.ok()) << size.status();
  EXPECT_EQ(static_cast<uintmax_t>(*size), fs::file_size(Path("a.tar.gz")));
  EXPECT_EQ(fs::status(Path("a.tar.gz")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
  archive->reset();
  const std::string tar = Unpacked(Path("a.tar.gz"));
  // Two headers, a block for each content, two blocks at the end.
  ASSERT_EQ(tar.size(), 6U * 512);
  EXPECT_EQ(tar.substr(0, 8), std::string("one.txt\0", 8));
  EXPECT_EQ(tar.substr(124, 12), std::string("00000000005\0", 12));
  EXPECT_EQ(tar.substr(257, 8), std::string("ustar\0"
                                            "00",
                                            8));
  EXPECT_EQ(tar.substr(512, 6), std::string("hello\0", 6));
  EXPECT_EQ(tar.substr(1024, 101), std::string(100, 'n') + "0");
  EXPECT_EQ(tar.substr(1024 + 345, 120), std::string(120, 'd'));
}

TEST_F(BundleTest, ANameThatATarCannotHoldIsRefusedAndTheRestStays) {
  auto archive = TarGz::Create(Path("a.tar.gz"), 0);
  ASSERT_TRUE(archive.ok());
  for (const std::string& name :
       {std::string(101, 'n'), std::string(156, 'd') + "/n", std::string(100, 'd') + "/"}) {
    EXPECT_EQ(CodeOf((*archive)->Add(name, "x")), ErrorCode::kInvalidRequest) << name;
  }
  ASSERT_TRUE((*archive)->Finish().ok());
  EXPECT_EQ(Unpacked(Path("a.tar.gz")), std::string(1024, '\0'));
}

TEST_F(BundleTest, AFileThatIsThereIsNotOverwritten) {
  Write("a.tar.gz", "mine");
  EXPECT_EQ(CodeOf(TarGz::Create(Path("a.tar.gz"), 0).status()), ErrorCode::kDuplicateResource);
  EXPECT_EQ(fs::file_size(Path("a.tar.gz")), 4U);
  EXPECT_EQ(CodeOf(TarGz::Create(Path("missing/a.tar.gz"), 0).status()), ErrorCode::kStorageError);
}

TEST_F(BundleTest, AnArchiveThatIsNotFinishedDoesNotStay) {
  {
    auto archive = TarGz::Create(Path("a.tar.gz"), 0);
    ASSERT_TRUE(archive.ok());
    ASSERT_EQ((*archive)->Add("one.txt", "hello"), absl::OkStatus());
  }
  EXPECT_FALSE(fs::exists(Path("a.tar.gz")));
}

TEST_F(BundleTest, ADiskThatTakesNoMoreIsAnErrorAndLeavesNothing) {
  std::string noise(1 << 20, '\0');
  std::mt19937 random(1);  // it cannot be packed
  for (char& byte : noise) byte = static_cast<char>(random());
  const auto former = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{.rlim_cur = 64 << 10, .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (const size_t size : {size_t{100} << 10, noise.size()}) {
    auto archive = TarGz::Create(Path("a.tar.gz"), 0);
    ASSERT_TRUE(archive.ok());
    absl::Status failed = (*archive)->Add("noise", noise.substr(0, size));
    if (failed.ok()) failed = (*archive)->Finish().status();  // it is noticed late
    EXPECT_EQ(CodeOf(failed), ErrorCode::kStorageError);
    EXPECT_THAT(std::string(failed.message()), HasSubstr("File too large"));
    archive->reset();
    EXPECT_FALSE(fs::exists(Path("a.tar.gz")));
  }
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, former);
}

// ---- pages ----
absl::StatusOr<std::string> GetFrom(OneAnswer& server,
                                    Duration timeout = std::chrono::seconds(10)) {
  auto body = HttpGet("127.0.0.1", server.port(), "/metrics", timeout, 1000);
  server.Join();
  return body;
}

TEST(HttpGetTest, ThePageIsWhatFollowsTheHeaders) {
  OneAnswer server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n");
  const auto body = GetFrom(server);
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(*body, "a 1\n");
  EXPECT_THAT(server.request(), HasSubstr("GET /metrics HTTP/1.0\r\n"));
}

TEST(HttpGetTest, OtherAnswersAreErrorsThatNameTheAddress) {
  for (const auto& [answer, said] :
       {std::pair{"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"},
        std::pair{"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na 1", "3 bytes instead of 4"},
        std::pair{"HTTP/1.1 200\r\n", "no HTTP"}, std::pair{"garbage\r\n\r\n", "no HTTP"}}) {
    OneAnswer server(answer);
    const auto body = GetFrom(server);
    EXPECT_EQ(CodeOf(body.status()), ErrorCode::kNotConnected) << answer;
    EXPECT_THAT(std::string(body.status().message()), HasSubstr(said));
    EXPECT_THAT(std::string(body.status().message()),
                HasSubstr(absl::StrCat("127.0.0.1:", server.port())));
  }
}

TEST(HttpGetTest, AnAnswerThatIsTooLongOrDoesNotComeEndsTheCall) {
  OneAnswer longer("HTTP/1.1 200 OK\r\n\r\n" + std::string(2000, 'x'));
  EXPECT_EQ(CodeOf(GetFrom(longer).status()), ErrorCode::kLimitReached);
  OneAnswer silent("");
  const auto body = GetFrom(silent, std::chrono::milliseconds(50));
  EXPECT_EQ(CodeOf(body.status()), ErrorCode::kNotConnected);
  EXPECT_THAT(std::string(body.status().message()), HasSubstr("no answer in time"));
}

TEST(HttpGetTest, NobodyListens) {
  uint16_t port = 0;
  {
    OneAnswer gone("HTTP/1.1 200 OK\r\n\r\n");
    port = gone.port();
    EXPECT_TRUE(GetFrom(gone).ok());
  }
  const auto body = HttpGet("127.0.0.1", port, "/", std::chrono::seconds(10), 1000);
  EXPECT_EQ(CodeOf(body.status()), ErrorCode::kNotConnected);
  EXPECT_THAT(std::string(body.status().message()), HasSubstr("Connection refused"));
}

// ---- logs ----
std::vector<std::string> NamesOf(const LogFiles& logs) {
  std::vector<std::string> names;
  for (const LogFile& file : logs.files) names.push_back(file.name);
  return names;
}

TEST_F(BundleTest, LogsAreTakenAndDataDirectoriesAreNot) {
  Write("node.log", "a line\n");
  Write("broker/node.log.1", "another\n");
  Write("broker/data/meta.properties", "");
  Write("broker/data/log/000012.log", "records");
  Write("wal.log", std::string("rec\0rds", 7));
  Write("notes.txt", "not a log");
  fs::create_symlink(Path("notes.txt"), Path("link.log"));
  const auto logs = ReadLogFiles(folder_, {});
  ASSERT_TRUE(logs.ok()) << logs.status();
  EXPECT_THAT(NamesOf(*logs), UnorderedElementsAre("node.log", "broker/node.log.1"));
  EXPECT_THAT(
      logs->left_out,
      UnorderedElementsAre(Pair("broker/data", "a data directory, with contents of records"),
                           Pair("wal.log", "it is no text"), Pair("link.log", "no plain file")));
  EXPECT_EQ(CodeOf(ReadLogFiles(Path("broker/data"), {}).status()), ErrorCode::kInvalidRequest);
  EXPECT_EQ(CodeOf(ReadLogFiles(Path("missing"), {}).status()), ErrorCode::kStorageError);
}

TEST_F(BundleTest, OfLogsTheNewestAndTheEndsAreTaken) {
  const auto now = fs::file_time_type::clock::now();
  for (const auto& [name, age] :
       {std::pair{"old.log", 3}, std::pair{"new.log", 1}, std::pair{"mid.log", 2}}) {
    Write(name, std::string(name) + ": 0123456789");
    fs::last_write_time(Path(name), now - std::chrono::hours(age));
  }
  const auto ends = ReadLogFiles(folder_, {.file_bytes_max = 4});
  ASSERT_TRUE(ends.ok());
  EXPECT_THAT(NamesOf(*ends), ElementsAre("new.log", "mid.log", "old.log"));
  EXPECT_EQ(ends->files[0].content, "6789");
  EXPECT_TRUE(ends->files[0].cut);
  const auto two = ReadLogFiles(folder_, {.files_max = 2});
  EXPECT_THAT(NamesOf(*two), ElementsAre("new.log", "mid.log"));
  EXPECT_FALSE(two->files[0].cut);
  EXPECT_THAT(two->left_out, ElementsAre(Pair("old.log", "more than 2 files")));
  const auto few = ReadLogFiles(folder_, {.bytes_max = 19});
  EXPECT_THAT(NamesOf(*few), ElementsAre("new.log"));
  EXPECT_THAT(few->left_out, ElementsAre(Pair("mid.log", "more than 19 bytes in all"),
                                         Pair("old.log", "more than 19 bytes in all")));
}

TEST_F(BundleTest, FoldersThatAreTooDeepAreNamed) {
  Write("1/2/deep.log", "x");
  const auto logs = ReadLogFiles(folder_, {.depth_max = 1});
  ASSERT_TRUE(logs.ok());
  EXPECT_THAT(logs->files, IsEmpty());
  EXPECT_THAT(logs->left_out, ElementsAre(Pair("1/2", "too deep")));
}

}  // namespace
}  // namespace quipu::cli
