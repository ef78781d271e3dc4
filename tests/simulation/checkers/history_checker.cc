#include "tests/simulation/checkers/history_checker.h"

#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "core/record/compression.h"
#include "core/record/record_batch.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

// A record of a log.
struct Place {
  PartitionIndex partition;
  Offset offset;
  std::string account;
  std::string value;
  TimestampMs timestamp;
  Compression codec = Compression::kNone;
};

// Everything that one partition's committed log says.
class LogReader {
 public:
  LogReader(std::map<uint64_t, Place>& places, const HistorySources& sources)
      : places_(places), sources_(sources), reader_(sources.auditor.NewReader()) {}

  void Read(SimBroker& leader, const PartitionImage& partition) {
    const LogStore& store = leader.disk().store();
    const std::optional<LogId> log = store.FindLog(partition.uid);
    Require(log.has_value(), "I25", [&] {
      return "leader " + leader.id().ToString() + " has no log of partition " +
             partition.uid.ToString();
    });
    const PartitionCore* core = leader.node()->inspector().FindPartition(partition.uid);
    // What operators have deleted was taken aside before. What they asked for, and is still there,
    // is judged as it is there.
    const Offset from = core->log_start_offset();
    Require(from <= Archived().End(partition.uid), "I25", [&] {
      return "partition " + partition.uid.ToString() + " begins at " + from.ToString() +
             "; nobody deleted more than up to " + Archived().End(partition.uid).ToString();
    });
    for (const StoredBatch& stored : Archived().Batches(partition.uid)) {
      if (stored.last_offset < from) ReadBatch(partition, stored);
    }
    const auto batches = store.Read(*log, from, core->high_watermark(), size_t{1} << 40);
    Require(batches.ok(), "I62", [&] { return std::string(batches.status().message()); });
    for (const StoredBatch& stored : *batches) ReadBatch(partition, stored);
  }

 private:
  [[nodiscard]] const Archive& Archived() const { return sources_.archive; }

  void ReadBatch(const PartitionImage& partition, const StoredBatch& stored) {
    const auto view = RecordBatchView::Parse(stored.bytes);
    Require(view.ok() && view->CrcMatches(), "I62", [] { return std::string("a damaged batch"); });
    CheckSequence(partition.uid, *view);
    const auto decoded = DecodedBatch::Decode(*view);
    Require(decoded.ok(), "I62", [&] { return std::string(decoded.status().message()); });
    Require(sources_.codecs.contains(view->compression()), "wrong-codec", [&] {
      return "partition " + partition.uid.ToString() + ": the batch at offset " +
             view->base_offset().ToString() + " is stored as " + CodecName(view->compression());
    });
    for (const RecordView& record : decoded->records()) {
      ReadRecord(partition, view->compression(), record);
    }
  }

  // I40: per producer, epoch and partition the sequences are dense and in order.
  void CheckSequence(PartitionUid uid, const RecordBatchView& view) {
    if (view.producer_id() == kNoProducerId) return;
    const auto key = std::make_tuple(uid, view.producer_id(), view.producer_epoch());
    const auto [next, is_new] = next_sequence_.try_emplace(key, 0);
    Require(view.base_sequence().value() == next->second, "I40", [&] {
      return "partition " + uid.ToString() + " producer " + view.producer_id().ToString() +
             " epoch " + view.producer_epoch().ToString() + ": sequence " +
             view.base_sequence().ToString() + " where " + std::to_string(next->second) +
             " was due, at offset " + view.base_offset().ToString();
    });
    next->second += view.record_count();
  }

  void ReadRecord(const PartitionImage& partition, Compression codec, const RecordView& record) {
    const std::string value(record.value->data(), record.value->size());
    const std::string account(record.key->data(), record.key->size());
    const size_t space = value.find(' ');
    const uint64_t id = std::stoull(value.substr(0, space));
    const uint64_t sequence = std::stoull(value.substr(space + 1));
    const auto [place, is_new] = places_.try_emplace(id, Place{.partition = partition.index,
                                                               .offset = record.offset,
                                                               .account = account,
                                                               .value = value,
                                                               .timestamp = record.timestamp,
                                                               .codec = codec});
    Require(is_new, "I40", [&] {
      return "payment " + value + " is doubled: at offset " + place->second.offset.ToString() +
             " and " + record.offset.ToString();
    });
    const auto last = last_of_account_.find(account);
    Require(last == last_of_account_.end() || last->second < sequence, "I42", [&] {
      return "account " + account + ": payment " + std::to_string(sequence) + " stands behind " +
             std::to_string(last->second);
    });
    last_of_account_[account] = sequence;
    if (sources_.reads_all || record.offset < Archived().End(partition.uid)) {
      sources_.auditor.OnRead(reader_, partition.index, record.offset, account, value);
    }
  }

