#include "tests/history/history_index.h"

#include <algorithm>

namespace quipu::history {

void Findings::Add(const char* name, const std::function<std::string()>& what) {
  Anomaly& anomaly = found_[name];
  if (anomaly.count++ > 0) return;
  anomaly.name = name;
  anomaly.what = what();
}

std::vector<Anomaly> Findings::Take() {
  std::vector<Anomaly> anomalies;
  for (auto& [name, anomaly] : found_) anomalies.push_back(std::move(anomaly));
  return anomalies;
}

std::string ToText(const Place& place) {
  return "partition " + std::to_string(place.first) + " offset " + std::to_string(place.second);
}

HistoryIndex::HistoryIndex(std::vector<Event> events, Findings& findings)
    : events_(std::move(events)), findings_(findings) {
  std::stable_sort(events_.begin(), events_.end(),
                   [](const Event& a, const Event& b) { return a.time_ns < b.time_ns; });
  // All invocations first: the outcome of a send may be written down at the same moment.
  for (const Event& event : events_) {
    const bool sends = event.kind == EventKind::kSend || event.kind == EventKind::kTransfer;
    if (sends && event.type == EventType::kInvoke) ReadInvoke(event);
  }
  for (const Event& event : events_) {
    switch (event.kind) {
      case EventKind::kSend:
      case EventKind::kTransfer:
        if (event.type != EventType::kInvoke) ReadOutcome(event);
        break;
      case EventKind::kPoll:
        if (event.type == EventType::kOk) ReadPoll(event);
        break;
      case EventKind::kAssign:
        break;
    }
  }
  Rank();
}

void HistoryIndex::ReadInvoke(const Event& event) {
  ++batches_;
  const auto add = [&](int64_t value) {
    if (!by_value_.emplace(value, sends_.size()).second) {
      findings_.Add("malformed",
                    [&] { return "value " + std::to_string(value) + " is sent twice"; });
      return;
    }
    sends_.push_back({.value = value,
                      .process = event.process,
                      .key = event.key,
                      .invoked_ns = event.time_ns,
                      .ended_ns = kNone,
                      .outcome = EventType::kInfo,
                      .partition = event.partition,
                      .offset = kNone,
                      .batch = batches_,
                      .is_transfer = event.kind == EventKind::kTransfer,
                      .transfer = event.transfer});
  };
  if (event.records.empty()) return add(event.value);
  for (const Record& record : event.records) add(record.value);
}

void HistoryIndex::ReadOutcome(const Event& event) {
  if (event.records.empty()) return SetOutcome(event, event.value, event.offset);
  for (const Record& record : event.records) SetOutcome(event, record.value, record.offset);
}

void HistoryIndex::SetOutcome(const Event& event, int64_t value, int64_t offset) {
  const auto found = by_value_.find(value);
  if (found == by_value_.end()) {
    findings_.Add("malformed", [&] {
      return "value " + std::to_string(value) + " has an outcome and was never sent";
    });
    return;
  }
  Send& send = sends_[found->second];
  if (event.time_ns < send.invoked_ns) {
    findings_.Add("malformed", [&] {
      return "value " + std::to_string(value) + " has an outcome before it was sent";
    });
  }
  send.outcome = event.type;
  send.ended_ns = event.time_ns;
  if (event.type != EventType::kOk) return;
  if (event.partition != kNone) send.partition = event.partition;
  send.offset = offset;
  if (send.partition != kNone && offset != kNone) SetPlace(value, {send.partition, offset});
}

void HistoryIndex::ReadPoll(const Event& event) {
  ++polls_;
  for (const Record& record : event.records) {
    ++records_read_;
    read_[record.value] = true;
    SetPlace(record.value, {event.partition, record.offset});
    int64_t& highest = highest_read_.try_emplace(event.partition, kNone).first->second;
    highest = std::max(highest, record.offset);
    if (!record.has_transfer) continue;
    const auto [known, is_new] = transfers_read_.try_emplace(record.value, record.transfer);
    if (is_new || known->second == record.transfer) continue;
    findings_.Add("wrong-transfer", [&] {
      return "transfer " + std::to_string(record.value) + " was read with two contents";
    });
  }
}

void HistoryIndex::SetPlace(int64_t value, const Place& place) {
  const auto [at, is_new] = value_at_.try_emplace(place, value);
  if (!is_new && at->second != value) {
    findings_.Add("inconsistent-offsets", [&] {
      return ToText(place) + " holds " + std::to_string(at->second) + " and " +
             std::to_string(value);
    });
  }
  const auto [of, first] = place_of_.try_emplace(value, place);
  if (!first && of->second != place) {
    findings_.Add("duplicate", [&] {
      return "value " + std::to_string(value) + " stands at " + ToText(of->second) + " and at " +
             ToText(place);
    });
  }
}

void HistoryIndex::Rank() {
  int64_t partition = kNone;
  int64_t rank = 0;
  for (const auto& [place, value] : value_at_) {
    if (place.first != partition) rank = 0;
    partition = place.first;
    rank_[partition][place.second] = rank++;
  }
}

const Send* HistoryIndex::FindSend(int64_t value) const {
  const auto found = by_value_.find(value);
  return found == by_value_.end() ? nullptr : &sends_[found->second];
}

const Place* HistoryIndex::FindPlace(int64_t value) const {
  const auto found = place_of_.find(value);
  return found == place_of_.end() ? nullptr : &found->second;
}

int64_t HistoryIndex::RankOf(const Place& place) const {
  return rank_.at(place.first).at(place.second);
}

bool HistoryIndex::HoldsBetween(const Place& from, const Place& to) const {
  const auto first = value_at_.lower_bound(from);
  return first != value_at_.end() && first->first < to;
}

int64_t HistoryIndex::HighestRead(int64_t partition) const {
  const auto found = highest_read_.find(partition);
  return found == highest_read_.end() ? kNone : found->second;
}

void HistoryIndex::Count(Report& report) const {
  report.sends = sends_.size();
  for (const Send& send : sends_) {
    switch (send.outcome) {
      case EventType::kOk:
        ++report.acknowledged;
        break;
      case EventType::kFail:
        ++report.failed;
        break;
      case EventType::kInfo:
      case EventType::kInvoke:
        ++report.unknown;
        break;
    }
  }
  report.polls = polls_;
  report.records_read = records_read_;
}

}  // namespace quipu::history
