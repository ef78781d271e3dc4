// Goal: no sequence of commands makes an impossible image. Method: seeded random commands, sound
// and absurd, with I31 checked after each (ControllerHarness::Append), and three more facts that
// span time: epochs only rise, an unclean broker is eligible for nothing, and a snapshot is the
// image.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

constexpr int32_t kBrokers = 5;

class Chaos {
 public:
  explicit Chaos(uint64_t seed) : rng_(seed) { cluster_.StartBrokers(kBrokers); }

  void Step() {
    const int32_t broker = static_cast<int32_t>(rng_.Between(1, kBrokers));
    if (rng_.Chance(1, 10)) RecoverSome();
    if (rng_.Chance(1, 12)) DrainSome(broker);
    switch (rng_.Below(12)) {
      case 0:
        if (rng_.Chance(1, 4)) {
          Lose(broker);
        } else {
          cluster_.Restart(broker);
        }
        break;
      case 1:
        cluster_.Fence(broker);
        break;
      case 2:
      case 3:
        cluster_.Heartbeat(broker, rng_.Chance(1, 10));
        break;
      case 4:
        cluster_.CreateTopic(Name(), static_cast<int32_t>(rng_.Between(-2, 4)),
                             static_cast<int32_t>(rng_.Between(-2, 6)),
                             {{"min.insync.replicas", std::to_string(rng_.Between(0, 4))}});
        break;
      case 5:
        if (rng_.Chance(1, 4)) {
          message::AdminRequest remove;
          remove.mutable_delete_topic()->set_name(Name());
          cluster_.Admin(remove);
        }
        break;
      case 6:
        cluster_.SetConfig(Name(), "min.insync.replicas", std::to_string(rng_.Between(1, 4)));
        break;
      case 7:
        cluster_.FailOver();
        break;
      case 8:
        cluster_.Pass(std::chrono::milliseconds(rng_.Between(100, 4000)), {broker});
        break;
      default:
        AlterSome();
        break;
    }
    CheckHistory();
  }

  [[nodiscard]] int isr_changes() const { return isr_changes_; }
  [[nodiscard]] int leaderless() const { return leaderless_; }
  [[nodiscard]] int recovered() const { return recovered_; }

 private:
  void DrainSome(int32_t broker) {
    message::AdminRequest request;
    request.mutable_drain_broker()->set_broker_id(broker);
    request.mutable_drain_broker()->set_drain(static_cast<record::Drain>(rng_.Below(4)));
    cluster_.Admin(request);
    if (!rng_.Chance(1, 4)) return;
    message::AdminRequest grow;
    grow.mutable_create_partitions()->set_topic(Name());
    grow.mutable_create_partitions()->set_count(static_cast<int32_t>(rng_.Between(0, 8)));
    grow.mutable_create_partitions()->set_allow_key_remap(rng_.Chance(3, 4));
    cluster_.Admin(grow);
  }
  // The broker comes back without a complete log: nobody may lead by that.
  void Lose(int32_t broker) {
    message::RegisterBroker request =
        ControllerHarness::Registration(broker, cluster_.Epoch(broker), 100000 + rng_.Below(1000));
    request.set_unclean(true);
    cluster_.Register(request);
    for (const auto& [uid, partition] : cluster_.image().partitions()) {
      ASSERT_FALSE(Contains(partition.isr, BrokerId(broker)));
      ASSERT_FALSE(Contains(partition.elr, BrokerId(broker)));
    }
  }
  // Tries to recover a partition, whether it needs it or not; only one that nobody may lead is.
  void RecoverSome() {
    if (cluster_.image().partitions().empty()) return;
    auto it = cluster_.image().partitions().begin();
    std::advance(it, static_cast<std::ptrdiff_t>(rng_.Below(cluster_.image().partitions().size())));
    const PartitionImage before = it->second;
    const BrokerId chosen = before.replicas[rng_.Below(before.replicas.size())];
    message::AdminRequest request;
    message::RecoverPartition* recover = request.mutable_recover_partition();
    recover->set_topic(cluster_.image().FindTopic(before.topic_id)->name);
    recover->set_partition(before.index.value());
    recover->set_broker_id(chosen.value());
    recover->set_broker_epoch(cluster_.Epoch(chosen.value()));
    recover->set_leader_epoch(before.leader_epoch.value());
    recover->set_partition_epoch(before.partition_epoch.value());
    const bool taken = cluster_.Admin(request).error_code() == 0;
    if (!taken) return;
    ASSERT_TRUE(before.isr.empty() && before.elr.empty());
    ++recovered_;
  }
  std::string Name() { return std::string(1, static_cast<char>('a' + rng_.Below(4))); }

