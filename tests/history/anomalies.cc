#include "tests/history/anomalies.h"

#include <algorithm>
#include <utility>

#include "tests/history/history_index.h"

namespace quipu::history {

bool Report::Has(const std::string& name) const {
  return std::any_of(anomalies.begin(), anomalies.end(),
                     [&](const Anomaly& anomaly) { return anomaly.name == name; });
}

Report FindAnomalies(std::vector<Event> events, const Options& options) {
  Findings findings;
  const HistoryIndex index(std::move(events), findings);
  FindLostAndPhantom(index, options, findings);
  FindSendOrder(index, findings);
  FindPollOrder(index, findings);
  FindRealtime(index, findings);
  FindTransfers(index, options, findings);
  Report report;
  index.Count(report);
  report.anomalies = findings.Take();
  return report;
}

void FindLostAndPhantom(const HistoryIndex& index, const Options& options, Findings& findings) {
  for (const Send& send : index.sends()) {
    const bool was_read = index.WasRead(send.value);
    if (send.outcome == EventType::kFail && was_read) {
      findings.Add("G1a", [&] {
        return "value " + std::to_string(send.value) + " failed and was read at " +
               ToText(*index.FindPlace(send.value));
      });
    }
    if (send.outcome != EventType::kOk || was_read) continue;
    // Without an offset nothing says that the readers have passed it.
    if (send.offset != kNone && send.offset <= index.HighestRead(send.partition)) {
      findings.Add("lost-write", [&] {
        return "value " + std::to_string(send.value) + " was acknowledged at " +
               ToText({send.partition, send.offset}) + " and not read, though offset " +
               std::to_string(index.HighestRead(send.partition)) + " was";
      });
    } else if (options.complete) {
      findings.Add("unseen", [&] {
        return "value " + std::to_string(send.value) + " was acknowledged at " +
               ToText({send.partition, send.offset}) + " and never read";
      });
    }
  }
  for (const Event& event : index.events()) {
    if (event.kind != EventKind::kPoll || event.type != EventType::kOk) continue;
    for (const Record& record : event.records) {
      if (index.FindSend(record.value) != nullptr) continue;
      findings.Add("phantom", [&] {
        return "value " + std::to_string(record.value) + " was read at " +
               ToText({event.partition, record.offset}) + " and never sent";
      });
    }
  }
}

namespace {

// A send between whose place and the one before there is something wrong.
std::string Describe(const HistoryIndex& index, const Send& before, const Send& after) {
  return "value " + std::to_string(after.value) + " at " + ToText(*index.FindPlace(after.value)) +
         " was sent by process " + std::to_string(after.process) + " after " +
         std::to_string(before.value) + " at " + ToText(*index.FindPlace(before.value));
}

// What stands behind a failure, and was sent without knowing of it, fails too: else a payment is
// made that its sender wanted to follow another.
void FindWrittenBehindFailure(const HistoryIndex& index, Findings& findings) {
  std::map<std::pair<int64_t, std::string>, const Send*> failed;  // by process and key: told last
  for (const Send& send : index.sends()) {
    if (send.key.empty()) continue;
    const Send*& last = failed[{send.process, send.key}];
    if (send.outcome == EventType::kFail) {
      if (last == nullptr || send.ended_ns > last->ended_ns) last = &send;
    } else if (send.outcome == EventType::kOk && last != nullptr &&
               send.invoked_ns < last->ended_ns) {
      findings.Add("written-behind-failure", [&] {
        return "key " + send.key + ": value " + std::to_string(send.value) +
               " was acknowledged, though " + std::to_string(last->value) +
               " before it failed and its sender did not know yet";
      });
    }
  }
}

}  // namespace

void FindSendOrder(const HistoryIndex& index, Findings& findings) {
  FindWrittenBehindFailure(index, findings);
  std::map<std::pair<int64_t, int64_t>, const Send*> last_to;      // process, partition
  std::map<std::pair<int64_t, std::string>, const Send*> last_of;  // process, key
  for (const Send& send : index.sends()) {
    const Place* place = index.FindPlace(send.value);
    if (place == nullptr) continue;
    const Send*& to = last_to[{send.process, place->first}];
    const Send* before = std::exchange(to, &send);
    if (before != nullptr) {
      const Place& earlier = *index.FindPlace(before->value);
      const int64_t step = index.RankOf(*place) - index.RankOf(earlier);
      const bool one_batch = before->batch == send.batch;
      if (step <= 0) {
        findings.Add(one_batch ? "int-nonmonotonic-send" : "nonmonotonic-send",
                     [&] { return Describe(index, *before, send); });
      } else if (one_batch && step > 1) {
        findings.Add("int-send-skip", [&] { return Describe(index, *before, send); });
      }
    }
    if (send.key.empty()) continue;
    const Send* of_key = std::exchange(last_of[{send.process, send.key}], &send);
    // Keys stay in one partition; where they do not, nothing is in order.
    if (of_key == nullptr || *index.FindPlace(of_key->value) < *place) continue;
    findings.Add("account-order",
                 [&] { return "key " + send.key + ": " + Describe(index, *of_key, send); });
  }
}

}  // namespace quipu::history
