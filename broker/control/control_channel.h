// The stream to the active controller: tries the configured controllers in turn until one serves,
// and again when it breaks. Control executor only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/rng.h"
#include "broker/broker_config.h"
#include "broker/broker_ports.h"

namespace quipu {

class ControlChannel : public std::enable_shared_from_this<ControlChannel> {
 public:
  struct Listener {
    std::function<void()> opened;  // a stream is there; nobody knows yet whether it serves
    std::function<void(message::ControllerToBroker)> message;
    std::function<void()> lost;  // comes before any other `opened`
  };
  ControlChannel(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports, Rng rng)
      : config_(std::move(config)), ports_(ports), rng_(rng) {}

  ~ControlChannel() {
    if (sender_ != nullptr) sender_->Close(absl::CancelledError("broker stops"));
  }

  void Start(Listener listener);
  // Lost silently while no stream is open; `lost` tells.
  void Send(message::BrokerToController message);
  // This controller does not serve: on to the next one.
  void Fail(const std::string& reason);
  // It does: a later failure begins a new round.
  void OnServed() { failures_ = 0; }
  void Stop();

 private:
  void Open();
  void OnClosed(uint64_t generation, const std::string& reason);

  const std::shared_ptr<const BrokerConfig> config_;
  BrokerPorts& ports_;
  Rng rng_;
  Listener listener_;
  std::unique_ptr<MessageSender<message::BrokerToController>> sender_;
  uint64_t generation_ = 0;  // of the open stream; 0: none
  uint64_t next_generation_ = 1;
  size_t next_controller_ = 0;
  size_t failures_ = 0;  // since a controller served
  bool stopped_ = false;
};

}  // namespace quipu