  std::map<uint64_t, Place>& places_;
  const HistorySources& sources_;
  int64_t reader_;
  std::map<std::tuple<PartitionUid, ProducerId, ProducerEpoch>, int64_t> next_sequence_;
  std::map<std::string, uint64_t> last_of_account_;
};

// What is stored is what was sent, whichever codec it went through.
void CheckRecord(const PaymentOutcome& outcome, const Place& place) {
  const std::string sent = ToValue(outcome.payment);
  Require(place.account == outcome.payment.account && place.value == sent &&
              place.timestamp == outcome.timestamp,
          "wrong-record", [&] {
            return "sent was " + sent + " of " + outcome.payment.account + " at " +
                   outcome.timestamp.ToString() + ", stored is " + place.value + " of " +
                   place.account + " at " + place.timestamp.ToString();
          });
}

void CheckOutcome(const PaymentOutcome& outcome, Compression codec,
                  const std::map<uint64_t, Place>& places, HistoryCounters& counters) {
  const auto place = places.find(outcome.payment.id);
  const bool there = place != places.end();
  if (there) CheckRecord(outcome, place->second);
  if (there && place->second.codec != codec) ++counters.recompressed;
  const std::string name =
      "payment " + std::to_string(outcome.payment.id) + " of account " + outcome.payment.account;
  if (!outcome.reported || outcome.persisted == Persisted::kUnknown) {
    ++counters.unknown;
    if (there) ++counters.unknown_present;
    return;
  }
  if (outcome.persisted == Persisted::kNo) {
    ++counters.refused;
    Require(!there, "I40", [&] { return name + " was refused and is in the log all the same"; });
    return;
  }
  ++counters.acknowledged;
  Require(there, "I25", [&] {
    return name + " was acknowledged at offset " + outcome.offset.ToString() + " and is lost";
  });
  Require(place->second.partition == outcome.partition &&
              (outcome.offset == kNoOffset || place->second.offset == outcome.offset),
          "I41", [&] {
            return name + " was acknowledged at offset " + outcome.offset.ToString() +
                   " and stands at " + place->second.offset.ToString();
          });
}

// I29: what a consumer has read stands in the log for ever, where it was read.
void CheckRead(const GroupChecker& group, const std::map<uint64_t, Place>& places) {
  for (const auto& [where, value] : group.values()) {
    const auto place = places.find(std::stoull(value));
    Require(place != places.end() && place->second.partition == where.first.partition &&
                place->second.offset == where.second && place->second.value == value,
            "I29", [&] {
              return "payment " + value + " was read at offset " + where.second.ToString() +
                     " and is not there any more";
            });
  }
}

}  // namespace

HistoryCounters CheckHistory(const HistorySources& sources, const std::string& topic) {
  std::map<uint64_t, Place> places;
  LogReader reader(places, sources);
  const TopicImage* found = sources.image.FindTopicByName(topic);
  Require(found != nullptr, "liveness", [&] { return "topic " + topic + " does not exist"; });
  for (const PartitionUid uid : found->partitions) {
    const PartitionImage* partition = sources.image.FindPartition(uid);
    SimBroker* leader = sources.cluster.FindBroker(partition->leader);
    Require(leader != nullptr && leader->running(), "liveness",
            [&] { return "partition " + uid.ToString() + " has no leader"; });
    reader.Read(*leader, *partition);
  }
  CheckRead(sources.group, places);
  HistoryCounters counters;
  for (const auto& producer : sources.producers) {
    for (const PaymentOutcome& outcome : producer->outcomes()) {
      CheckOutcome(outcome, producer->codec(), places, counters);
    }
  }
  return counters;
}

}  // namespace quipu::sim
