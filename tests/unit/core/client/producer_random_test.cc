// Goal: whatever goes wrong, in the log each record stands at most once, acknowledged ones stand
// there, refused ones do not, and each partition keeps the order of sending (I40, I42, P12).
// Method: thousands of seeded runs against a model of a replicated, idempotent partition whose
// leader moves, whose tail may be lost before it is committed, and whose answers may be lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/core/client/producer_harness.h"

namespace quipu {
namespace {

using test::ProducerHarness;
using test::SeenBatch;

constexpr int kPartitions = 2;

// One partition with idempotence: committed batches, and a tail that a leader change may cut.
class ModelPartition {
 public:
  struct Entry {
    SeenBatch batch;
    std::vector<std::string> values;
  };
  // As a leader answers; kNone: appended to the tail, to be answered when committed.
  ErrorCode Append(const SeenBatch& batch) {
    int16_t epoch = -1;
    int32_t next = 0;
    for (const auto* list : {&committed_, &tail_}) {
      for (const Entry& entry : *list) {
        epoch = entry.batch.epoch;
        next = entry.batch.base_sequence + entry.batch.records;
        if (entry.batch.epoch == batch.epoch && entry.batch.base_sequence == batch.base_sequence) {
          return list == &committed_ ? ErrorCode::kDuplicateSequence : ErrorCode::kNone;
        }
      }
    }
    if (batch.epoch < epoch) return ErrorCode::kInvalidProducerEpoch;
    if (batch.epoch > epoch) next = 0;
    if (batch.base_sequence != next) return ErrorCode::kOutOfOrderSequence;
    const auto view = RecordBatchView::Parse(batch.bytes);
    const auto decoded = DecodedBatch::Decode(*view);
    Entry entry{batch, {}};
    for (const RecordView& record : decoded->records()) entry.values.emplace_back(*record.value);
    tail_.push_back(std::move(entry));
    return ErrorCode::kNone;
  }
  void Commit() {
    for (Entry& entry : tail_) committed_.push_back(std::move(entry));
    tail_.clear();
  }
  void LoseTail() { tail_.clear(); }
  std::vector<std::string> Values() const {
    std::vector<std::string> values;
    for (const Entry& entry : committed_) {
      values.insert(values.end(), entry.values.begin(), entry.values.end());
    }
    return values;
  }

 private:
  std::vector<Entry> committed_;
  std::vector<Entry> tail_;
};

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : rng_(seed), harness_(Options(rng_)) {
    harness_.Ready({{1, 1}, {1, 1}});
  }
  void Go() {
    for (int step = 0; step < 400; ++step) {
      Step();
      NoteFailures();
    }
    Heal();
    NoteFailures();
    Check();
  }
  uint64_t bumps() { return harness_.core().stats().epoch_bumps; }
  uint64_t retries() { return harness_.core().stats().retries; }
  int unknown() const { return unknown_; }
  size_t failures() const { return failures_.size(); }

