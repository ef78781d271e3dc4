// Requests that the controllers decide: several of them to one answer.
#pragma once

#include <cstddef>
#include <map>
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

// Asks all, in order, and answers once every one has: `fill(response, place, result)` for each,
// from any thread, one at a time.
template <typename Response, typename Fill>
void AskControllers(BrokerNode& node, const KafkaCallPtr& call, Response response,
                    std::vector<AdminCall> asked, Fill fill) {
  const size_t count = asked.size();
  Gather<Response>::Run(
      std::move(response), count, kAskedAtOnceMax,
      [&node, fill, asked = std::move(asked)](const auto& gather, size_t slot) mutable {
        node.Admin(std::move(asked[slot].request),
                   [gather, fill, place = asked[slot].place](const message::AdminResponse& result) {
                     gather->Complete([&](Response& all) { fill(all, place, result); });
                   });
      },
      [call](const Response& all) { call->Answer(all); });
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
