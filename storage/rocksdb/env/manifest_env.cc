#include "storage/rocksdb/env/manifest_env.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/crc32c.h"
#include "rocksdb/file_system.h"

namespace quipu {
namespace {

constexpr size_t kBlockBytes = 32768;
constexpr size_t kHeaderBytes = 7;
constexpr uint32_t kMaskDelta = 0xa282ead8;  // RocksDB stores rotated checksums (util/crc32c.h)

enum RecordType : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint32_t LoadLittleEndian32(const char* at) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(at[i]);
  return value;
}

uint32_t Unmasked(uint32_t masked) {
  const uint32_t rotated = masked - kMaskDelta;
  return rotated >> 17 | rotated << 15;
}

// Serves the beginning of a file from memory: a MANIFEST is small.
class SoundFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SoundFile(std::string content) : content_(std::move(content)) {}
  rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions& /*options*/, rocksdb::Slice* result,
                         char* scratch, rocksdb::IODebugContext* /*dbg*/) override {
    const size_t length = std::min(n, content_.size() - position_);
    std::memcpy(scratch, content_.data() + position_, length);
    *result = rocksdb::Slice(scratch, length);
    position_ += length;
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Skip(uint64_t n) override {
    position_ += std::min<uint64_t>(n, content_.size() - position_);
    return rocksdb::IOStatus::OK();
  }

 private:
  const std::string content_;
  size_t position_ = 0;
};

}  // namespace

class ManifestFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "quipu.ManifestFileSystem"; }

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                      rocksdb::IODebugContext* dbg) override {
    std::unique_ptr<rocksdb::FSSequentialFile> file;
    rocksdb::IOStatus status = target()->NewSequentialFile(path, options, &file, dbg);
    const bool manifest = path.compare(path.rfind('/') + 1, 9, "MANIFEST-") == 0;
    if (!status.ok() || !manifest) {
      *result = std::move(file);
      return status;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    auto known = manifests_.find(path);
    if (known == manifests_.end()) {
      std::string content;
      status = ReadAll(*file, content, dbg);
      if (!status.ok()) return status;
      content.resize(SoundManifestBytes(content));
      known = manifests_.emplace(path, std::move(content)).first;
    }
    *result = std::make_unique<SoundFile>(known->second);
    return rocksdb::IOStatus::OK();
  }

  void ForgetManifests() {
    const std::lock_guard<std::mutex> lock(mutex_);
    manifests_.clear();
  }

 private:
  static rocksdb::IOStatus ReadAll(rocksdb::FSSequentialFile& file, std::string& content,
                                   rocksdb::IODebugContext* dbg) {
    std::string buffer(kBlockBytes, '\0');
    while (true) {
      rocksdb::Slice bytes;
      rocksdb::IOStatus status =
          file.Read(buffer.size(), rocksdb::IOOptions(), &bytes, buffer.data(), dbg);
      if (!status.ok() || bytes.empty()) return status;
      content.append(bytes.data(), bytes.size());
    }
  }

  std::mutex mutex_;
  std::map<std::string, std::string> manifests_;  // under mutex_; by path, the sound bytes
};

ManifestEnv::ManifestEnv(rocksdb::Env& base)
    : ManifestEnv(base, std::make_shared<ManifestFileSystem>(base.GetFileSystem())) {}

ManifestEnv::ManifestEnv(rocksdb::Env& base, std::shared_ptr<ManifestFileSystem> files)
    : EnvWrapper(&base), files_(*files) {
  file_system_ = std::move(files);
  system_clock_ = base.GetSystemClock();
}

void ManifestEnv::ForgetManifests() { files_.ForgetManifests(); }

size_t SoundManifestBytes(absl::string_view content) {
  size_t sound = 0;
  size_t at = 0;
  bool within = false;  // a record whose first fragment was seen
  while (true) {
    const size_t left = kBlockBytes - at % kBlockBytes;
    if (left < kHeaderBytes) at += left;  // the rest of a block is too short for a header
    if (at + kHeaderBytes > content.size()) return sound;
    const auto low = static_cast<uint8_t>(content[at + 4]);
    const auto high = static_cast<uint8_t>(content[at + 5]);
    const size_t length = size_t{high} << 8 | low;
    const auto type = static_cast<uint8_t>(content[at + 6]);
    const size_t end = at + kHeaderBytes + length;
    if (type < kFull || type > kLast || end > content.size()) return sound;
    if (kHeaderBytes + length > kBlockBytes - at % kBlockBytes) return sound;
    const absl::string_view summed = content.substr(at + 6, 1 + length);
    if (Unmasked(LoadLittleEndian32(content.data() + at)) != Crc32c(summed)) return sound;
    if (within == (type == kFull || type == kFirst)) return sound;
    within = type == kFirst || type == kMiddle;
    at = end;
    if (!within) sound = at;
  }
}

}  // namespace quipu