 private:
  static ProducerOptions Options(Rng& rng) {
    ProducerOptions options = ProducerHarness::Options();
    options.accumulator.delivery_timeout = std::chrono::milliseconds(rng.Between(300, 4000));
    options.request_timeout = std::chrono::milliseconds(rng.Between(200, 2000));
    options.in_flight_max = static_cast<int32_t>(rng.Between(1, 16));
    return options;
  }
  size_t PartitionOf(const SeenBatch& batch) const {
    return static_cast<size_t>(batch.partition.partition.value());
  }
  void Step() {
    switch (rng_.Below(10)) {
      case 0:
      case 1:
      case 2: {
        const auto partition = static_cast<int32_t>(rng_.Below(kPartitions));
        const std::string value = std::to_string(partition) + ":" + std::to_string(next_++);
        const auto appended = harness_.Append(partition, value);
        if (appended.error == ErrorCode::kNone) {
          sent_[appended.batch_id].push_back(value);
          order_[static_cast<size_t>(partition)].push_back(value);
        }
        if (rng_.Chance(1, 2)) harness_.Turn();
        break;
      }
      case 3:
      case 4:
      case 5:
        Serve();
        break;
      case 6:
        harness_.Advance(static_cast<int64_t>(rng_.Below(120)));
        break;
      case 7:
        if (rng_.Chance(1, 3)) BreakConnection();
        break;
      case 8:
        if (rng_.Chance(1, 4)) MoveLeader(rng_.Below(kPartitions));
        break;
      case 9:
        AnswerCalls();
        break;
    }
  }
  // The oldest batch waiting at its broker is handled; appended ones are committed and answered, or
  // their answer is lost.
  void Serve() {
    if (harness_.seen.empty()) return;
    const SeenBatch batch = harness_.seen.front();
    harness_.seen.pop_front();
    const size_t p = PartitionOf(batch);
    if (batch.address != test::Address(leader_[p])) {
      harness_.AnswerBatch(batch, ErrorCode::kNotLeaderOrFollower);
      return;
    }
    if (rng_.Chance(1, 20)) {
      static constexpr ErrorCode kRefusals[] = {ErrorCode::kNotEnoughReplicas,
                                                ErrorCode::kMessageTooLarge, ErrorCode::kDiskFull};
      harness_.AnswerBatch(batch, kRefusals[rng_.Below(3)]);
      return;
    }
    const ErrorCode error = partitions_[p].Append(batch);
    if (error != ErrorCode::kNone) {
      harness_.AnswerBatch(batch, error);
      return;
    }
    if (rng_.Chance(1, 10)) return;  // appended, not committed yet; the answer never comes
    if (rng_.Chance(1, 10)) {
      harness_.AnswerBatch(batch, ErrorCode::kRequestTimedOut);
      return;
    }
    partitions_[p].Commit();
    harness_.AnswerBatch(batch, ErrorCode::kNone, 1);
  }
  void BreakConnection() {
    const auto broker = static_cast<int32_t>(rng_.Between(1, 3));
    // Some of what was on its way arrived, its answers did not.
    while (rng_.Chance(2, 3) && !harness_.seen.empty() &&
           harness_.seen.front().address == test::Address(broker)) {
      const size_t p = PartitionOf(harness_.seen.front());
      if (leader_[p] == broker) {
        partitions_[p].Append(harness_.seen.front());
        if (rng_.Chance(1, 2)) partitions_[p].Commit();
      }
      harness_.seen.pop_front();
    }
    harness_.LoseConnection(broker);
  }
  void MoveLeader(size_t p) {
    if (rng_.Chance(1, 2)) {
      partitions_[p].Commit();
    } else {
      partitions_[p].LoseTail();
    }
    leader_[p] = 1 + (leader_[p] + static_cast<int32_t>(rng_.Below(2))) % 3;
    ++epoch_[p];
  }
  void AnswerCalls() {
    if (harness_.FindCall<message::MetadataRequest>() != nullptr) {
      harness_.Metadata({{leader_[0], epoch_[0]}, {leader_[1], epoch_[1]}});
    }
    if (harness_.FindCall<message::InitProducerIdRequest>() != nullptr) {
      harness_.GiveId(77,
                      harness_.FindCall<message::InitProducerIdRequest>()->producer_epoch() + 1);
    }
  }
  void Heal() {
    for (int i = 0; i < 5000 && !(harness_.core().idle() && harness_.accumulator().empty()); ++i) {
      AnswerCalls();
      while (!harness_.seen.empty()) {
        const SeenBatch batch = harness_.seen.front();
        harness_.seen.pop_front();
        const size_t p = PartitionOf(batch);
        if (batch.address != test::Address(leader_[p])) {
          harness_.AnswerBatch(batch, ErrorCode::kNotLeaderOrFollower);
          continue;
        }
        const ErrorCode error = partitions_[p].Append(batch);
        if (error == ErrorCode::kNone) partitions_[p].Commit();
        harness_.AnswerBatch(batch, error, 1);
      }
      harness_.Advance(20);
    }
    EXPECT_TRUE(harness_.core().idle() && harness_.accumulator().empty()) << "stuck";
  }
  void Check() {
    std::set<std::string> in_log;
    for (size_t p = 0; p < kPartitions; ++p) {
      const std::vector<std::string> values = partitions_[p].Values();
      for (const std::string& value : values) {
        EXPECT_TRUE(in_log.insert(value).second) << value << " stands twice in the log";
      }
      // What is in the log stands in the order of sending.
      size_t at = 0;
      for (const std::string& value : order_[p]) {
        if (at < values.size() && values[at] == value) ++at;
      }
      EXPECT_EQ(at, values.size()) << "partition " << p << " is out of order";
    }
    EXPECT_EQ(harness_.reports.size(), sent_.size());
    CheckNothingPassedAFailure(in_log);
    for (const DeliveryReport& report : harness_.reports) {
      for (const std::string& value : sent_[report.batch_id]) {
        if (report.persisted == Persisted::kYes) {
          EXPECT_TRUE(in_log.contains(value)) << value << " was acknowledged and is lost";
        }
        if (report.persisted == Persisted::kNo) {
          EXPECT_FALSE(in_log.contains(value)) << value << " was refused and is in the log";
        }
        if (report.persisted == Persisted::kUnknown) ++unknown_;
      }
    }
  }

