// Joins a generated unary method to a method of BrokerNode.
#pragma once

#include <utility>

#include "broker/broker_node.h"
#include "broker/grpc/services.h"
#include "runtime/grpc/server.h"

namespace quipu {

// `request` is the generated `&Service::RequestX`; `service` is owned by `server`.
template <typename Service, typename Base, typename Request, typename Response>
void AddNodeUnary(GrpcServer& server, Service* service,
                  void (Base::*request)(grpc::ServerContext*, Request*,
                                        grpc::ServerAsyncResponseWriter<Response>*,
                                        grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                        void*),
                  const NodeHolder& node, void (BrokerNode::*handle)(Request, ReplyFn<Response>)) {
  server.AddUnary<Request, Response>(
      [service, request](grpc::ServerContext* context, Request* message,
                         grpc::ServerAsyncResponseWriter<Response>* responder,
                         grpc::ServerCompletionQueue* queue, void* tag) {
        (service->*request)(context, message, responder, queue, queue, tag);
      },
      [&node, handle](Request message, std::function<void(Response)> reply) {
        (node.get()->*handle)(std::move(message), std::move(reply));
      });
}

}  // namespace quipu
