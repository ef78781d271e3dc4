// Keeps the watermark file close behind the log without ever delaying an acknowledgement.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "storage/broker_identity.h"
#include "storage/wal_writer.h"

namespace quipu {

// A thread that writes the newest synced group to the watermark file: at most 50 ms after its sync,
// and at once when a group is being synced that counts as synced only when the file holds an
// earlier one (D4). For a log without marks of its own that is the group before it, so that the
// file is never behind by more than one group; both are under way together, and the file's sync is
// the shorter one.
class WatermarkWriter {
 public:
  // `proven` is the last group that the database was shown to hold; groups follow it without gaps.
  // `file` must outlive the writer. A failed write calls `fatal` (D3).
  WatermarkWriter(WatermarkFile& file, uint64_t proven, FatalHandler fatal);
  // Writes the last group, then ends the thread.
  ~WatermarkWriter();
  WatermarkWriter(const WatermarkWriter&) = delete;
  WatermarkWriter& operator=(const WatermarkWriter&) = delete;

  // The next group is about to be synced, and will need `needed` in the file, which was synced
  // before: now is the time to write it. Any thread.
  void OnGroupBegins(uint64_t needed);
  // The sync of `group` has returned. Waits until `needed`, an earlier one, is in the file; false
  // when the file could not be written: nothing may be acknowledged any more. Any thread.
  [[nodiscard]] bool OnGroupSynced(uint64_t group, uint64_t needed);

 private:
  void Run();
  void WriteNow();  // under mutex_

  WatermarkFile& file_;
  const FatalHandler fatal_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable stored_;
  uint64_t synced_ = 0;   // under mutex_
  uint64_t written_ = 0;  // under mutex_
  bool write_now_ = false;
  bool idle_ = false;  // everything is in the file, and the thread waits
  bool failed_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quipu
