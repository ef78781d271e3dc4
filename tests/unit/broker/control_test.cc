// Goal: a broker and its controllers: registration, epochs, metadata, forwarded requests.
#include <gtest/gtest.h>

#include "broker/control/controller_requests.h"
#include "broker/control/metadata_follower.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Outcome = MetadataFollower::Outcome;
using testing::FakeWorld;
using testing::MakeBatch;
using testing::StopProcessCalled;
using testing::Wire;

message::AdminRequest CreateRequest(const std::string& name) {
  message::AdminRequest request;
  request.mutable_create_topic()->set_name(name);
  request.mutable_create_topic()->set_partitions(1);
  request.mutable_create_topic()->set_replication_factor(1);
  return request;
}

TEST(Lifecycle, TheGrantedEpochIsInTheWatermarkFile) {
  FakeWorld world;
  const BrokerEpoch epoch = world.controller.image().FindBroker(BrokerId(1))->epoch;
  EXPECT_EQ(world.machine(1).watermark.broker_epoch(), epoch);
  EXPECT_EQ(world.node(1).inspector().broker_epoch(), epoch);
}

TEST(Lifecycle, NoHeartbeatBeforeTheEpochIsSynced) {
  FakeWorld world;
  world.machine(1).Crash();
  world.RunFor(seconds(4));
  world.machine(1).Boot();
  world.machine(1).writer->Pause();
  world.RunFor(seconds(1));
  EXPECT_TRUE(world.controller.image().FindBroker(BrokerId(1))->fenced);
  world.machine(1).writer->Resume();
  world.RunUntil([&] { return !world.controller.image().FindBroker(BrokerId(1))->fenced; });
}

TEST(Lifecycle, ARestartIsANewEpoch) {
  FakeWorld world;
  const BrokerEpoch before = world.node(1).inspector().broker_epoch();
  world.machine(1).Crash();
  world.machine(1).Boot();
  world.RunFor(seconds(2));
  EXPECT_GT(world.node(1).inspector().broker_epoch(), before);
}

TEST(Lifecycle, ABrokenStreamDoesNotRegisterAgain) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  const size_t before = world.controller.registrations;
  world.controller.BreakStreams();
  world.RunFor(seconds(5));
  EXPECT_EQ(world.controller.registrations, before);
  EXPECT_FALSE(world.controller.image().FindBroker(BrokerId(1))->fenced);
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(0, 1)).error, ErrorCode::kNone);
}

TEST(Lifecycle, ASilentControllerIsGivenUpAndFoundAgain) {
  FakeWorld world;
  world.controller.silent = true;
  world.RunFor(seconds(10));
  EXPECT_TRUE(world.controller.image().FindBroker(BrokerId(1))->fenced);
  world.controller.silent = false;
  world.RunUntil([&] { return !world.controller.image().FindBroker(BrokerId(1))->fenced; });
}

// D4: the mark on the disk ends when the granted epoch is synced, not before.
TEST(Lifecycle, AnUncleanDirectorySaysSoUntilTheControllersKnow) {
  FakeWorld world;
  world.machine(1).Crash();
  world.machine(1).watermark.MarkUnclean();
  world.machine(1).Boot();
  world.machine(1).writer->Pause();
  world.RunFor(seconds(1));
  EXPECT_TRUE(world.controller.image().FindBroker(BrokerId(1))->unclean);
  EXPECT_TRUE(world.machine(1).watermark.unclean());
  world.machine(1).Crash();
  world.machine(1).Boot();
  world.RunFor(seconds(2));
  EXPECT_TRUE(world.controller.image().FindBroker(BrokerId(1))->unclean);
  EXPECT_FALSE(world.machine(1).watermark.unclean());
  world.machine(1).Crash();
  world.machine(1).Boot();
  world.RunFor(seconds(2));
  EXPECT_FALSE(world.controller.image().FindBroker(BrokerId(1))->unclean);
}

TEST(Lifecycle, ARefusalForGoodStopsTheProcess) {
  FakeWorld world;
  world.machine(1).Crash();
  world.RunFor(seconds(5));
  world.controller.refuse_registration = ErrorCode::kUnprovenDirectory;
  world.machine(1).Boot();
  EXPECT_THROW(world.RunFor(seconds(2)), StopProcessCalled);
}

TEST(Lifecycle, ARetriableRefusalIsTriedAgain) {
  FakeWorld world;
  world.machine(1).Crash();
  world.RunFor(seconds(5));
  world.controller.refuse_registration = ErrorCode::kDuplicateBrokerRegistration;
  world.machine(1).Boot();
  world.RunFor(seconds(3));
  world.controller.refuse_registration.reset();
  world.RunUntil([&] { return !world.controller.image().FindBroker(BrokerId(1))->fenced; });
}

