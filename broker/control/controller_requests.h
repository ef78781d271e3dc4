// What a broker asks of the active controller besides its own life: ISR changes of all shards in
// one message, admin requests of clients, blocks of producer ids. Control executor only.
//
// An ISR change or admin request that was sent and not answered when the stream breaks has an
// unknown outcome, and is reported as such (kRequestTimedOut). One that a controller refused for
// not being active was not done and is sent again to the next one.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/time.h"
#include "broker/broker_config.h"
#include "broker/control/control_channel.h"
#include "broker/shard/shard_requests.h"
#include "proto/message/control.pb.h"

namespace quipu {

class ControllerRequests {
 public:
  using AdminDone = std::function<void(message::AdminResponse)>;
  // `error` kNone: ids [first, first + count) are the broker's.
  using AllocateDone = std::function<void(ErrorCode error, ProducerId first, int32_t count)>;

  // `on_isr` gets the outcome of each proposal. `channel` must outlive it.
  ControllerRequests(std::shared_ptr<const BrokerConfig> config, ControlChannel& channel,
                     std::function<void(const IsrResult&)> on_isr)
      : config_(std::move(config)), channel_(channel), on_isr_(std::move(on_isr)) {}

  void ProposeIsr(IsrProposal proposal);
  // At most kAdminRequestsMax of kAdminBytesMax together wait at a time; more are answered with
  // kLimitReached. One of more than kAdminRequestBytesMax is refused with kInvalidRequest, one with
  // a text that is not UTF-8 with kInvalidTopic or kInvalidConfig: the controller would end the
  // stream for either, and with it all that others have asked.
  void Admin(message::AdminRequest request, Instant now, AdminDone done);
  void AllocateProducerIds(Instant now, AllocateDone done);

  // The stream serves under `epoch`: what waits is sent.
  void OnReady(BrokerEpoch epoch);
  // The stream is gone.
  void OnLost();
  // True when the message was an answer to one of these requests.
  bool OnMessage(const message::ControllerToBroker& message);
  // Time-outs. To be called about every second.
  void OnTime(Instant now);
  void FailAll(ErrorCode error);
  // Admin requests that wait for their answer.
  [[nodiscard]] size_t admin_requests() const { return admin_waiting_.size() + admin_sent_.size(); }

  static constexpr size_t kAdminRequestsMax = 1000;
  static constexpr size_t kAdminRequestBytesMax = size_t{4} << 20;  // a stream takes 16 MiB
  static constexpr size_t kAdminBytesMax = size_t{32} << 20;        // a stream queues 64 MiB

 private:
  struct AdminCall {
    message::AdminRequest request;
    size_t bytes;
    Instant deadline;
    AdminDone done;
  };
  struct AllocateCall {
    Instant deadline;
    AllocateDone done;
  };

  void Flush();
  void SendIsr();
  // Each proposal is answered once, also one that a newer one has made needless.
  void AnswerUnsent(const IsrProposal& proposal);
  [[nodiscard]] size_t AdminBytes() const;
  void SendAdmin(AdminCall call);
  void OnIsrAnswer(const message::AlterPartitionsResponse& response);
  static void OnAllocated(AllocateCall call, const message::AllocateProducerIdsResponse& response);
  bool OnNotController(uint64_t request_id);

  const std::shared_ptr<const BrokerConfig> config_;
  ControlChannel& channel_;
  const std::function<void(const IsrResult&)> on_isr_;
  bool ready_ = false;
  BrokerEpoch epoch_ = kNoBrokerEpoch;
  uint64_t next_request_id_ = 1;

  // Newest proposal of each partition, waiting; and the one message on its way.
  absl::btree_map<PartitionUid, IsrProposal> isr_waiting_;
  uint64_t isr_request_ = 0;
  absl::btree_map<PartitionUid, IsrProposal> isr_sent_;

  std::deque<AdminCall> admin_waiting_;
  absl::btree_map<uint64_t, AdminCall> admin_sent_;
  std::deque<AllocateCall> allocate_waiting_;
  absl::btree_map<uint64_t, AllocateCall> allocate_sent_;
};

}  // namespace quipu
