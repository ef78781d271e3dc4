// The watermark file: what the database must be able to show when it is opened again (D4).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/broker_identity.h"
#include "storage/files.h"

namespace quipu {

// Two slots, 4,096 bytes apart, each with a sequence number and a checksum:
//
//   position  bytes  field
//   0         4      magic "QWM1", or "QWU1": the log is unproven (unclean)
//   4         8      sequence, from 1
//   12        8      last group whose sync returned
//   20        8      broker epoch last granted
//   28        4      CRC32C of the 28 bytes before
//
// Each write overwrites the older slot and syncs, so that a torn write costs the older value only.
// The file lies outside the database, and its blocks are written beforehand: overwriting them
// changes no metadata of the file system, which halves the price of a sync.
class FileWatermark final : public WatermarkFile {
 public:
  // Makes the file, durably: group 0, no broker epoch. `unclean`: it takes the place of one that is
  // gone or damaged, so that nothing shows what the log must hold.
  static absl::Status Create(const std::string& path, Files& files = SystemFiles(),
                             bool unclean = false);
  // kUnprovenDirectory when the file is missing, short, or neither slot is sound: what the database
  // holds can then not be judged.
  static absl::StatusOr<std::unique_ptr<FileWatermark>> Open(const std::string& path,
                                                             Files& files = SystemFiles());
  // What a watermark file says, without opening it for writing. Errors as Open.
  struct Content {
    uint64_t last_group = 0;
    BrokerEpoch broker_epoch = kNoBrokerEpoch;
    bool unclean = false;
  };
  static absl::StatusOr<Content> Read(const std::string& path, Files& files = SystemFiles());
  FileWatermark(const FileWatermark&) = delete;
  FileWatermark& operator=(const FileWatermark&) = delete;

  absl::Status StoreBrokerEpoch(BrokerEpoch epoch) override;
  [[nodiscard]] BrokerEpoch broker_epoch() const override;
  // Lower groups than the known one are ignored.
  absl::Status StoreLastGroup(uint64_t group) override;
  [[nodiscard]] uint64_t last_group() const override;
  // The log is unproven and ends with `last_group`, from which it goes on: mark and new watermark
  // are one write, so that no start can see the one without the other. Durable on return.
  absl::Status MarkUnclean(uint64_t last_group);
  [[nodiscard]] bool unclean() const override;

 private:
  struct Slot {
    uint64_t sequence = 0;
    uint64_t last_group = 0;
    BrokerEpoch broker_epoch = kNoBrokerEpoch;
    bool unclean = false;
  };
  FileWatermark(std::unique_ptr<OpenFile> file, Slot newest)
      : file_(std::move(file)), newest_(newest) {}

  static std::string Encode(const Slot& slot);
  static bool Decode(absl::string_view bytes, Slot& slot);
  static absl::StatusOr<Slot> ReadNewest(const std::string& path, Files& files);
  absl::Status Store(Slot slot);  // under mutex_

  const std::unique_ptr<OpenFile> file_;
  mutable std::mutex mutex_;
  Slot newest_;  // under mutex_
};

}  // namespace quipu