TEST(Lifecycle, ControlledShutdownAnswersWhatWaits) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  std::optional<FetchResponse> fetched;
  FetchRequest fetch;
  fetch.max_wait_ms = 60000;
  fetch.partitions.push_back(testing::Want(topic, 0, 0));
  world.node(1).Fetch(fetch, [&](FetchResponse response) { fetched = response; });
  bool done = false;
  world.node(1).ControlledShutdown(seconds(5), [&] { done = true; });
  world.RunUntil([&] { return done; }, seconds(7));
  ASSERT_TRUE(fetched.has_value());
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(0, 1)).error, ErrorCode::kBrokerShuttingDown);
}

TEST(Lifecycle, AStalledDiskIsReportedAndBelievedAgainLater) {
  FakeWorld world;
  world.machine(1).write_in_progress = milliseconds(1900);
  world.RunFor(seconds(2));
  EXPECT_FALSE(world.controller.image().FindBroker(BrokerId(1))->disk_stalled);
  world.machine(1).write_in_progress = milliseconds(2100);
  world.RunUntil([&] { return world.controller.image().FindBroker(BrokerId(1))->disk_stalled; },
                 seconds(1));
  world.machine(1).write_in_progress = Duration(0);
  world.RunFor(seconds(9));
  EXPECT_TRUE(world.controller.image().FindBroker(BrokerId(1))->disk_stalled);
  world.RunUntil([&] { return !world.controller.image().FindBroker(BrokerId(1))->disk_stalled; },
                 seconds(3));
}

TEST(Lifecycle, ADiskThatStallsForLongStopsTheProcess) {
  FakeWorld world;
  world.machine(1).write_in_progress = seconds(19);
  world.RunFor(seconds(1));
  world.machine(1).write_in_progress = seconds(20);
  EXPECT_THROW(world.RunFor(seconds(1)), StopProcessCalled);
}

TEST(Metadata, ListsBrokersTopicsAndUnknownOnes) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 2);
  message::MetadataRequest request;
  request.add_topics("payments");
  request.add_topics("nothing");
  const auto answer = world.Call<message::MetadataRequest, message::MetadataResponse>(
      1, &BrokerNode::Metadata, request);
  EXPECT_EQ(answer.cluster_id(), world.cluster.ToBytes());
  EXPECT_EQ(answer.controller_id(), 1);
  ASSERT_EQ(answer.brokers_size(), 1);
  EXPECT_EQ(answer.brokers(0).endpoint().port(), 9001U);
  ASSERT_EQ(answer.topics_size(), 2);
  EXPECT_EQ(answer.topics(0).topic_id(), topic.ToBytes());
  ASSERT_EQ(answer.topics(0).partitions_size(), 2);
  EXPECT_EQ(answer.topics(0).partitions(1).leader(), 1);
  EXPECT_EQ(answer.topics(1).error_code(), Wire(ErrorCode::kUnknownTopicOrPartition));
}

TEST(Admin, IsForwardedToTheController) {
  FakeWorld world;
  const auto answer = world.Call<message::AdminRequest, message::AdminResponse>(
      1, &BrokerNode::Admin, CreateRequest("orders"));
  EXPECT_EQ(answer.error_code(), 0);
  EXPECT_NE(world.controller.image().FindTopicByName("orders"), nullptr);
}

TEST(Admin, AnUnansweredRequestHasAnUnknownOutcome) {
  FakeWorld world;
  world.controller.silent = true;
  const auto answer = world.Call<message::AdminRequest, message::AdminResponse>(
      1, &BrokerNode::Admin, CreateRequest("orders"));
  EXPECT_EQ(answer.error_code(), Wire(ErrorCode::kRequestTimedOut));
}

TEST(Admin, ARequestThatWasNeverSentIsNotCalledUnknown) {
  FakeWorld world;
  world.controller.refuse_all = true;
  world.RunFor(seconds(2));
  std::optional<message::AdminResponse> answer;
  world.node(1).Admin(CreateRequest("orders"),
                      [&](message::AdminResponse response) { answer = std::move(response); });
  world.RunUntil([&] { return answer.has_value(); }, seconds(60));
  EXPECT_EQ(answer->error_code(), Wire(ErrorCode::kNotController));
}

TEST(Admin, ARequestRefusedByADeposedControllerGoesToTheNextOne) {
  FakeWorld world;
  world.controller.refuse_all = true;
  std::optional<message::AdminResponse> answer;
  world.node(1).Admin(CreateRequest("orders"),
                      [&](message::AdminResponse response) { answer = std::move(response); });
  world.RunFor(seconds(1));
  world.controller.refuse_all = false;
  world.RunUntil([&] { return answer.has_value(); });
  EXPECT_EQ(answer->error_code(), 0);
}

