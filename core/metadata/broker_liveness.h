// Sessions of brokers at the active controller.
#pragma once

#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

// When each broker was last heard. Not replicated: a controller that becomes active starts every
// session anew, so a change of controllers never fences a live broker.
class BrokerLiveness {
 public:
  explicit BrokerLiveness(Duration session_timeout) : session_timeout_(session_timeout) {}

  // Sessions of all brokers of `image` start at `now`; former ones are forgotten.
  void StartAll(const MetadataImage& image, Instant now);
  void Clear() { sessions_.clear(); }
  // A registration: a session under a new epoch.
  void Start(BrokerId broker, BrokerEpoch epoch, Instant now);
  // A heartbeat under `epoch`; ignored for another epoch than the session's.
  void Touch(BrokerId broker, BrokerEpoch epoch, Instant now);
  void Remove(BrokerId broker) { sessions_.erase(broker); }
  // The process itself was paused: what it did not read in that time is no sign of death.
  void Extend(Duration pause);

  [[nodiscard]] bool IsLive(BrokerId broker, Instant now) const;
  // Newest epoch heard in a heartbeat by this controller; kNoBrokerEpoch: none.
  [[nodiscard]] BrokerEpoch HeardEpoch(BrokerId broker) const;
  // When the broker's session ends unless it is heard again; nullopt: it has none.
  [[nodiscard]] std::optional<Instant> Expiry(BrokerId broker) const;

 private:
  struct Session {
    BrokerEpoch epoch;
    BrokerEpoch heard = kNoBrokerEpoch;
    Instant last_contact;
  };
  Duration session_timeout_;
  absl::btree_map<BrokerId, Session> sessions_;
};

}  // namespace quipu