  // Notes, for each failure told since the last call, up to where its partition had been sent. One
  // behind a failure that was told before is no new one: the sender knew.
  void NoteFailures() {
    for (; noted_ < harness_.reports.size(); ++noted_) {
      const DeliveryReport& report = harness_.reports[noted_];
      if (report.error == ErrorCode::kNone) continue;
      const auto p = static_cast<size_t>(report.partition.partition.value());
      const std::string& value = sent_[report.batch_id].back();
      const auto found = std::find(order_[p].begin(), order_[p].end(), value);
      const auto place = static_cast<size_t>(found - order_[p].begin());
      const auto covers = [&](const Failure& failure) {
        return failure.partition == p && failure.place < place && place < failure.sent;
      };
      if (std::any_of(failures_.begin(), failures_.end(), covers)) continue;
      failures_.push_back({p, place, order_[p].size()});
    }
  }
  // A record sent before the failure of an earlier one was told is not in the log without it.
  void CheckNothingPassedAFailure(const std::set<std::string>& in_log) {
    for (const Failure& failure : failures_) {
      const std::vector<std::string>& order = order_[failure.partition];
      const std::string& failed = order[failure.place];
      if (in_log.contains(failed)) continue;
      for (size_t behind = failure.place + 1; behind < failure.sent; ++behind) {
        EXPECT_FALSE(in_log.contains(order[behind])) << order[behind] << " passed " << failed;
      }
    }
  }

  struct Failure {
    size_t partition;
    size_t place;  // of the failed record in the order of sending
    size_t sent;   // how many had been sent when it was told
  };
  Rng rng_;
  ProducerHarness harness_;
  std::vector<Failure> failures_;
  size_t noted_ = 0;
  ModelPartition partitions_[kPartitions];
  int32_t leader_[kPartitions] = {1, 1};
  int32_t epoch_[kPartitions] = {1, 1};
  int next_ = 0;
  int unknown_ = 0;
  std::map<uint64_t, std::vector<std::string>> sent_;
  std::vector<std::string> order_[kPartitions];
};

TEST(ProducerRandomTest, NothingIsLostDoubledOrReordered) {
  uint64_t bumps = 0;
  size_t failures = 0;
  uint64_t retries = 0;
  int unknown = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun run(seed);
    run.Go();
    bumps += run.bumps();
    retries += run.retries();
    unknown += run.unknown();
    failures += run.failures();
    if (testing::Test::HasFailure()) return;
  }
  // The interesting paths were taken, or the runs prove nothing.
  EXPECT_GT(bumps, 500U);
  EXPECT_GT(retries, 5000U);
  EXPECT_GT(unknown, 100);
  EXPECT_GT(failures, 1000U);
}

}  // namespace
}  // namespace quipu