TEST(ProducerIds, AreNeverGivenTwice) {
  FakeWorld world(2);
  std::vector<int64_t> ids;
  for (int i = 0; i < 6; ++i) {
    message::InitProducerIdRequest request;
    request.set_producer_id(-1);
    const auto answer = world.Call<message::InitProducerIdRequest, message::InitProducerIdResponse>(
        1 + i % 2, &BrokerNode::InitProducerId, request);
    EXPECT_EQ(answer.error_code(), 0);
    EXPECT_EQ(answer.producer_epoch(), 0);
    ids.push_back(answer.producer_id());
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
}

TEST(ProducerIds, AKnownIdGetsItsNextEpoch) {
  FakeWorld world;
  message::InitProducerIdRequest request;
  request.set_producer_id(17);
  request.set_producer_epoch(4);
  const auto answer = world.Call<message::InitProducerIdRequest, message::InitProducerIdResponse>(
      1, &BrokerNode::InitProducerId, request);
  EXPECT_EQ(answer.producer_id(), 17);
  EXPECT_EQ(answer.producer_epoch(), 5);
}

TEST(MetadataFollower, DropsUpdatesOfAnOlderController) {
  MetadataFollower follower;
  message::MetadataUpdate update;
  update.set_controller_epoch(5);
  update.set_controller_id(2);
  auto* entry = update.add_entries();
  entry->set_index(1);
  entry->mutable_batch()->add_records()->mutable_cluster_state()->set_cluster_id(
      Uuid(1, 2).ToBytes());
  EXPECT_EQ(follower.OnUpdate(update), Outcome::kNewer);
  EXPECT_EQ(follower.index(), LogIndex(1));
  update.set_controller_epoch(4);
  update.set_controller_id(1);
  update.mutable_entries(0)->set_index(2);
  EXPECT_EQ(follower.OnUpdate(update), Outcome::kNothingNew);
  EXPECT_EQ(follower.index(), LogIndex(1));
  EXPECT_EQ(follower.controller(), ControllerId(2));
}

TEST(MetadataFollower, AMissingEntryIsNoticedAndNothingApplied) {
  MetadataFollower follower;
  message::MetadataUpdate update;
  update.add_entries()->set_index(1);
  EXPECT_EQ(follower.OnUpdate(update), Outcome::kNewer);
  update.mutable_entries(0)->set_index(3);
  EXPECT_EQ(follower.OnUpdate(update), Outcome::kGap);
  EXPECT_EQ(follower.index(), LogIndex(1));
}

// A leader counts the copies of its proposal that may still be taken.
TEST(ControllerRequests, EachCopyOfAnIsrProposalIsAnsweredOnce) {
  FakeWorld world;
  const auto config = std::make_shared<const BrokerConfig>(world.machine(1).config);
  ControlChannel channel(config, world.machine(1), Rng(1));  // no stream: what is sent is lost
  std::vector<ErrorCode> answers;
  ControllerRequests requests(config, channel,
                              [&](const IsrResult& result) { answers.push_back(result.error); });
  requests.OnReady(BrokerEpoch(3));
  const IsrProposal proposal{.uid = PartitionUid(1),
                             .leader_epoch = LeaderEpoch(1),
                             .partition_epoch = PartitionEpoch(5),
                             .new_isr = {}};
  requests.ProposeIsr(proposal);  // under way
  requests.ProposeIsr(proposal);  // waits
  EXPECT_TRUE(answers.empty());
  requests.ProposeIsr(proposal);  // takes the place of the one that waits
  EXPECT_EQ(answers, std::vector{ErrorCode::kOperationNotAttempted});
  message::ControllerToBroker refusal;
  refusal.set_request_id(1);
  refusal.mutable_not_controller();
  requests.OnMessage(refusal);  // the first was not taken, and will not be: the last one waits
  EXPECT_EQ(answers, std::vector(2, ErrorCode::kOperationNotAttempted));
  requests.OnReady(BrokerEpoch(3));
  requests.OnLost();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers.back(), ErrorCode::kRequestTimedOut);
}

TEST(MetadataFollower, TakesASnapshotInPiecesAndForgetsAHalfOne) {
  FakeWorld world;
  world.CreateTopic("payments", 2);
  const auto records = world.controller.image().ToSnapshot();
  ASSERT_GT(records.size(), 2U);
  const auto piece = [&](size_t from, size_t to) {
    message::MetadataUpdate update;
    auto* snapshot = update.mutable_snapshot();
    snapshot->set_last_index(world.controller.image().index().value());
    for (size_t i = from; i < to; ++i) *snapshot->add_records() = records[i];
    snapshot->set_first(from == 0);
    snapshot->set_last(to == records.size());
    return update;
  };
  MetadataFollower follower;
  EXPECT_EQ(follower.OnUpdate(piece(0, 2)), Outcome::kNothingNew);
  follower.OnStreamOpened();
  EXPECT_EQ(follower.OnUpdate(piece(2, records.size())), Outcome::kNothingNew);
  EXPECT_EQ(follower.OnUpdate(piece(0, 2)), Outcome::kNothingNew);
  EXPECT_EQ(follower.OnUpdate(piece(2, records.size())), Outcome::kNewer);
  EXPECT_EQ(*follower.image(), world.controller.image());
}

}  // namespace
}  // namespace quipu
