// Keeps the watermark file close behind the log without ever delaying an acknowledgement.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "storage/broker_identity.h"
#include "storage/wal_writer.h"

namespace quipu {

// A thread that writes group g to the watermark file while group g+1 is being synced, or 50 ms
// after g when no other group comes. So a busy log pays for the file beside its own syncs. Group
// g+1 counts as synced only when g is in the file, so that the file is never behind by more than
// one group (D4); both are under way together, and the file's sync is the shorter one.
class WatermarkWriter {
 public:
  // `proven` is the last group that the database was shown to hold; groups follow it without gaps.
  // `file` must outlive the writer. A failed write calls `fatal` (D3).
  WatermarkWriter(WatermarkFile& file, uint64_t proven, FatalHandler fatal);
  // Writes the last group, then ends the thread.
  ~WatermarkWriter();
  WatermarkWriter(const WatermarkWriter&) = delete;
  WatermarkWriter& operator=(const WatermarkWriter&) = delete;

  // The next group is about to be synced: now is the time to write the former one. Any thread.
  void OnGroupBegins();
  // The sync of `group` has returned. Waits until the group before it is in the file; false when
  // the file could not be written: nothing may be acknowledged any more. Any thread.
  [[nodiscard]] bool OnGroupSynced(uint64_t group);

 private:
  void Run();

  WatermarkFile& file_;
  const FatalHandler fatal_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable stored_;
  uint64_t synced_ = 0;   // under mutex_
  uint64_t written_ = 0;  // under mutex_
  bool write_now_ = false;
  bool failed_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quipu
