// Goal: what a request names again and again, or many of at once, costs no more than each once, and
// no answer grows without a bound.
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/group/group_bytes.h"
#include "core/kafka/group/delete_groups.h"
#include "core/kafka/group/describe_groups.h"
#include "core/kafka/group/find_coordinator.h"
#include "core/kafka/group/offset_fetch.h"
#include "core/kafka/log/fetch.h"
#include "tests/unit/broker/kafka/kafka_world.h"

namespace quipu::kafka {
namespace {

constexpr int kPartitions = 20;
constexpr size_t kMetadataBytes = size_t{1} << 20U;

class KafkaGroupLimitsTest : public ::testing::Test {
 protected:
  KafkaGroupLimitsTest() {
    kafka_.world.machine(1).Crash();
    kafka_.world.machine(1).config.offset_metadata_bytes_max = kMetadataBytes;
    kafka_.world.machine(1).Boot();
    kafka_.world.RunFor(std::chrono::seconds(2));
    topic_ = kafka_.world.CreateTopic("a", kPartitions);
  }

  // Commits offset 5 with a text of `metadata_bytes` in partitions [0, count).
  void Commit(const std::string& group, int count, size_t metadata_bytes) {
    for (int i = 0; i < count; ++i) {
      message::OffsetCommitRequest request;
      request.set_group_id(group);
      request.set_member_epoch(-1);
      auto* partition = request.add_partitions();
      partition->set_topic_id(topic_.ToBytes());
      partition->set_partition(i);
      partition->set_offset(5);
      partition->set_leader_epoch(-1);
      partition->set_metadata(std::string(metadata_bytes, 'm'));
      // Until there is a coordinator.
      for (int tries = 0; tries < 100; ++tries) {
        const auto answer =
            kafka_.world.Call<message::OffsetCommitRequest, message::OffsetCommitResponse>(
                1, &BrokerNode::OffsetCommit, request);
        if (answer.error_code() == 0 && answer.partitions(0).error_code() == 0) break;
        ASSERT_LT(tries, 99) << answer.ShortDebugString();
        kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator,
                                            FindCoordinatorRequest{.key = group}, 3);
        kafka_.world.RunFor(std::chrono::milliseconds(100));
      }
    }
  }

  OffsetFetchResponse Fetch(const OffsetFetchRequest& request, int16_t version) {
    return kafka_.Ask<OffsetFetchResponse>(HandleOffsetFetch, request, version);
  }

