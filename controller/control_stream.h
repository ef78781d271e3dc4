// One broker's open control stream, as the controller's executor sees it.
#pragma once

#include <cstdint>
#include <memory>

#include "base/ids.h"
#include "proto/message/control.pb.h"
#include "runtime/message_stream.h"

namespace quipu {

using ControlSender = MessageSender<message::ControllerToBroker>;

// Made on any thread, then touched on the executor only.
struct ControlStream {
  std::shared_ptr<ControlSender> sender;
  bool open = true;
  // Rises with each stream that this process accepts; 0 until the executor has seen it.
  uint64_t number = 0;
  // The broker that speaks here, once it has proved its epoch; else kNoBroker.
  BrokerId broker = kNoBroker;
};

using ControlStreamPtr = std::shared_ptr<ControlStream>;

}  // namespace quipu
