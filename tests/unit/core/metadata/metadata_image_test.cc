// The image is what its records say, and a snapshot of it makes the same image again.
#include "core/metadata/metadata_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(MetadataImageTest, RegistrationWithEpochZeroTakesTheIndexOfItsEntry) {
  ControllerHarness cluster;
  const int64_t epoch = cluster.Restart(1);
  EXPECT_EQ(epoch, static_cast<int64_t>(cluster.image().index().value()));
  EXPECT_EQ(cluster.image().FindBroker(BrokerId(1))->epoch.value(), epoch);
}

TEST(MetadataImageTest, SnapshotMakesTheSameImageAgain) {
  ControllerHarness cluster;
  cluster.StartBrokers(4);
  cluster.CreateTopic("payments", 5, 3, {{"retention.ms", "60000"}});
  cluster.CreateTopic("gone", 2, 3);
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("gone");
  cluster.Admin(remove);
  cluster.Fence(2);
  cluster.Restart(3);
  message::AllocateProducerIds allocate;
  allocate.set_broker_id(1);
  allocate.set_broker_epoch(cluster.Epoch(1));
  cluster.Append(cluster.core().AllocateProducerIds(allocate).batch);

  const MetadataImage& image = cluster.image();
  const MetadataImage again = MetadataImage::FromSnapshot(image.index(), image.ToSnapshot());
  EXPECT_TRUE(again == image);
  EXPECT_EQ(again.next_partition_uid(), PartitionUid(8));
  EXPECT_EQ(again.next_producer_id(), ProducerId(1000));
}

TEST(MetadataImageTest, TopicRemovalTakesPartitionsAndNameButNeverReusesUids) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 3, 3);
  const TopicId first = cluster.image().FindTopicByName("a")->id;
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("a");
  EXPECT_EQ(cluster.Admin(remove).error_code(), 0);
  EXPECT_EQ(cluster.image().FindTopicByName("a"), nullptr);
  EXPECT_THAT(cluster.image().partitions(), IsEmpty());
  cluster.CreateTopic("a", 1, 3);
  EXPECT_NE(cluster.image().FindTopicByName("a")->id, first);
  EXPECT_EQ(cluster.Partition("a").uid, PartitionUid(4));
}

TEST(MetadataImageTest, LeaderChangeRaisesBothEpochsAndRemembersTheLastLeader) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  cluster.CreateTopic("a", 1, 1);
  cluster.Fence(1);
  const PartitionImage& partition = cluster.Partition("a");
  EXPECT_EQ(partition.leader, kNoBroker);
  EXPECT_EQ(partition.last_known_leader, BrokerId(1));
  EXPECT_EQ(partition.leader_epoch, LeaderEpoch(1));
  EXPECT_EQ(partition.partition_epoch, PartitionEpoch(1));
  EXPECT_THAT(Ids(partition.elr), ElementsAre(1));
}

TEST(MetadataImageTest, FindsNothingOutsideATopic) {
  ControllerHarness cluster;
  cluster.StartBrokers(1);
  cluster.CreateTopic("a", 1, 1);
  const TopicId id = cluster.image().FindTopicByName("a")->id;
  EXPECT_NE(cluster.image().FindPartition(id, PartitionIndex(0)), nullptr);
  EXPECT_EQ(cluster.image().FindPartition(id, PartitionIndex(1)), nullptr);
  EXPECT_EQ(cluster.image().FindPartition(id, PartitionIndex(-1)), nullptr);
  EXPECT_EQ(cluster.image().FindTopic(Uuid(1, 1)), nullptr);
  EXPECT_EQ(cluster.image().FindBroker(BrokerId(9)), nullptr);
}

TEST(MetadataImageDeathTest, EntriesAreAppliedOnce) {
  MetadataImage image;
  image.Apply(LogIndex(3), record::MetadataBatch());
  EXPECT_DEATH(image.Apply(LogIndex(3), record::MetadataBatch()), "log order");
}

}  // namespace
}  // namespace quipu
