// Requests that the controllers decide: several of them to one answer.
#pragma once

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

// Asks all, and answers once every one has: `fill(response, place, result)` for each, from any
// thread, one at a time.
template <typename Response, typename Fill>
void AskControllers(BrokerNode& node, const KafkaCallPtr& call, Response response,
                    std::vector<AdminCall> asked, Fill fill) {
  const auto gather = Gather<Response>::Make(std::move(response), asked.size(),
                                             [call](const Response& all) { call->Answer(all); });
  for (AdminCall& one : asked) {
    node.Admin(std::move(one.request),
               [gather, place = one.place, fill](const message::AdminResponse& result) {
                 gather->Complete([&](Response& all) { fill(all, place, result); });
               });
  }
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

}  // namespace quipu::kafka
