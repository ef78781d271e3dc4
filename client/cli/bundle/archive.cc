#include "client/cli/bundle/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu::cli {
namespace {

constexpr size_t kBlock = 512;
constexpr size_t kNameMax = 100;
constexpr size_t kPrefixMax = 155;
constexpr size_t kWriteMax = size_t{1} << 20;  // gzwrite counts in unsigned int

// `code`: 0 when it is not the system that refuses.
absl::Status DiskError(const std::string& path, const char* what, int code) {
  return ToStatus(
      ErrorCode::kStorageError,
      absl::StrCat(path, " ", what, ": ", code == 0 ? "zlib has failed" : strerror(code)));
}

// The header of a member (POSIX.1-1988): fields at fixed places, numbers in octal.
struct Header {
  char name[kNameMax];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6];
  char version[2];
  char owner[32];
  char group[32];
  char device_major[8];
  char device_minor[8];
  char prefix[kPrefixMax];
  char padding[12];
};
static_assert(sizeof(Header) == kBlock);

template <size_t N>
void SetOctal(char (&field)[N], uint64_t number) {
  const std::string digits = absl::StrFormat("%0*o", static_cast<int>(N - 1), number);
  std::memcpy(field, digits.c_str(), N);
}

// A name too long for its field is split at a slash; nullopt: it cannot be.
std::optional<std::pair<std::string, std::string>> PrefixAndName(const std::string& name) {
  if (name.size() <= kNameMax) return std::pair{std::string(), name};
  const size_t slash = name.find('/', name.size() - kNameMax - 1);
  if (slash == std::string::npos || slash > kPrefixMax) return std::nullopt;
  return std::pair{name.substr(0, slash), name.substr(slash + 1)};
}

std::optional<Header> HeaderOf(const std::string& name, size_t size, int64_t time_s) {
  const auto parts = PrefixAndName(name);
  if (!parts || parts->second.empty()) return std::nullopt;
  Header header;
  std::memset(&header, 0, sizeof(header));
  std::memcpy(header.prefix, parts->first.data(), parts->first.size());
  std::memcpy(header.name, parts->second.data(), parts->second.size());
  SetOctal(header.mode, 0640);
  SetOctal(header.uid, 0);
  SetOctal(header.gid, 0);
  SetOctal(header.size, size);
  SetOctal(header.mtime, static_cast<uint64_t>(std::max<int64_t>(time_s, 0)));
  header.type = '0';
  std::memcpy(header.magic, "ustar", sizeof(header.magic));
  std::memcpy(header.version, "00", sizeof(header.version));
  // The sum of all bytes, its own field counted as blanks.
  std::memset(header.checksum, ' ', sizeof(header.checksum));
  uint32_t sum = 0;
  unsigned char bytes[kBlock];
  std::memcpy(bytes, &header, kBlock);
  for (const unsigned char byte : bytes) sum += byte;
  const std::string digits = absl::StrFormat("%06o", sum);
  std::memcpy(header.checksum, digits.c_str(), 7);
  return header;
}

}  // namespace

struct TarGz::Gzip {
  gzFile file = nullptr;  // owns a descriptor of its own
  // Z_OK or zlib's error.
  int Close() { return file == nullptr ? Z_OK : gzclose_w(std::exchange(file, nullptr)); }
  ~Gzip() { (void)Close(); }  // whoever wants to know has called Close
};

TarGz::TarGz(std::string path, int64_t time_s, int fd, std::unique_ptr<Gzip> gzip)
    : path_(std::move(path)), time_s_(time_s), fd_(fd), gzip_(std::move(gzip)) {}

TarGz::~TarGz() {
  gzip_.reset();
  if (fd_ >= 0) ::close(fd_);
  if (!whole_) ::unlink(path_.c_str());
}

absl::StatusOr<std::unique_ptr<TarGz>> TarGz::Create(const std::string& path, int64_t time_s) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) {
    return ToStatus(ErrorCode::kDuplicateResource,
                    absl::StrCat(path, " is there already and is not overwritten: name another"));
  }
  if (fd < 0) return DiskError(path, "cannot be made", errno);
  auto gzip = std::make_unique<Gzip>();
  const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own >= 0) gzip->file = gzdopen(own, "wb");
  if (gzip->file == nullptr) {
    const int code = errno;
    if (own >= 0) ::close(own);
    ::close(fd);
    ::unlink(path.c_str());
    return DiskError(path, "cannot be opened", code);
  }
  return std::unique_ptr<TarGz>(new TarGz(path, time_s, fd, std::move(gzip)));
}

absl::Status TarGz::Write(absl::string_view bytes) {
  while (!bytes.empty()) {
    const auto size = static_cast<unsigned>(std::min(bytes.size(), kWriteMax));
    errno = 0;
    if (gzwrite(gzip_->file, bytes.data(), size) != static_cast<int>(size)) {
      return DiskError(path_, "cannot be written", errno);
    }
    bytes.remove_prefix(size);
  }
  return absl::OkStatus();
}

absl::Status TarGz::Add(const std::string& name, absl::string_view content) {
  const std::optional<Header> header = HeaderOf(name, content.size(), time_s_);
  if (!header) {
    return ToStatus(ErrorCode::kInvalidRequest,
                    absl::StrCat("the name is too long for a tar archive: ", name));
  }
  QUIPU_RETURN_IF_ERROR(Write({reinterpret_cast<const char*>(&*header), sizeof(*header)}));
  QUIPU_RETURN_IF_ERROR(Write(content));
  const size_t over = content.size() % kBlock;
  return over == 0 ? absl::OkStatus() : Write(std::string(kBlock - over, '\0'));
}

absl::StatusOr<int64_t> TarGz::Finish() {
  QUIPU_RETURN_IF_ERROR(Write(std::string(2 * kBlock, '\0')));
  errno = 0;
  if (gzip_->Close() != Z_OK) return DiskError(path_, "cannot be written", errno);
  struct stat facts = {};
  if (::fsync(fd_) != 0 || ::fstat(fd_, &facts) != 0) {
    return DiskError(path_, "cannot be synced", errno);
  }
  if (::close(std::exchange(fd_, -1)) != 0) return DiskError(path_, "cannot be closed", errno);
  whole_ = true;
  return int64_t{facts.st_size};
}

}  // namespace quipu::cli
