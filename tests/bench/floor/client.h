// The client of the chain.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/bench/floor/chain.h"

namespace quipu::floor {

// Sends batches over `connection`, at a rate (open loop: each when it is due, whatever is still to
// be acknowledged) or as many as `in_flight` lets through, and takes the acknowledgements.
class Client {
 public:
  using Clock = std::chrono::steady_clock;

  Client(const ChainOptions& options, int connection);
  // Until the time is over and all that was sent is acknowledged.
  ChainResult Run();

 private:
  [[nodiscard]] Clock::time_point DueAt(uint64_t batch) const;
  // True: one more batch may be sent now.
  [[nodiscard]] bool MaySend(Clock::time_point now) const;
  void Send();
  void FillBatch();
  void Wait(Clock::time_point now);
  void TakeAcknowledgements();

  const ChainOptions& options_;
  const int connection_;
  std::string batch_;
  std::string record_;
  Clock::time_point start_, measured_from_, end_;
  uint64_t begun_ = 0;         // batches of which the first byte may have been sent
  size_t left_ = 0;            // bytes of the last begun batch that are not
  bool blocked_ = false;       // the socket is full
  uint64_t acknowledged_ = 0;  // batches
  uint64_t position_ = 0;      // the last that was told
  ChainResult result_;
};

}  // namespace quipu::floor
