#include "core/metadata/broker_liveness.h"

#include <algorithm>

namespace quipu {

void BrokerLiveness::StartAll(const MetadataImage& image, Instant now) {
  sessions_.clear();
  for (const auto& [id, broker] : image.brokers()) {
    sessions_[id] = {.epoch = broker.epoch, .heard = broker.heard_epoch, .last_contact = now};
  }
}

void BrokerLiveness::Start(BrokerId broker, BrokerEpoch epoch, Instant now) {
  Session& session = sessions_[broker];
  session.epoch = epoch;
  session.last_contact = now;
}

void BrokerLiveness::Touch(BrokerId broker, BrokerEpoch epoch, Instant now) {
  const auto it = sessions_.find(broker);
  if (it == sessions_.end() || it->second.epoch != epoch) return;
  it->second.heard = std::max(it->second.heard, epoch);
  it->second.last_contact = now;
}

void BrokerLiveness::Extend(Duration pause) {
  for (auto& [id, session] : sessions_) session.last_contact += pause;
}

bool BrokerLiveness::IsLive(BrokerId broker, Instant now) const {
  const std::optional<Instant> expiry = Expiry(broker);
  return expiry.has_value() && now < *expiry;
}

BrokerEpoch BrokerLiveness::HeardEpoch(BrokerId broker) const {
  const auto it = sessions_.find(broker);
  return it == sessions_.end() ? kNoBrokerEpoch : it->second.heard;
}

std::optional<Instant> BrokerLiveness::Expiry(BrokerId broker) const {
  const auto it = sessions_.find(broker);
  if (it == sessions_.end()) return std::nullopt;
  return it->second.last_contact + session_timeout_;
}

}  // namespace quipu
