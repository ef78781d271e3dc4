// Anomalies of polls: skips, steps back, and values that came before their time.
#include <algorithm>
#include <optional>

#include "tests/history/history_index.h"

namespace quipu::history {
namespace {

std::string Describe(const Event& event, const Place& before, const Place& after) {
  return "process " + std::to_string(event.process) + " read " + ToText(after) + " after " +
         ToText(before);
}

void CheckStep(const HistoryIndex& index, const Event& event, const Place& before,
               const Place& after, bool within_one, Findings& findings) {
  const int64_t step = index.RankOf(after) - index.RankOf(before);
  if (step == 1) return;
  const char* name = step > 1     ? (within_one ? "int-poll-skip" : "poll-skip")
                     : within_one ? "int-nonmonotonic-poll"
                                  : "nonmonotonic-poll";
  findings.Add(name, [&] { return Describe(event, before, after); });
}

void CheckStart(const HistoryIndex& index, const Event& event, const Place& start,
                const Place& first, Findings& findings) {
  const char* name = first < start                      ? "nonmonotonic-poll"
                     : index.HoldsBetween(start, first) ? "poll-skip"
                                                        : nullptr;
  if (name == nullptr) return;
  findings.Add(name, [&] { return Describe(event, start, first) + ", where it was to begin"; });
}

// A process at a partition.
struct Reader {
  int64_t start = kNone;      // where it was told to begin
  std::optional<Place> last;  // what it has read since
};

}  // namespace

void FindPollOrder(const HistoryIndex& index, Findings& findings) {
  std::map<std::pair<int64_t, int64_t>, Reader> readers;  // process, partition
  for (const Event& event : index.events()) {
    Reader& reader = readers[{event.process, event.partition}];
    if (event.kind == EventKind::kAssign) reader = {.start = event.offset, .last = std::nullopt};
    if (event.kind != EventKind::kPoll || event.type != EventType::kOk) continue;
    bool within_one = false;
    for (const Record& record : event.records) {
      const Place place{event.partition, record.offset};
      if (reader.last) {
        CheckStep(index, event, *reader.last, place, within_one, findings);
      } else if (reader.start != kNone) {
        CheckStart(index, event, {event.partition, reader.start}, place, findings);
      }
      reader.last = place;
      within_one = true;
    }
  }
}

namespace {

// What everybody knew of a partition at a moment.
struct Known {
  int64_t acknowledged = kNone;  // the highest offsets
  int64_t read = kNone;
};

void CheckInvoke(const HistoryIndex& index, int64_t value, const std::map<int64_t, Known>& known,
                 Findings& findings) {
  const Place* place = index.FindPlace(value);
  if (place == nullptr) return;
  const auto found = known.find(place->first);
  if (found == known.end()) return;
  const auto describe = [&](int64_t offset, const char* what) {
    return "value " + std::to_string(value) + " was sent after offset " + std::to_string(offset) +
           " was " + what + ", and stands at " + ToText(*place);
  };
  if (place->second <= found->second.acknowledged) {
    findings.Add("G0-realtime",
                 [&] { return describe(found->second.acknowledged, "acknowledged"); });
  }
  if (place->second <= found->second.read) {
    findings.Add("G1c-realtime", [&] { return describe(found->second.read, "read"); });
  }
}

void Learn(const Event& event, std::map<int64_t, Known>& known) {
  if (event.type != EventType::kOk || event.partition == kNone) return;
  Known& of = known[event.partition];
  switch (event.kind) {
    case EventKind::kSend:
    case EventKind::kTransfer:
      of.acknowledged = std::max(of.acknowledged, event.offset);
      for (const Record& record : event.records) {
        of.acknowledged = std::max(of.acknowledged, record.offset);
      }
      return;
    case EventKind::kPoll:
      for (const Record& record : event.records) of.read = std::max(of.read, record.offset);
      return;
    case EventKind::kAssign:
      return;
  }
}

}  // namespace

// One pass by time: what is known when a send begins stands before it. Events of one moment are
// not ordered: what they tell is learnt after all that begins in it.
void FindRealtime(const HistoryIndex& index, Findings& findings) {
  std::map<int64_t, Known> known;
  const std::vector<Event>& events = index.events();
  for (size_t first = 0; first < events.size();) {
    size_t end = first;
    while (end < events.size() && events[end].time_ns == events[first].time_ns) ++end;
    for (size_t i = first; i < end; ++i) {
      const Event& event = events[i];
      const bool sends = event.kind == EventKind::kSend || event.kind == EventKind::kTransfer;
      if (!sends || event.type != EventType::kInvoke) continue;
      if (event.records.empty()) CheckInvoke(index, event.value, known, findings);
      for (const Record& record : event.records) CheckInvoke(index, record.value, known, findings);
    }
    for (size_t i = first; i < end; ++i) Learn(events[i], known);
    first = end;
  }
}

}  // namespace quipu::history
