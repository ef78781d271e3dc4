#include "tests/simulation/checkers/client_history.h"

#include <cstdio>

#include "base/check.h"
#include "tests/history/anomalies.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

using history::Event;
using history::EventKind;
using history::EventType;

}  // namespace

std::string ToValue(const SentPayment& payment) {
  return std::to_string(payment.id) + ' ' + std::to_string(payment.sequence) + ' ' + payment.to +
         ' ' + std::to_string(payment.amount);
}

Event& ClientHistory::Add(int64_t process, EventType type, EventKind kind) {
  if (open_poll_) Told(events_.back());
  open_poll_ = false;
  Event& event = events_.emplace_back();
  event.process = process;
  event.time_ns = world_.now().time_since_epoch().count();
  event.type = type;
  event.kind = kind;
  return event;
}

void ClientHistory::OnSend(int producer, const SentPayment& payment) {
  Event& event = Add(producer, EventType::kInvoke, EventKind::kTransfer);
  event.value = static_cast<int64_t>(payment.id);
  event.key = payment.account;
  event.transfer = {.from = payment.account, .to = payment.to, .amount = payment.amount};
  Told(event);
}

void ClientHistory::OnAcknowledged(int producer, uint64_t id, PartitionIndex partition,
                                   Offset offset) {
  Event& event = Add(producer, EventType::kOk, EventKind::kTransfer);
  event.value = static_cast<int64_t>(id);
  event.partition = partition.value();
  event.offset = offset == kNoOffset ? history::kNone : offset.value();
  Told(event);
}

void ClientHistory::End(int producer, uint64_t id, EventType type) {
  Event& event = Add(producer, type, EventKind::kTransfer);
  event.value = static_cast<int64_t>(id);
  Told(event);
}

void ClientHistory::OnAssigned(int64_t reader, PartitionIndex partition, Offset start) {
  Event& event = Add(reader, EventType::kOk, EventKind::kAssign);
  event.partition = partition.value();
  event.offset = start.value();
  Told(event);
}

void ClientHistory::OnRead(int64_t reader, PartitionIndex partition, Offset offset,
                           absl::string_view account, absl::string_view value) {
  const bool goes_on = open_poll_ && events_.back().process == reader &&
                       events_.back().partition == partition.value();
  if (!goes_on) {
    Event& event = Add(reader, EventType::kOk, EventKind::kPoll);
    event.partition = partition.value();
    open_poll_ = true;
  }
  history::Record record{.offset = offset.value(),
                         .value = history::kNone,
                         .has_transfer = true,
                         .transfer = {.from = std::string(account), .to = {}, .amount = 0}};
  char to[64] = {};
  unsigned long long sequence = 0;
  long long id = 0;
  long long amount = 0;
  const std::string text(value);
  const int fields = std::sscanf(text.c_str(), "%lld %llu %63s %lld", &id, &sequence, to, &amount);
  Require(fields == 4, "I62", [&] { return "a record that nobody can have sent: " + text; });
  record.value = id;
  record.transfer.to = to;
  record.transfer.amount = amount;
  events_.back().records.push_back(std::move(record));
}

void ClientHistory::Check(bool complete) const {
  const history::Report report = history::FindAnomalies(events_, {.complete = complete});
  for (const history::Anomaly& anomaly : report.anomalies) {
    throw Violation{anomaly.name, anomaly.what};
  }
}

}  // namespace quipu::sim
