// Which control stream is whose.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "controller/control_stream.h"

namespace quipu {

// Keeps every open stream and, per broker, the newest one.
//
// Only the newest stream of a broker is listened to. A request of an older one may have been on its
// way for long: an ISR change that its sender has meanwhile given up must not be carried out after
// the answer to its repetition. Controller's executor only.
class BrokerSessions {
 public:
  // kLimitReached when there are too many: then the stream is closed.
  void Open(const ControlStreamPtr& stream);
  // A request on `stream` has proved to be `broker`'s: an older stream of it is closed.
  void Bind(const ControlStreamPtr& stream, BrokerId broker);
  // The stream broke. The broker whose newest stream it was; kNoBroker: nobody's.
  BrokerId Remove(const ControlStreamPtr& stream);
  // Whether `broker` has an open stream.
  [[nodiscard]] bool HasStream(BrokerId broker) const { return by_broker_.contains(broker); }
  void CloseAll(const absl::Status& reason);
  [[nodiscard]] size_t open_streams() const { return streams_.size(); }

  static constexpr size_t kStreamsMax = 4096;  // quipu.controller.streams.max

 private:
  void Close(const ControlStreamPtr& stream, const absl::Status& reason);

  uint64_t next_number_ = 1;
  absl::btree_map<uint64_t, ControlStreamPtr> streams_;  // by number
  absl::btree_map<BrokerId, ControlStreamPtr> by_broker_;
};

}  // namespace quipu
