// Requests that the controllers decide: several of them to one answer.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker_node.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/kafka_call.h"
#include "broker/kafka/wire_error.h"

namespace quipu::kafka {

// One of them, for the element `place` of the answer.
struct AdminCall {
  size_t place = 0;
  message::AdminRequest request;
};

// Under way at a time for one answer: what a client asks for must not take all the room that a
// broker has for requests to the controllers.
inline constexpr size_t kAdminCallsAtOnceMax = 100;

// Asks all, in order, and answers once every one has: `fill(response, place, result)` for each,
// from any thread, one at a time.
template <typename Response, typename Fill>
class AdminCalls : public std::enable_shared_from_this<AdminCalls<Response, Fill>> {
 public:
  AdminCalls(BrokerNode& node, const KafkaCallPtr& call, Response response,
             std::vector<AdminCall> asked, Fill fill)
      : node_(node),
        asked_(std::move(asked)),
        fill_(std::move(fill)),
        gather_(Gather<Response>::Make(std::move(response), asked_.size(),
                                       [call](const Response& all) { call->Answer(all); })) {}

  void Start() {
    for (size_t i = 0; i < kAdminCallsAtOnceMax; ++i) AskNext();
  }

 private:
  void AskNext() {
    const size_t next = next_.fetch_add(1);
    if (next >= asked_.size()) return;
    node_.Admin(std::move(asked_[next].request),
                [self = this->shared_from_this(), next](const message::AdminResponse& result) {
                  self->gather_->Complete(
                      [&](Response& all) { self->fill_(all, self->asked_[next].place, result); });
                  self->AskNext();
                });
  }

  BrokerNode& node_;
  std::vector<AdminCall> asked_;
  const Fill fill_;
  const std::shared_ptr<Gather<Response>> gather_;
  std::atomic<size_t> next_{0};
};

template <typename Response, typename Fill>
void AskControllers(BrokerNode& node, const KafkaCallPtr& call, Response response,
                    std::vector<AdminCall> asked, Fill fill) {
  std::make_shared<AdminCalls<Response, Fill>>(node, call, std::move(response), std::move(asked),
                                               std::move(fill))
      ->Start();
}

// What became of one, into the fields that every such answer has.
template <typename Out>
void SetOutcome(const message::AdminResponse& result, Out& out) {
  out.error_code = AdminError(ErrorOf(result.error_code()));
  if (out.error_code != ErrorCode::kNone) out.error_message = result.error_message();
}
template <typename Out>
void Refuse(ErrorCode error, std::string message, Out& out) {
  out.error_code = error;
  out.error_message = std::move(message);
}

// Of elements with the same key leaves the first alone. Returns the keys that there were several
// of: what is named more than once is refused, as in Kafka.
template <typename Element, typename KeyOf>
auto DropRepeated(std::vector<Element>& elements, KeyOf key_of) {
  std::map<decltype(key_of(elements.front())), size_t> times;
  std::erase_if(elements, [&](const Element& element) { return ++times[key_of(element)] > 1; });
  std::erase_if(times, [](const auto& item) { return item.second == 1; });
  return times;
}
template <typename Out>
void RefuseRepeated(Out& out) {
  Refuse(ErrorCode::kInvalidRequest, "the request names it more than once", out);
}

// A topic that FindTopic did not find.
template <typename Out>
void RefuseTopic(ErrorCode error, Out& out) {
  Refuse(error, std::string(ErrorDescription(error)), out);
}

}  // namespace quipu::kafka
