// Whether what was sent has come: once, whole, and in the order of each key.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/client/client_types.h"

namespace quipu::cli {

// What a record of a run carries in front of its filling: the run, and its number in it, from 0.
struct RunMark {
  uint64_t run = 0;
  uint64_t number = 0;
};
inline constexpr size_t kRunMarkBytes = 2 * sizeof(uint64_t);

// Writes the mark over the first kRunMarkBytes of `value`, which has them.
void WriteMark(const RunMark& mark, std::string& value);
// nullopt: too short to have one.
std::optional<RunMark> ReadMark(absl::string_view value);

struct DeliveryVerdict {
  uint64_t sent = 0;
  uint64_t acknowledged = 0;
  uint64_t not_stored = 0;    // reported as failed, and not in the log
  uint64_t unknown = 0;       // reported as failed, and perhaps in the log
  uint64_t received = 0;      // each number once
  uint64_t missing = 0;       // acknowledged and not received
  uint64_t doubled = 0;       // received again
  uint64_t out_of_order = 0;  // behind a later one of its key
  uint64_t damaged = 0;       // with a number, key or bytes that were not sent
  uint64_t refuted = 0;       // received, although reported as not in the log

  // What was acknowledged has come as promised, whatever else failed.
  [[nodiscard]] bool kept() const {
    return missing + doubled + out_of_order + damaged + refuted == 0;
  }
};

// Records with the numbers 0, 1, 2, ... are sent in that order, the record `n` with the key
// `n % keys`. Thread-safe. One byte for each record.
class DeliveryCheck {
 public:
  // At most `records` are sent; both at least 1.
  DeliveryCheck(uint64_t records, uint64_t keys);

  void OnSent();
  void OnReported(uint64_t number, bool ok, Persisted persisted);
  // `intact`: key and bytes are those that were sent. False: it is one too many or damaged.
  bool OnReceived(uint64_t number, bool intact);

  // All that is acknowledged, or whose outcome is unknown, has been received.
  [[nodiscard]] bool HasAll() const;
  [[nodiscard]] DeliveryVerdict Verdict() const;
  // The same without `missing` and `refuted`, at no cost.
  [[nodiscard]] DeliveryVerdict Counts() const;

 private:
  struct Fate {
    bool acknowledged : 1 = false;
    bool not_stored : 1 = false;
    bool unknown : 1 = false;
    bool received : 1 = false;
  };

  mutable std::mutex mutex_;
  std::vector<Fate> fates_;       // by number
  std::vector<uint64_t> newest_;  // of each key: 1 + the largest number received
  DeliveryVerdict counts_;        // but missing and refuted
  uint64_t outstanding_ = 0;      // acknowledged or unknown, and not received
};

}  // namespace quipu::cli
