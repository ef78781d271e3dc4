#include "controller/broker_sessions.h"

#include "base/check.h"
#include "base/error_code.h"

namespace quipu {

void BrokerSessions::Open(const ControlStreamPtr& stream) {
  QUIPU_CHECK(stream->number == 0);
  stream->number = next_number_++;
  if (streams_.size() >= kStreamsMax) {
    stream->open = false;
    stream->sender->Close(ToStatus(ErrorCode::kLimitReached, "too many control streams"));
    return;
  }
  streams_[stream->number] = stream;
}

void BrokerSessions::Bind(const ControlStreamPtr& stream, BrokerId broker) {
  QUIPU_CHECK(stream->open);
  if (stream->broker == broker) return;
  if (stream->broker != kNoBroker) by_broker_.erase(stream->broker);
  const auto it = by_broker_.find(broker);
  if (it != by_broker_.end()) {
    const ControlStreamPtr older = it->second;
    Close(older, ToStatus(ErrorCode::kClosed, "the broker has opened another control stream"));
  }
  stream->broker = broker;
  by_broker_[broker] = stream;
}

BrokerId BrokerSessions::Remove(const ControlStreamPtr& stream) {
  stream->open = false;
  streams_.erase(stream->number);
  const auto it = by_broker_.find(stream->broker);
  if (it == by_broker_.end() || it->second != stream) return kNoBroker;
  by_broker_.erase(it);
  return stream->broker;
}

void BrokerSessions::Close(const ControlStreamPtr& stream, const absl::Status& reason) {
  Remove(stream);
  stream->sender->Close(reason);
}

void BrokerSessions::CloseAll(const absl::Status& reason) {
  while (!streams_.empty()) {
    const ControlStreamPtr stream = streams_.begin()->second;
    Close(stream, reason);
  }
  QUIPU_CHECK(by_broker_.empty());
}

}  // namespace quipu
