// Producer ids: taken from blocks that the controller grants to this broker, so that no id is ever
// given twice in the cluster. Control executor only.
#pragma once

#include <deque>
#include <functional>

#include "broker/control/controller_requests.h"
#include "proto/message/client.pb.h"

namespace quipu {

class ProducerIds {
 public:
  using Done = std::function<void(message::InitProducerIdResponse)>;

  // `requests` must outlive it.
  explicit ProducerIds(ControllerRequests& requests) : requests_(requests) {}

  // Without an id: a new one, epoch 0. With one: the next epoch of it, which fences the former
  // instance at its first batch on each partition; after the last epoch, a new id. At most
  // kWaitersMax wait for a block; more are answered with kLimitReached.
  void Init(const message::InitProducerIdRequest& request, Instant now, Done done);

  static constexpr size_t kWaitersMax = 10000;

 private:
  void Give(const Done& done);
  void OnBlock(ErrorCode error, ProducerId first, int32_t count, Instant now);
  void Ask(Instant now);

  ControllerRequests& requests_;
  ProducerId next_{0};
  ProducerId end_{0};
  bool asking_ = false;
  std::deque<Done> waiting_;
};

}  // namespace quipu
