#include "broker/control/broker_control.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/planted_bug.h"
#include "core/metadata/dynamic_config.h"

namespace quipu {
namespace {

constexpr Duration kTickInterval = std::chrono::seconds(1);

}  // namespace

BrokerControl::BrokerControl(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports,
                             std::shared_ptr<SharedState> shared, Rng& rng, Listener listener)
    : config_(std::move(config)),
      ports_(ports),
      shared_(std::move(shared)),
      listener_(std::move(listener)),
      channel_(std::make_shared<ControlChannel>(config_, ports, rng.Fork())),
      lifecycle_(std::make_shared<BrokerLifecycle>(config_, ports, channel_, rng)),
      disk_stall_(config_->disk_stall),
      requests_(config_, *channel_,
                [this](const IsrResult& result) { listener_.isr_result(result); }),
      producer_ids_(requests_) {}

void BrokerControl::Post(std::function<void(BrokerControl&)> work) {
  ports_.control_executor().Post([weak = weak_from_this(), work = std::move(work)] {
    if (const auto self = weak.lock()) work(*self);
  });
}

void BrokerControl::Start() {
  Post([](BrokerControl& self) {
    const std::weak_ptr<BrokerControl> weak = self.weak_from_this();
    auto with = [weak](auto work) {
      return [weak, work](auto&&... args) {
        if (const auto alive = weak.lock()) work(*alive, std::forward<decltype(args)>(args)...);
      };
    };
    self.lifecycle_->Start({.registered = with([](BrokerControl& at, BrokerEpoch epoch) {
                              at.shared_->broker_epoch.store(epoch.value(),
                                                             std::memory_order_relaxed);
                              at.Publish();
                            }),
                            .ready = with([](BrokerControl& at) { at.OnReady(); })});
    self.channel_->Start(
        {.opened = with([](BrokerControl& at) { at.OnOpened(); }),
         .message = with([](BrokerControl& at, const message::ControllerToBroker& message) {
           at.OnMessage(message);
         }),
         .lost = with([](BrokerControl& at) {
           at.lifecycle_->OnLost();
           at.requests_.OnLost();
         })});
    self.Tick();
    self.WatchDisk();
  });
}

void BrokerControl::OnOpened() {
  follower_.OnStreamOpened();
  lifecycle_->OnOpened();
}

void BrokerControl::OnReady() {
  message::BrokerToController subscribe;
  subscribe.mutable_subscribe()->set_next_index(follower_.next_index());
  channel_->Send(std::move(subscribe));
  requests_.OnReady(lifecycle_->epoch());
}

void BrokerControl::OnMessage(const message::ControllerToBroker& message) {
  lifecycle_->OnHeard();
  if (requests_.OnMessage(message)) return;
  if (message.has_not_controller()) {
    channel_->Fail("not the active controller");
  } else if (message.has_register_()) {
    lifecycle_->OnRegistered(message.register_());
  } else if (message.has_heartbeat()) {
    lifecycle_->OnHeartbeat(message.heartbeat());
  } else if (message.has_metadata()) {
    OnMetadata(message.metadata());
  }
}

void BrokerControl::OnMetadata(const message::MetadataUpdate& update) {
  const MetadataFollower::Outcome outcome = follower_.OnUpdate(update);
  shared_->controller.store(follower_.controller().value(), std::memory_order_relaxed);
  if (outcome == MetadataFollower::Outcome::kGap) {
    channel_->Fail("the metadata has a gap");
    return;
  }
  if (outcome == MetadataFollower::Outcome::kNothingNew) return;
  lifecycle_->SetMetadataIndex(follower_.index());
  shared_->SetImage(follower_.image());
  ApplyDynamicConfigs();
  Publish();
  lifecycle_->HeartbeatSoon();
}

void BrokerControl::ApplyDynamicConfigs() {
  const MetadataImagePtr& image = follower_.image();
  if (image == nullptr) return;
  const BrokerId self = config_->broker_id;
  shared_->disk_free_bytes_min.store(
      DynamicConfigValue(*image, self, kDiskFreeBytesMinKey, config_->disk_free_bytes_min),
      std::memory_order_relaxed);
  shared_->in_flight_bytes_max.store(
      static_cast<size_t>(DynamicConfigValue(*image, self, kInFlightBytesMaxKey,
                                             static_cast<int64_t>(config_->in_flight_bytes_max))),
      std::memory_order_relaxed);
}

void BrokerControl::DescribeConfigs(ControllerRequests::AdminDone done) {
  Post([done = std::move(done)](BrokerControl& self) {
    message::AdminResponse response;
    const MetadataImagePtr& image = self.follower_.image();
    if (image == nullptr) {
      response.set_error_code(static_cast<int32_t>(ErrorCode::kLeaderNotAvailable));
      response.set_error_message("the broker has no metadata yet");
      done(response);
      return;
    }
    message::DescribeConfigsResult* result = response.mutable_describe_configs();
    for (const DynamicConfigSpec& spec : DynamicConfigSpecs()) {
      if (!spec.per_broker) continue;
      const int64_t own = spec.key == kDiskFreeBytesMinKey
                              ? self.config_->disk_free_bytes_min
                              : static_cast<int64_t>(self.config_->in_flight_bytes_max);
      *result->add_configs() = DescribeDynamicConfig(spec, *image, self.config_->broker_id, own);
    }
    done(response);
  });
}

void BrokerControl::Publish() {
  const MetadataImagePtr& image = follower_.image();
  const BrokerEpoch epoch = lifecycle_->epoch();
  if (image == nullptr || epoch == kNoBrokerEpoch) return;
  // Whatever an image from before this registration says of this broker is about an earlier life:
  // acting on it would lead on in an old epoch (PR4, R25).
  const bool knows_us = image->index().value() >= static_cast<uint64_t>(epoch.value());
  if (!knows_us && !IsPlanted(PlantedBug::kSameEpochAfterRestart)) return;
  listener_.act(image, epoch);
}

void BrokerControl::Tick() {
  requests_.OnTime(GetInstant());
  shared_->admin_requests.store(requests_.admin_requests(), std::memory_order_relaxed);
  CheckDisk();
  ports_.control_executor().PostAfter(kTickInterval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

void BrokerControl::CheckDisk() {
  const int64_t free_bytes = ports_.disk_free_bytes();
  const int64_t wanted = shared_->disk_free_bytes_min.load(std::memory_order_relaxed);
  const bool full = free_bytes < wanted;
  if (full == shared_->disk_full.exchange(full, std::memory_order_relaxed)) return;
  if (full) {
    LogError("broker.disk_full", {{"free_bytes", std::to_string(free_bytes)},
                                  {"wanted_bytes", std::to_string(wanted)}});
  } else {
    LogInfo("broker.disk_has_space", {{"free_bytes", std::to_string(free_bytes)}});
  }
}

void BrokerControl::WatchDisk() {
  const Duration in_progress = ports_.disk_write_in_progress();
  const DiskStall::Verdict verdict = disk_stall_.Look(GetInstant(), in_progress);
  if (verdict == DiskStall::Verdict::kExit) {
    ports_.StopProcess(absl::StrCat(
        "the disk has not answered for ", ToMillis(in_progress), " ms (quipu.disk.stall.exit.ms=",
        ToMillis(config_->disk_stall.exit), "): see to it, then start the broker again"));
  }
  lifecycle_->SetDiskStalled(verdict == DiskStall::Verdict::kStalled);
  ports_.control_executor().PostAfter(disk_stall_.interval(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->WatchDisk();
  });
}

void BrokerControl::ProposeIsr(IsrProposal proposal) {
  Post([proposal = std::move(proposal)](BrokerControl& self) {
    self.requests_.ProposeIsr(proposal);
  });
}

void BrokerControl::Admin(message::AdminRequest request, ControllerRequests::AdminDone done) {
  Post([request = std::move(request), done = std::move(done)](BrokerControl& self) {
    self.requests_.Admin(request, self.GetInstant(), done);
  });
}

void BrokerControl::InitProducerId(message::InitProducerIdRequest request, ProducerIds::Done done) {
  Post([request = std::move(request), done = std::move(done)](BrokerControl& self) {
    self.producer_ids_.Init(request, self.GetInstant(), done);
  });
}

void BrokerControl::ControlledShutdown(Duration timeout, std::function<void()> done) {
  Post([timeout, done = std::move(done)](BrokerControl& self) {
    self.lifecycle_->ControlledShutdown(timeout, done);
  });
}

void BrokerControl::FailAll(ErrorCode error) {
  Post([error](BrokerControl& self) {
    self.lifecycle_->Stop();
    self.channel_->Stop();
    self.requests_.FailAll(error);
  });
}

}  // namespace quipu
