// Everything of a broker that talks to the controllers, on the control executor: the stream, the
// life cycle, the metadata, requests on behalf of shards and clients. Besides that, what the broker
// does once a second.
#pragma once

#include <functional>
#include <memory>

#include "broker/control/broker_lifecycle.h"
#include "broker/control/control_channel.h"
#include "broker/control/controller_requests.h"
#include "broker/control/metadata_follower.h"
#include "broker/control/producer_ids.h"
#include "broker/shared_state.h"

namespace quipu {

class BrokerControl : public std::enable_shared_from_this<BrokerControl> {
 public:
  struct Listener {
    // A newer image, at or after the registration under `epoch`: shards may act on it.
    std::function<void(MetadataImagePtr image, BrokerEpoch epoch)> act;
    std::function<void(const IsrResult&)> isr_result;
  };
  BrokerControl(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports,
                std::shared_ptr<SharedState> shared, Rng& rng, Listener listener);

  // ---- any thread ----
  void Start();
  void ProposeIsr(IsrProposal proposal);
  void Admin(message::AdminRequest request, ControllerRequests::AdminDone done);
  // This broker's settings that can be changed at run time.
  void DescribeConfigs(ControllerRequests::AdminDone done);
  void InitProducerId(message::InitProducerIdRequest request, ProducerIds::Done done);
  void ControlledShutdown(Duration timeout, std::function<void()> done);
  // Answers everything that waits here; nothing is sent any more.
  void FailAll(ErrorCode error);

 private:
  void Post(std::function<void(BrokerControl&)> work);
  [[nodiscard]] Instant GetInstant() const { return ports_.control_executor().GetNow().mono; }
  void OnOpened();
  void OnMessage(const message::ControllerToBroker& message);
  void OnReady();
  void OnMetadata(const message::MetadataUpdate& update);
  // Takes over what the newest image sets at run time.
  void ApplyDynamicConfigs();
  void Publish();
  void Tick();
  void CheckDisk();
  // Looks at the write under way, again and again (D6).
  void WatchDisk();

  const std::shared_ptr<const BrokerConfig> config_;
  BrokerPorts& ports_;
  const std::shared_ptr<SharedState> shared_;
  const Listener listener_;
  const std::shared_ptr<ControlChannel> channel_;
  const std::shared_ptr<BrokerLifecycle> lifecycle_;
  MetadataFollower follower_;
  DiskStall disk_stall_;
  ControllerRequests requests_;
  ProducerIds producer_ids_;
};

}  // namespace quipu
