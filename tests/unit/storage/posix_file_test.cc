// The operating system's files: hints of what will be read.
#include "storage/posix/posix_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "storage/files.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

// Whether the kernel holds the page of the byte there, as another interface tells.
bool IsResident(int fd, uint64_t place) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* memory = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(place));
  EXPECT_NE(memory, MAP_FAILED);
  unsigned char resident = 0;
  EXPECT_EQ(::mincore(memory, page, &resident), 0);
  ::munmap(memory, page);
  return (resident & 1) != 0;
}

TEST(PosixFileTest, WhatWillBeReadDoesNotWaitForTheDiskThen) {
  const conformance::TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  constexpr uint64_t kPlace = uint64_t{4} << 20;
  {
    const auto file = SystemFiles().Create(path);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->WriteAt(0, std::string(2 * kPlace, 'x')).ok());
    ASSERT_TRUE((*file)->Sync().ok());
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  const bool resident = IsResident(fd, kPlace);
  ::close(fd);
  if (resident) GTEST_SKIP() << "this file system keeps its files in memory";
  const auto file = SystemFiles().OpenForReading(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->WouldWait(kPlace));
  (*file)->WillRead(kPlace, 64 << 10);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while ((*file)->WouldWait(kPlace)) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::string read(1, '\0');
  EXPECT_EQ(*(*file)->ReadAt(kPlace, 1, read.data()), 1U);
  EXPECT_EQ(read, "x");
}

}  // namespace
}  // namespace quipu
