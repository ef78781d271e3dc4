#include "broker/control/broker_lifecycle.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/planted_bug.h"
#include "base/version.h"

namespace quipu {
namespace {

// A controller that says nothing for so long is given up, broken stream or not.
constexpr Duration kSilenceMax = std::chrono::milliseconds(1500);

void SetEndpoint(const HostPort& from, record::Endpoint* to) {
  to->set_host(from.host);
  to->set_port(from.port);
}

ErrorCode FromWire(int32_t number) {
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

}  // namespace

BrokerLifecycle::BrokerLifecycle(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports,
                                 std::shared_ptr<ControlChannel> channel, Rng& rng)
    : config_(std::move(config)),
      ports_(ports),
      channel_(std::move(channel)),
      incarnation_(Uuid::Random(rng)) {}

void BrokerLifecycle::Start(Listener listener) {
  listener_ = std::move(listener);
  Tick();
}

void BrokerLifecycle::OnOpened() {
  open_ = true;
  OnHeard();
  if (epoch_ == kNoBrokerEpoch) {
    SendRegister();
  } else {
    SendHeartbeat();
  }
}

void BrokerLifecycle::OnLost() {
  open_ = false;
  ready_ = false;
}

void BrokerLifecycle::OnHeard() { heard_at_ = ports_.control_executor().GetNow().mono; }

void BrokerLifecycle::SendRegister() {
  register_again_ = false;
  message::BrokerToController message;
  auto* request = message.mutable_register_();
  request->set_cluster_id(config_->cluster_id.ToBytes());
  request->set_broker_id(config_->broker_id.value());
  request->set_directory_id(config_->directory_id.ToBytes());
  request->set_incarnation_id(incarnation_.ToBytes());
  request->set_last_broker_epoch(ports_.watermark_file().broker_epoch().value());
  // The mark on the disk stays until the granted epoch is synced: a crash before that registers as
  // unclean again.
  request->set_unclean(ports_.watermark_file().unclean());
  if (IsPlanted(PlantedBug::kUncleanMarkLostEarly)) {
    (void)ports_.watermark_file().StoreBrokerEpoch(ports_.watermark_file().broker_epoch());
  }
  SetEndpoint(config_->client_endpoint, request->mutable_client_endpoint());
  SetEndpoint(config_->peer_endpoint, request->mutable_peer_endpoint());
  if (!config_->kafka_endpoint.host.empty()) {
    SetEndpoint(config_->kafka_endpoint, request->mutable_kafka_endpoint());
  }
  request->set_rack(config_->rack);
  request->set_version(kVersion);
  channel_->Send(std::move(message));
}

void BrokerLifecycle::OnRegistered(const message::RegisterBrokerResponse& response) {
  const ErrorCode error = FromWire(response.error_code());
  if (error == ErrorCode::kNone) {
    if (response.heartbeat_interval_ms() > 0) {
      heartbeat_interval_ = std::chrono::milliseconds(response.heartbeat_interval_ms());
    }
    if (!response.unclean_reason().empty()) {
      LogWarn("broker.registered_unclean",
              {{"broker", config_->broker_id.ToString()}, {"reason", response.unclean_reason()}});
    }
    SyncEpoch(BrokerEpoch(response.broker_epoch()));
    return;
  }
  // The session of a predecessor ends by itself; then the registration is accepted.
  if (IsRetriable(error) || error == ErrorCode::kDuplicateBrokerRegistration) {
    LogWarn("broker.registration_refused",
            {{"error", std::string(ErrorName(error))}, {"detail", response.error_message()}});
    register_again_ = true;
    return;
  }
  ports_.StopProcess(absl::StrCat("the controller refuses broker ", config_->broker_id.ToString(),
                                  ": ", ErrorName(error), ": ", response.error_message()));
}

void BrokerLifecycle::SyncEpoch(BrokerEpoch granted) {
  if (syncing_ != kNoBrokerEpoch && syncing_ >= granted) return;
  syncing_ = granted;
  ports_.log_writer().RunOnWriter([weak = weak_from_this(), granted,
                                   &file = ports_.watermark_file(),
                                   &runner = ports_.control_executor()](LogStore&) {
    const absl::Status status = file.StoreBrokerEpoch(granted);
    runner.Post([weak, granted, status] {
      if (const auto self = weak.lock()) self->OnEpochSynced(granted, status);
    });
  });
}

void BrokerLifecycle::OnEpochSynced(BrokerEpoch granted, const absl::Status& status) {
  if (!status.ok()) {
    ports_.StopProcess(absl::StrCat("the broker epoch cannot be stored: ", status.ToString()));
  }
  if (syncing_ == granted) syncing_ = kNoBrokerEpoch;
  if (epoch_ != kNoBrokerEpoch && granted <= epoch_) return;
  epoch_ = granted;
  LogInfo("broker.registered",
          {{"broker", config_->broker_id.ToString()}, {"epoch", granted.ToString()}});
  listener_.registered(granted);
  if (open_ && !stopped_) SendHeartbeat();
}

void BrokerLifecycle::HeartbeatSoon() {
  if (ready_ && (fenced_ || shutdown_done_ != nullptr)) SendHeartbeat();
}

void BrokerLifecycle::SetDiskStalled(bool stalled) {
  if (std::exchange(disk_stalled_, stalled) == stalled) return;
  if (stalled) {
    LogError("broker.disk_stalled",
             {{"shed_ms", std::to_string(ToMillis(config_->disk_stall.shed))}});
  } else {
    LogInfo("broker.disk_answers", {});
  }
  if (ready_) SendHeartbeat();
}

void BrokerLifecycle::SendHeartbeat() {
  message::BrokerToController message;
  auto* heartbeat = message.mutable_heartbeat();
  heartbeat->set_broker_id(config_->broker_id.value());
  heartbeat->set_broker_epoch(epoch_.value());
  heartbeat->set_metadata_index(metadata_index_.value());
  heartbeat->set_want_shutdown(shutdown_done_ != nullptr);
  heartbeat->set_disk_stalled(disk_stalled_);
  channel_->Send(std::move(message));
}

void BrokerLifecycle::OnHeartbeat(const message::BrokerHeartbeatResponse& response) {
  const ErrorCode error = FromWire(response.error_code());
  if (error == ErrorCode::kStaleBrokerEpoch || error == ErrorCode::kBrokerIdNotRegistered) {
    // An earlier registration of this incarnation was granted after all, or the broker was
    // unregistered: a new registration settles it.
    ready_ = false;
    register_again_ = true;
    return;
  }
  if (error != ErrorCode::kNone) {
    channel_->Fail(absl::StrCat("heartbeat refused: ", ErrorName(error)));
    return;
  }
  channel_->OnServed();
  fenced_ = response.fenced();
  // Only an active controller answers like this: now it may be asked for more.
  if (!std::exchange(ready_, true)) listener_.ready();
  if (response.shall_stop() && shutdown_done_ == nullptr && !std::exchange(told_to_stop_, true)) {
    LogInfo("broker.drained", {{"broker", config_->broker_id.ToString()}});
    ports_.RequestStop();
  }
  if (response.may_shut_down() && shutdown_done_ != nullptr) FinishShutdown();
}

void BrokerLifecycle::Tick() {
  if (stopped_) return;
  if (open_) {
    if (ports_.control_executor().GetNow().mono - heard_at_ > kSilenceMax) {
      channel_->Fail("the controller is silent");
    } else if (register_again_) {
      SendRegister();
    } else if (epoch_ != kNoBrokerEpoch) {
      SendHeartbeat();
    }
  }
  ports_.control_executor().PostAfter(heartbeat_interval_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

void BrokerLifecycle::ControlledShutdown(Duration timeout, std::function<void()> done) {
  shutdown_done_ = std::move(done);
  if (ready_) SendHeartbeat();
  ports_.control_executor().PostAfter(timeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && self->shutdown_done_ != nullptr) self->FinishShutdown();
  });
}

void BrokerLifecycle::FinishShutdown() {
  Stop();
  const std::function<void()> done = std::exchange(shutdown_done_, nullptr);
  done();
}

}  // namespace quipu
