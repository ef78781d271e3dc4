// Joins a generated unary method to a method of BrokerNode.
#pragma once

#include <string>
#include <utility>

#include "broker/broker_node.h"
#include "broker/grpc/services.h"
#include "runtime/grpc/server.h"

namespace quipu {

// `full_name` ("Broker/Metadata") is what metrics call it; `request` is the generated
// `&Service::RequestX`; `service` is owned by `server`.
template <typename Service, typename Base, typename Request, typename Response>
void AddNodeUnary(GrpcServer& server, std::string full_name, Service* service,
                  void (Base::*request)(grpc::ServerContext*, Request*,
                                        grpc::ServerAsyncResponseWriter<Response>*,
                                        grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                                        void*),
                  const NodeHolder& node, void (BrokerNode::*handle)(Request, ReplyFn<Response>)) {
  server.AddUnary<Request, Response>(
      std::move(full_name),
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
