// Goal: a shard makes and drops the logs that the metadata speak of, many at once.
#include <gtest/gtest.h>

#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using testing::FakeWorld;

TEST(Reconciler, ManyLogsAreMadeAndDroppedInFewPiecesOfWork) {
  FakeWorld world(1);
  const testing::FakeLogWriter& writer = *world.machine(1).writer;
  const size_t before = writer.works();
  const TopicId topic = world.CreateTopic("payments", 1200);
  EXPECT_EQ(world.machine(1).store.Logs().size(), 1200U);
  EXPECT_EQ(writer.works() - before, 3U) << "what is produced waits for each of them";
  record::MetadataBatch removal;
  removal.add_records()->mutable_topic_removed()->set_topic_id(topic.ToBytes());
  world.controller.Commit(removal);
  world.RunUntil([&] { return world.machine(1).store.Logs().empty(); });
  EXPECT_EQ(writer.works() - before, 6U);
}

TEST(Reconciler, ALogWhoseTopicWentWhileItWasMadeIsDropped) {
  FakeWorld world(1);
  world.machine(1).writer->Pause();
  message::AdminRequest request;
  request.mutable_create_topic()->set_name("payments");
  request.mutable_create_topic()->set_partitions(2);
  request.mutable_create_topic()->set_replication_factor(1);
  world.controller.Commit(world.controller.core().Admin(request).batch);
  world.RunFor(std::chrono::seconds(1));
  record::MetadataBatch removal;
  removal.add_records()->mutable_topic_removed()->set_topic_id(
      world.controller.image().FindTopicByName("payments")->id.ToBytes());
  world.controller.Commit(removal);
  world.RunFor(std::chrono::seconds(1));
  world.machine(1).writer->Resume();
  world.RunFor(std::chrono::microseconds(400));
  EXPECT_EQ(world.machine(1).store.Logs().size(), 2U);
  world.RunUntil([&] { return world.machine(1).store.Logs().empty(); });
}

}  // namespace
}  // namespace quipu
