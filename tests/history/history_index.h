// A history by value and by place: what each send became, and what stands where.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/history/anomalies.h"
#include "tests/history/history.h"

namespace quipu::history {

// Collects anomalies by name.
class Findings {
 public:
  // `what` is built only for the first of its name.
  void Add(const char* name, const std::function<std::string()>& what);
  [[nodiscard]] std::vector<Anomaly> Take();

 private:
  std::map<std::string, Anomaly> found_;
};

// One value that was sent.
struct Send {
  int64_t value = kNone;
  int64_t process = 0;
  std::string key;
  int64_t invoked_ns = 0;
  int64_t ended_ns = kNone;              // kNone: nobody was told
  EventType outcome = EventType::kInfo;  // until told otherwise
  int64_t partition = kNone;             // as acknowledged
  int64_t offset = kNone;
  size_t batch = 0;  // values that were sent as one have the same number
  bool is_transfer = false;
  Transfer transfer;
};

using Place = std::pair<int64_t, int64_t>;  // partition and offset

class HistoryIndex {
 public:
  // Sorts `events` by time and reads them. What contradicts itself goes to `findings`.
  HistoryIndex(std::vector<Event> events, Findings& findings);

  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  // In the order of their invocations.
  [[nodiscard]] const std::vector<Send>& sends() const { return sends_; }
  [[nodiscard]] const Send* FindSend(int64_t value) const;
  // Where a value stands: as read, or as acknowledged; nullptr: unknown.
  [[nodiscard]] const Place* FindPlace(int64_t value) const;
  // The rank of an offset among the known ones of its partition.
  [[nodiscard]] int64_t RankOf(const Place& place) const;
  // Whether a value is known to stand at or behind `from` and before `to`, of one partition.
  [[nodiscard]] bool HoldsBetween(const Place& from, const Place& to) const;
  [[nodiscard]] bool WasRead(int64_t value) const { return read_.contains(value); }
  [[nodiscard]] const std::unordered_map<int64_t, Transfer>& transfers_read() const {
    return transfers_read_;
  }
  // The highest offset of a partition that was read; kNone: nothing was.
  [[nodiscard]] int64_t HighestRead(int64_t partition) const;
  void Count(Report& report) const;

 private:
  void ReadInvoke(const Event& event);
  void ReadOutcome(const Event& event);
  void SetOutcome(const Event& event, int64_t value, int64_t offset);
  void ReadPoll(const Event& event);
  void SetPlace(int64_t value, const Place& place);
  void Rank();

  std::vector<Event> events_;
  Findings& findings_;
  std::vector<Send> sends_;
  std::unordered_map<int64_t, size_t> by_value_;
  std::map<Place, int64_t> value_at_;  // the first that was seen there
  std::unordered_map<int64_t, Place> place_of_;
  std::unordered_map<int64_t, std::unordered_map<int64_t, int64_t>> rank_;  // partition, offset
  std::unordered_map<int64_t, bool> read_;
  std::unordered_map<int64_t, Transfer> transfers_read_;
  std::map<int64_t, int64_t> highest_read_;
  size_t batches_ = 0;
  size_t polls_ = 0;
  size_t records_read_ = 0;
};

// The parts of FindAnomalies.
void FindLostAndPhantom(const HistoryIndex& index, const Options& options, Findings& findings);
void FindSendOrder(const HistoryIndex& index, Findings& findings);
void FindPollOrder(const HistoryIndex& index, Findings& findings);
void FindRealtime(const HistoryIndex& index, Findings& findings);
void FindTransfers(const HistoryIndex& index, const Options& options, Findings& findings);

std::string ToText(const Place& place);

}  // namespace quipu::history
