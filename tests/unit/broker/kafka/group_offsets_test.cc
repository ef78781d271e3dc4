// Goal: what a group has committed, and what an administrator sees of it, version by version.
#include "core/kafka/group/delete_groups.h"
#include "core/kafka/group/list_groups.h"
#include "core/kafka/group/offset_delete.h"
#include "gmock/gmock.h"
#include "tests/unit/broker/kafka/group_fixture.h"

namespace quipu::kafka {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// ---- committed offsets -----------------------------------------------------------------------

TEST_F(KafkaGroupTest, OffsetsAreCommittedAndFetchedInEveryVersion) {
  for (int16_t version = 2; version <= 9; ++version) {
    EXPECT_EQ(Commit(Commits("a", 40 + version), version), ErrorCode::kNone) << version;
  }
  for (int16_t version = 1; version <= 7; ++version) {
    const auto fetched = FetchOne("a", version);
    EXPECT_EQ(fetched.error_code, ErrorCode::kNone);
    EXPECT_EQ(fetched.topics.at(0).name, "a");
    const auto& partition = fetched.topics[0].partitions.at(0);
    EXPECT_EQ(partition.error_code, ErrorCode::kNone);
    EXPECT_EQ(partition.committed_offset, Offset(49)) << version;
    EXPECT_EQ(partition.metadata, "note");
    if (version >= 5) {
      EXPECT_EQ(partition.committed_leader_epoch, LeaderEpoch(3));
    }
    // A topic that is not there is one of which nothing is committed.
    const auto nothing = FetchOne("z", version).topics.at(0).partitions.at(0);
    EXPECT_EQ(nothing.error_code, ErrorCode::kNone);
    EXPECT_EQ(nothing.committed_offset, kNoOffset);
    EXPECT_EQ(nothing.metadata, "");
  }
  OffsetFetchRequest all{.group_id = "g"};
  const auto everything = Fetch(all, 7);
  ASSERT_EQ(everything.topics.size(), 1U);
  EXPECT_EQ(everything.topics[0].partitions.at(0).committed_offset, Offset(49));
}

TEST_F(KafkaGroupTest, EachCommitThatIsRefusedHasItsCode) {
  EXPECT_EQ(Commit(Commits("z", 1)), ErrorCode::kUnknownTopicOrPartition);
  OffsetCommitRequest request = Commits("a", 1);
  request.topics[0].partitions[0].partition_index = PartitionIndex(7);
  EXPECT_EQ(Commit(request), ErrorCode::kUnknownTopicOrPartition);
  request = Commits("a", 1);
  request.topics[0].partitions[0].committed_metadata = std::string(100000, 'x');
  EXPECT_EQ(Commit(request), ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_EQ(Commit(Commits("a", 1, "")), ErrorCode::kInvalidGroupId);
  const auto joined = Alone();
  EXPECT_EQ(Commit(Commits("a", 1)), ErrorCode::kUnknownMemberId);  // it has members
  request = Commits("a", 1);
  request.member_id = joined.member_id;
  request.generation_id_or_member_epoch = joined.generation_id + 1;
  EXPECT_EQ(Commit(request), ErrorCode::kIllegalGeneration);
  request.generation_id_or_member_epoch = joined.generation_id;
  EXPECT_EQ(Commit(request), ErrorCode::kNone);
}

TEST_F(KafkaGroupTest, FromVersion10OnTopicsAreIds) {
  OffsetCommitRequest commits = Commits("", 5);
  commits.topics[0].topic_id = a_;
  commits.topics.push_back(commits.topics[0]);
  const Uuid nobodys{1, 2};
  commits.topics[1].topic_id = nobodys;
  const auto committed = kafka_.Ask<OffsetCommitResponse>(HandleOffsetCommit, commits, 10);
  ASSERT_EQ(committed.topics.size(), 2U);
  EXPECT_EQ(committed.topics[0].topic_id, a_);
  EXPECT_EQ(committed.topics[0].partitions.at(0).error_code, ErrorCode::kNone);
  EXPECT_EQ(committed.topics[1].topic_id, nobodys);
  EXPECT_EQ(committed.topics[1].partitions.at(0).error_code, ErrorCode::kUnknownTopicId);

  OffsetFetchRequest request;
  std::vector<OffsetFetchRequest::Topic> topics = {
      {.topic_id = a_, .partition_indexes = {PartitionIndex(0), PartitionIndex(1)}},
      {.topic_id = nobodys, .partition_indexes = {PartitionIndex(0)}}};
  request.groups = {{.group_id = "g", .topics = topics},
                    {.group_id = "nothing", .topics = {{topics[1]}}},
                    {.group_id = "all"}};
  EXPECT_EQ(Commit(Commits("a", 8, "all")), ErrorCode::kNone);
  const auto fetched = Fetch(request, 10);
  ASSERT_EQ(fetched.groups.size(), 3U);
  EXPECT_EQ(fetched.groups[0].error_code, ErrorCode::kNone);
  const auto& known = fetched.groups[0].topics.at(0);
  EXPECT_EQ(known.topic_id, a_);
  EXPECT_EQ(known.partitions.at(0).committed_offset, Offset(5));
  EXPECT_EQ(known.partitions.at(1).error_code, ErrorCode::kNone);
  EXPECT_EQ(known.partitions.at(1).committed_offset, kNoOffset);
  for (const auto& unknown : {fetched.groups[0].topics.at(1), fetched.groups[1].topics.at(0)}) {
    EXPECT_EQ(unknown.topic_id, nobodys);
    EXPECT_EQ(unknown.partitions.at(0).error_code, ErrorCode::kUnknownTopicId);
    EXPECT_EQ(unknown.partitions.at(0).committed_offset, kNoOffset);
  }
  EXPECT_EQ(fetched.groups[2].topics.at(0).topic_id, a_);
  EXPECT_EQ(fetched.groups[2].topics.at(0).partitions.at(0).committed_offset, Offset(8));
}

TEST_F(KafkaGroupTest, FromVersion8OnSeveralGroupsAreFetchedAtOnce) {
  EXPECT_EQ(Commit(Commits("a", 5)), ErrorCode::kNone);
  EXPECT_EQ(Commit(Commits("a", 6, "h")), ErrorCode::kNone);
  OffsetFetchRequest request;
  request.groups = {{.group_id = "g", .topics = PartitionZero("a")},
                    {.group_id = "h"},
                    {.group_id = "g", .topics = PartitionZero("z")},
                    {.group_id = "", .topics = PartitionZero("a")}};
  for (const int16_t version : {int16_t{8}, int16_t{9}}) {
    const auto fetched = Fetch(request, version);
    ASSERT_EQ(fetched.groups.size(), 3U);  // each once
    EXPECT_EQ(fetched.groups[0].group_id, "g");
    EXPECT_EQ(fetched.groups[0].topics.at(0).partitions.at(0).committed_offset, Offset(5));
    EXPECT_EQ(fetched.groups[1].group_id, "h");
    EXPECT_EQ(fetched.groups[1].topics.at(0).name, "a");
    EXPECT_EQ(fetched.groups[1].topics.at(0).partitions.at(0).committed_offset, Offset(6));
    EXPECT_EQ(fetched.groups[2].error_code, ErrorCode::kInvalidGroupId);
  }
}

TEST_F(KafkaGroupOfThreeTest, InVersion1EachPartitionCarriesTheGroupsError) {
  const int other = at_ == 1 ? 2 : 1;
  const auto each = FetchOne("a", 1, other);
  EXPECT_EQ(each.topics.at(0).partitions.at(0).error_code, ErrorCode::kNotCoordinator);
  for (int16_t version = 2; version <= 7; ++version) {
    EXPECT_EQ(FetchOne("a", version, other).error_code, ErrorCode::kNotCoordinator);
  }
}

TEST_F(KafkaGroupTest, OffsetsAreDeletedUnlessTheirTopicIsSubscribedTo) {
  OffsetDeleteRequest request{.group_id = "g"};
  request.topics = {{.name = "a", .partitions = {{.partition_index = PartitionIndex(0)}}},
                    {.name = "z", .partitions = {{.partition_index = PartitionIndex(0)}}}};
  const auto ask = [&] { return kafka_.Ask<OffsetDeleteResponse>(HandleOffsetDelete, request, 0); };
  EXPECT_EQ(ask().error_code, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(Commit(Commits("a", 5)), ErrorCode::kNone);
  auto joining = Joining();
  joining.protocols[0].metadata = Bytes(std::string("\0\0\0\0\0\1\0\1a\xff\xff\xff\xff", 13));
  const auto joined = Alone(3, joining);
  auto answer = ask();
  EXPECT_EQ(answer.error_code, ErrorCode::kNone);
  EXPECT_EQ(answer.topics.at(0).partitions.at(0).error_code, ErrorCode::kGroupSubscribedToTopic);
  EXPECT_EQ(answer.topics.at(1).partitions.at(0).error_code, ErrorCode::kUnknownTopicOrPartition);
  Leave({{.member_id = joined.member_id}});
  EXPECT_EQ(ask().topics.at(0).partitions.at(0).error_code, ErrorCode::kNone);
  EXPECT_EQ(FetchOne("a", 7).topics.at(0).partitions.at(0).committed_offset, kNoOffset);
}

// ---- administration --------------------------------------------------------------------------

TEST_F(KafkaGroupTest, AGroupIsDescribed) {
  const auto joined = Alone();
  for (int16_t version = 0; version <= 6; ++version) {
    const auto group = Described(version);
    EXPECT_EQ(group.error_code, ErrorCode::kNone);
    EXPECT_EQ(group.group_state, "Stable");
    EXPECT_EQ(group.protocol_type, "consumer");
    EXPECT_EQ(group.protocol_data, "range");
    ASSERT_EQ(group.members.size(), 1U);
    EXPECT_EQ(group.members[0].member_id, joined.member_id);
    EXPECT_EQ(group.members[0].client_id, "tester");
    EXPECT_EQ(group.members[0].client_host, "127.0.0.1");
    EXPECT_EQ(group.members[0].member_metadata, Bytes("wishes"));
    EXPECT_EQ(group.members[0].member_assignment, Bytes("everything"));
  }
}

TEST_F(KafkaGroupTest, AGroupThatIsNotThereIsDeadAndFromVersion6OnAnError) {
  for (int16_t version = 0; version <= 6; ++version) {
    const auto group = Described(version, "nothing");
    EXPECT_EQ(group.group_state, "Dead");
    EXPECT_EQ(group.error_code, version < 6 ? ErrorCode::kNone : ErrorCode::kGroupIdNotFound);
    if (version == 6) {
      EXPECT_TRUE(group.error_message.has_value());
    }
  }
}

TEST_F(KafkaGroupTest, GroupsAreListedByStateAndKind) {
  Alone();
  EXPECT_EQ(Commit(Commits("a", 1, "h")), ErrorCode::kNone);
  const auto list = [this](int16_t version, std::vector<std::string> states = {},
                           std::vector<std::string> types = {}) {
    ListGroupsRequest request;
    request.states_filter = std::move(states);
    request.types_filter = std::move(types);
    std::vector<std::string> names;
    const auto listed = kafka_.Ask<ListGroupsResponse>(HandleListGroups, request, version);
    for (const auto& group : listed.groups) names.push_back(group.group_id);
    return names;
  };
  for (int16_t version = 0; version <= 5; ++version) {
    EXPECT_THAT(list(version), UnorderedElementsAre("g", "h")) << version;
  }
  EXPECT_THAT(list(4, {"Stable"}), ElementsAre("g"));
  EXPECT_THAT(list(4, {"empty"}), ElementsAre("h"));
  EXPECT_THAT(list(5, {}, {"classic"}), UnorderedElementsAre("g", "h"));
  EXPECT_THAT(list(5, {}, {"consumer"}), IsEmpty());
}

TEST_F(KafkaGroupTest, EmptyGroupsAreDeleted) {
  const auto joined = Alone();
  EXPECT_EQ(Commit(Commits("a", 1, "h")), ErrorCode::kNone);
  DeleteGroupsRequest request;
  request.groups_names = {"g", "h", "nothing", "h"};
  const auto answer = kafka_.Ask<DeleteGroupsResponse>(HandleDeleteGroups, request, 2);
  ASSERT_EQ(answer.results.size(), 3U);
  EXPECT_EQ(answer.results[0].error_code, ErrorCode::kNonEmptyGroup);
  EXPECT_EQ(answer.results[1].error_code, ErrorCode::kNone);
  EXPECT_EQ(answer.results[2].error_code, ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(Described(6, "h").error_code, ErrorCode::kGroupIdNotFound);
}

}  // namespace
}  // namespace quipu::kafka