  void AlterSome() {
    if (cluster_.image().partitions().empty()) return;
    auto it = cluster_.image().partitions().begin();
    std::advance(it, static_cast<std::ptrdiff_t>(rng_.Below(cluster_.image().partitions().size())));
    const PartitionImage partition = it->second;
    if (partition.leader == kNoBroker) return;
    std::vector<int32_t> isr;
    for (const BrokerId replica : partition.replicas) {
      if (replica == partition.leader || rng_.Chance(1, 2)) isr.push_back(replica.value());
    }
    message::AlterPartitions request = cluster_.IsrRequest(partition, isr);
    message::IsrChange* change = request.mutable_changes(0);
    if (rng_.Chance(1, 10)) change->set_partition_epoch(change->partition_epoch() - 1);
    if (rng_.Chance(1, 10)) change->set_leader_epoch(change->leader_epoch() - 1);
    if (rng_.Chance(1, 10)) change->mutable_new_isr(0)->set_broker_id(9);
    if (cluster_.AlterOne(request) == ErrorCode::kNone) ++isr_changes_;
  }

  void CheckHistory() {
    const MetadataImage& image = cluster_.image();
    for (const auto& [uid, partition] : image.partitions()) {
      if (partition.leader == kNoBroker) ++leaderless_;
      const auto known = seen_.find(uid);
      if (known != seen_.end()) {
        const PartitionImage& old = known->second;
        ASSERT_GE(partition.leader_epoch, old.leader_epoch);
        ASSERT_GE(partition.partition_epoch, old.partition_epoch);
        if (partition.leader != old.leader) {
          ASSERT_GT(partition.leader_epoch, old.leader_epoch);
        }
        const bool same = partition.isr == old.isr && partition.elr == old.elr;
        if (!same) {
          ASSERT_GT(partition.partition_epoch, old.partition_epoch);
        }
      }
      seen_[uid] = partition;
    }
    for (const auto& [id, broker] : image.brokers()) {
      ASSERT_GE(broker.epoch, epochs_[id]);
      epochs_[id] = broker.epoch;
    }
    if (++checks_ % 16 == 0) {
      ASSERT_TRUE(MetadataImage::FromSnapshot(image.index(), image.ToSnapshot()) == image);
    }
  }

  Rng rng_;
  ControllerHarness cluster_;
  std::map<PartitionUid, PartitionImage> seen_;
  std::map<BrokerId, BrokerEpoch> epochs_;
  int isr_changes_ = 0;
  int leaderless_ = 0;
  int recovered_ = 0;
  int checks_ = 0;
};

TEST(ControllerPropertyTest, RandomCommandsNeverMakeAnImpossibleImage) {
  int isr_changes = 0;
  int leaderless = 0;
  int recovered = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Chaos chaos(seed);
    for (int step = 0; step < 400 && !testing::Test::HasFatalFailure(); ++step) chaos.Step();
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    isr_changes += chaos.isr_changes();
    leaderless += chaos.leaderless();
    recovered += chaos.recovered();
  }
  // The walk reached what it is meant to reach.
  EXPECT_GT(isr_changes, 300);
  EXPECT_GT(leaderless, 100);
  EXPECT_GT(recovered, 10);
}

}  // namespace
}  // namespace quipu
