// A broker's life in the eyes of the controller: registration, heartbeats, controlled shutdown.
//
// Every process start is a new incarnation and gets a new broker epoch (PR4). The epoch is synced
// to the watermark file before the first heartbeat under it, so that a disk rolled back to an older
// state betrays itself at the next registration (D4, S15). A directory whose log is unproven says
// so in its registration, again after each crash, until the controllers have committed it. Control
// executor only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/rng.h"
#include "broker/broker_config.h"
#include "broker/broker_ports.h"
#include "broker/control/control_channel.h"

namespace quipu {

class BrokerLifecycle : public std::enable_shared_from_this<BrokerLifecycle> {
 public:
  struct Listener {
    // `epoch` is granted and synced.
    std::function<void(BrokerEpoch epoch)> registered;
    // The open stream leads to the active controller, and this broker may talk to it.
    std::function<void()> ready;
  };
  BrokerLifecycle(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports,
                  std::shared_ptr<ControlChannel> channel, Rng& rng);

  void Start(Listener listener);
  void OnOpened();
  void OnLost();
  void OnRegistered(const message::RegisterBrokerResponse& response);
  void OnHeartbeat(const message::BrokerHeartbeatResponse& response);
  // Anything came from the controller: it is alive.
  void OnHeard();

  // News were applied: a fenced broker may be caught up now, and one that stops may be free to go;
  // neither need wait for its next turn.
  void HeartbeatSoon();

  // Asks the controller to move leadership away; `done` is called once, at latest after `timeout`.
  void ControlledShutdown(Duration timeout, std::function<void()> done);
  void Stop() { stopped_ = true; }

  [[nodiscard]] BrokerEpoch epoch() const { return epoch_; }
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool fenced() const { return fenced_; }
  // Tells the controller at once when it changes: leaders are to be elsewhere while the disk does
  // not answer (D6).
  void SetDiskStalled(bool stalled);
  // Tells heartbeats the newest metadata applied.
  void SetMetadataIndex(LogIndex index) { metadata_index_ = index; }

 private:
  void SendRegister();
  void SyncEpoch(BrokerEpoch granted);
  void OnEpochSynced(BrokerEpoch granted, const absl::Status& status);
  void SendHeartbeat();
  void Tick();
  void FinishShutdown();

  const std::shared_ptr<const BrokerConfig> config_;
  BrokerPorts& ports_;
  const std::shared_ptr<ControlChannel> channel_;
  const Uuid incarnation_;
  Listener listener_;

  BrokerEpoch epoch_ = kNoBrokerEpoch;
  BrokerEpoch syncing_ = kNoBrokerEpoch;
  bool open_ = false;
  bool ready_ = false;
  bool fenced_ = true;
  bool stopped_ = false;
  bool disk_stalled_ = false;
  bool told_to_stop_ = false;    // a drain has ended, and the process was asked to stop
  bool register_again_ = false;  // refused for now: at the next tick
  LogIndex metadata_index_{0};
  Instant heard_at_;
  Duration heartbeat_interval_ = std::chrono::milliseconds(500);
  std::function<void()> shutdown_done_;
};

}  // namespace quipu
