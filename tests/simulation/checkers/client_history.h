// What the simulated clients did and saw, as a history for the anomaly checker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "core/client/consumer_types.h"
#include "tests/history/history.h"
#include "tests/simulation/world.h"

namespace quipu::sim {

// One payment, as the workload knows it: a transfer that is keyed by the account it comes from.
struct SentPayment {
  uint64_t id = 0;        // unique in the run
  std::string account;    // the key
  uint64_t sequence = 0;  // per account, from 0
  std::string to;
  int64_t amount = 0;
};

// "id sequence to amount".
std::string ToValue(const SentPayment& payment);

class ClientHistory {
 public:
  explicit ClientHistory(const World& world) : world_(world) {}

  void OnSend(int producer, const SentPayment& payment);
  // `offset` is kNoOffset where the answer names none.
  void OnAcknowledged(int producer, uint64_t id, PartitionIndex partition, Offset offset);
  void OnRefused(int producer, uint64_t id) { End(producer, id, history::EventType::kFail); }
  void OnUnknown(int producer, uint64_t id) { End(producer, id, history::EventType::kInfo); }

  // A number for a reader that has read nothing yet.
  int64_t NewReader() { return ++readers_; }
  void OnAssigned(int64_t reader, PartitionIndex partition, Offset start);
  // Records of one poll: those of one partition in a row make one event.
  void OnPollBegins() { open_poll_ = false; }
  void OnRead(int64_t reader, PartitionIndex partition, Offset offset, absl::string_view account,
              absl::string_view value);

  [[nodiscard]] const std::vector<history::Event>& events() const { return events_; }
  // Called with each event but polls, and with each poll when the next event comes.
  std::function<void(const history::Event&)> on_event;
  // Throws a Violation named after the first anomaly. `complete`: readers have read to the end.
  void Check(bool complete) const;

 private:
  history::Event& Add(int64_t process, history::EventType type, history::EventKind kind);
  void End(int producer, uint64_t id, history::EventType type);
  void Told(const history::Event& event) const {
    if (on_event) on_event(event);
  }

  const World& world_;
  // Bounded by what the clients of one run can do.
  std::vector<history::Event> events_;
  bool open_poll_ = false;
  int64_t readers_ = 1000;  // above all producers
};

}  // namespace quipu::sim