  KafkaWorld kafka_;
  TopicId topic_;
};

TEST_F(KafkaGroupLimitsTest, APartitionThatIsNamedAgainIsAnsweredOnce) {
  Commit("g", 2, 100);
  const OffsetFetchRequest::Topic twice{
      .name = "a", .partition_indexes = {PartitionIndex(0), PartitionIndex(1), PartitionIndex(0)}};
  const auto old = Fetch({.group_id = "g", .topics = {{twice, twice}}}, 7);
  ASSERT_EQ(old.topics.size(), 1U);
  ASSERT_EQ(old.topics[0].partitions.size(), 2U);
  EXPECT_EQ(old.topics[0].partitions[0].committed_offset, Offset(5));
  OffsetFetchRequest request;
  request.groups = {{.group_id = "g", .topics = {{twice, twice}}}};
  request.groups.push_back(request.groups[0]);
  const auto now = Fetch(request, 8);
  ASSERT_EQ(now.groups.size(), 1U);
  ASSERT_EQ(now.groups[0].topics.size(), 1U);
  ASSERT_EQ(now.groups[0].topics[0].partitions.size(), 2U);
  EXPECT_EQ(now.groups[0].topics[0].partitions[1].partition_index, PartitionIndex(1));
}

TEST_F(KafkaGroupLimitsTest, GroupsForWhichAnAnswerHasNoRoomComeWithTheNextOnes) {
  OffsetFetchRequest request;
  for (const std::string group : {"f", "g", "h"}) {
    Commit(group, 9, kMetadataBytes);
    request.groups.push_back({.group_id = group});
  }
  int rounds = 0;
  for (; !request.groups.empty() && rounds < 10; ++rounds) {
    const auto response = Fetch(request, 8);
    ASSERT_EQ(response.groups.size(), request.groups.size());
    request.groups.clear();
    for (const OffsetFetchResponse::Group& group : response.groups) {
      if (group.error_code == GroupBytes::kRefusal) {
        EXPECT_TRUE(group.topics.empty());
        request.groups.push_back({.group_id = group.group_id});
        continue;
      }
      EXPECT_EQ(group.error_code, ErrorCode::kNone);
      EXPECT_EQ(group.topics.at(0).partitions.size(), 9U);
    }
  }
  EXPECT_EQ(rounds, 3);  // two of 9 MiB are more than 16
}

TEST_F(KafkaGroupLimitsTest, AGroupThatIsTooLargeForAnyAnswerIsReadInParts) {
  Commit("g", 17, kMetadataBytes);
  OffsetFetchRequest request{.groups = {{.group_id = "g"}}};
  EXPECT_EQ(Fetch(request, 8).groups.at(0).error_code, ErrorCode::kInvalidRequest);
  request.groups[0].topics = {
      {{.name = "a", .partition_indexes = {PartitionIndex(3), PartitionIndex(16)}}}};
  const auto part = Fetch(request, 8);
  EXPECT_EQ(part.groups.at(0).error_code, ErrorCode::kNone);
  EXPECT_EQ(part.groups.at(0).topics.at(0).partitions.at(1).committed_offset, Offset(5));
}

TEST_F(KafkaGroupLimitsTest, CoordinatorsOfManyGroupsAreToldWithoutATaskForEach) {
  Commit("g", 1, 1);
  FindCoordinatorRequest request;
  for (int i = 0; i < 100000; ++i) request.coordinator_keys.push_back("group-" + std::to_string(i));
  // Answered while nothing else in the broker has run.
  const auto connection = kafka_.Send(HandleFindCoordinator, request, 4);
  EXPECT_TRUE(connection->answer.has_value());
  const auto response = kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator, request, 4);
  ASSERT_EQ(response.coordinators.size(), 100000U);
  for (const auto& coordinator : response.coordinators) {
    ASSERT_EQ(coordinator.error_code, ErrorCode::kNone);
    ASSERT_EQ(coordinator.port, 9191);
  }
}

TEST_F(KafkaGroupLimitsTest, ThousandsOfGroupsAreDescribedAndDeleted) {
  Commit("g", 1, 1);
  DescribeGroupsRequest describe;
  DeleteGroupsRequest remove;
  for (int i = 0; i < 5000; ++i) {
    describe.groups.push_back("group-" + std::to_string(i));
    remove.groups_names.push_back("group-" + std::to_string(i));
  }
  const auto described = kafka_.Ask<DescribeGroupsResponse>(HandleDescribeGroups, describe, 6);
  ASSERT_EQ(described.groups.size(), 5000U);
  for (const auto& group : described.groups) {
    ASSERT_EQ(group.error_code, ErrorCode::kGroupIdNotFound);
  }
  EXPECT_EQ(described.groups.back().group_id, "group-4999");
  const auto removed = kafka_.Ask<DeleteGroupsResponse>(HandleDeleteGroups, remove, 2);
  ASSERT_EQ(removed.results.size(), 5000U);
  for (const auto& result : removed.results) {
    ASSERT_EQ(result.error_code, ErrorCode::kGroupIdNotFound);
  }
}

TEST(KafkaCallTest, AnAnswerThatNoFrameCanCarryEndsTheConnection) {
  const auto connection = std::make_shared<RecordingConnection>();
  Refusals refusals;
  RequestFrame frame;
  frame.api = &InfoOf(ApiKey::kFetch);
  frame.version = 12;
  const KafkaCall call(connection, 0, std::move(frame), refusals);
  FetchResponse response{.responses = {{.topic = "a", .partitions = {{}}}}};
  response.responses[0].partitions[0].records = {
      .is_null = false, .slices = ByteChain(2048, Bytes(std::string(size_t{1} << 20U, 'r')))};
  call.Answer(response);
  EXPECT_EQ(connection->answer, "");
  EXPECT_TRUE(connection->ended);
  EXPECT_EQ(refusals.counts().at({"Kafka/Fetch", ErrorCode::kMessageTooLarge}), 1U);
}

}  // namespace
}  // namespace quipu::kafka
