// Goal: offsets are committed by their partition's owner only, and survive what they must survive.
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {
namespace {

class GroupOffsetsTest : public GroupFixture {
 protected:
  GroupOffsetsTest() : topic_(topics_.Add("t", 1, 4)) {}

  int32_t FirstPartition(const Answer& answer) { return answer.assignment(0).partitions(0); }

  TopicId topic_;
};

TEST_F(GroupOffsetsTest, AnOffsetIsReadAsItWasCommitted) {
  Join("a");
  EXPECT_EQ(CommitOffset("a", 1, topic_, 2, 17, "note"), ErrorCode::kNone);
  message::OffsetFetchRequest request;
  request.set_group_id("g");
  request.set_member_id("a");
  request.set_member_epoch(1);
  const auto all = core_.OffsetFetch(request).response;
  ASSERT_EQ(all.partitions_size(), 1);
  EXPECT_EQ(all.partitions(0).topic_id(), topic_.ToBytes());
  EXPECT_EQ(all.partitions(0).partition(), 2);
  EXPECT_EQ(all.partitions(0).offset(), 17);
  EXPECT_EQ(all.partitions(0).leader_epoch(), 3);
  EXPECT_EQ(all.partitions(0).metadata(), "note");
}

TEST_F(GroupOffsetsTest, WithoutACommitThereIsNoOffset) {
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
  Join("a");
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
}

TEST_F(GroupOffsetsTest, TheNewestCommitCounts) {
  Join("a");
  CommitOffset("a", 1, topic_, 0, 5);
  CommitOffset("a", 1, topic_, 0, 9);
  EXPECT_EQ(FetchOffset(topic_, 0), 9);
  EXPECT_EQ(core_.StateRecordCount(), 3U);
}

TEST_F(GroupOffsetsTest, APartitionThatIsNamedAgainIsAnsweredOnce) {
  Join("a");
  CommitOffset("a", 1, topic_, 0, 5);
  message::OffsetFetchRequest request;
  request.set_group_id("g");
  for (int i = 0; i < 2; ++i) {
    auto* topic = request.add_partitions();
    topic->set_topic_id(topic_.ToBytes());
    for (const int partition : {0, 3, 0}) topic->add_partitions(partition);
  }
  const auto answer = core_.OffsetFetch(request).response;
  ASSERT_EQ(answer.partitions_size(), 2);
  EXPECT_EQ(answer.partitions(0).offset(), 5);
  EXPECT_EQ(answer.partitions(1).partition(), 3);
}

TEST_F(GroupOffsetsTest, MoreThanAnAnswerCarriesIsReadInParts) {
  const size_t metadata = TestOptions().offset_metadata_bytes_max;
  const auto count = static_cast<int32_t>(TestOptions().offset_fetch_bytes_max / metadata);
  const TopicId wide = topics_.Add("wide", 2, count);
  message::OffsetCommitRequest commit;
  commit.set_group_id("g");
  commit.set_member_epoch(-1);
  message::OffsetFetchRequest half;
  half.set_group_id("g");
  half.add_partitions()->set_topic_id(wide.ToBytes());
  for (int32_t i = 0; i < count; ++i) {
    auto* item = commit.add_partitions();
    item->set_topic_id(wide.ToBytes());
    item->set_partition(i);
    item->set_leader_epoch(-1);
    item->set_metadata(std::string(metadata, 'm'));
    if (i % 2 == 0) half.mutable_partitions(0)->add_partitions(i);
  }
  Commit(core_.OffsetCommit(commit, now_, topics_));
  message::OffsetFetchRequest all;
  all.set_group_id("g");
  const auto refused = core_.OffsetFetch(all).response;
  EXPECT_EQ(refused.error_code(), static_cast<int32_t>(ErrorCode::kInvalidRequest));
  EXPECT_EQ(refused.partitions_size(), 0);
  const auto read = core_.OffsetFetch(half).response;
  EXPECT_EQ(read.error_code(), 0);
  EXPECT_EQ(read.partitions_size(), count / 2);
}

// I50: the client gave the first attempt up, and it arrives all the same.
TEST_F(GroupOffsetsTest, AnAttemptThatALaterOneOvertookIsRefused) {
  Join("a");
  EXPECT_EQ(CommitOffset("a", 1, topic_, 0, 63, "", 1), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("a", 1, topic_, 0, 135, "", 3), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("a", 1, topic_, 0, 63, "", 2), ErrorCode::kOperationNotAttempted);
  EXPECT_EQ(FetchOffset(topic_, 0), 135);
  // Seeking back and committing is another matter.
  EXPECT_EQ(CommitOffset("a", 1, topic_, 0, 10, "", 4), ErrorCode::kNone);
  EXPECT_EQ(FetchOffset(topic_, 0), 10);
  EXPECT_EQ(CommitOffset("a", 1, topic_, 0, 11, "", -1), ErrorCode::kInvalidRequest);
}

TEST_F(GroupOffsetsTest, OnlyTheOwnerCommits) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  const int32_t of_a = FirstPartition(members["a"]);
  const int32_t of_b = FirstPartition(members["b"]);
  EXPECT_EQ(CommitOffset("a", 2, topic_, of_a, 1), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("a", 2, topic_, of_b, 1), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(CommitOffset("stranger", 2, topic_, of_a, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(FetchOffset(topic_, of_b), -1);
}

TEST_F(GroupOffsetsTest, AnOlderEpochMayCommitWhatItNeverLost) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  ASSERT_EQ(members["a"].member_epoch(), 2);
  // Kept since epoch 1: a commit on its way since then is still the owner's (KIP-1251).
  EXPECT_EQ(CommitOffset("a", 1, topic_, FirstPartition(members["a"]), 4), ErrorCode::kNone);
}

TEST_F(GroupOffsetsTest, ACommitFromBeforeThePartitionWentAwayAndCameBackIsRefused) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Settle(members);
  const int32_t wandering = FirstPartition(members["b"]);  // was "a"'s at epoch 1
  EXPECT_EQ(CommitOffset("b", 2, topic_, wandering, 50), ErrorCode::kNone);
  Leave("b");
  members.erase("b");
  Settle(members);
  ASSERT_EQ(Count(members["a"]), 4U);
  EXPECT_EQ(CommitOffset("a", 1, topic_, wandering, 10), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(CommitOffset("a", 2, topic_, wandering, 10), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(FetchOffset(topic_, wandering), 50);
  EXPECT_EQ(CommitOffset("a", members["a"].member_epoch(), topic_, wandering, 60),
            ErrorCode::kNone);
}

TEST_F(GroupOffsetsTest, WhatIsToBeGivenUpMayStillBeCommitted) {
  const Answer first = Join("a");
  Join("b");
  const Answer a = Follow("a", first);
  ASSERT_EQ(Count(a), 2U);
  for (int32_t partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(CommitOffset("a", 1, topic_, partition, 8), ErrorCode::kNone) << partition;
  }
  Follow("a", a);  // now the two are given up
  int refused = 0;
  for (int32_t partition = 0; partition < 4; ++partition) {
    const ErrorCode error = CommitOffset("a", 2, topic_, partition, 9);
    refused += error == ErrorCode::kStaleMemberEpoch ? 1 : 0;
  }
  EXPECT_EQ(refused, 2);
}

TEST_F(GroupOffsetsTest, AnEpochOfTheFutureIsRefused) {
  Join("a");
  EXPECT_EQ(CommitOffset("a", 2, topic_, 0, 1), ErrorCode::kStaleMemberEpoch);
}

TEST_F(GroupOffsetsTest, AnOutsiderCommitsOnlyIntoAGroupWithoutMembers) {
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 5), ErrorCode::kNone);
  Join("a");
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 6), ErrorCode::kUnknownMemberId);
  Leave("a");
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 7), ErrorCode::kNone);
  EXPECT_EQ(FetchOffset(topic_, 0), 7);
}

TEST_F(GroupOffsetsTest, RefusesBadPartitions) {
  EXPECT_EQ(CommitOffset("", -1, TopicId(9, 9), 0, 5), ErrorCode::kUnknownTopicId);
  EXPECT_EQ(CommitOffset("", -1, topic_, 4, 5), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(CommitOffset("", -1, topic_, -1, 5), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, -1), ErrorCode::kInvalidRequest);
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 5, std::string(4097, 'x')),
            ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_TRUE(log_.empty());
}

TEST_F(GroupOffsetsTest, RefusesHalfAMember) {
  EXPECT_EQ(CommitOffset("", 1, topic_, 0, 5), ErrorCode::kInvalidRequest);
  EXPECT_EQ(CommitOffset("a", -1, topic_, 0, 5), ErrorCode::kInvalidRequest);
}

TEST_F(GroupOffsetsTest, TheNumberOfOffsetsIsLimited) {
  GroupCoordinatorOptions options = TestOptions();
  options.offsets_per_group_max = 2;
  core_ = GroupCoordinatorCore(options);
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 5), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 1, 5), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 2, 5), ErrorCode::kLimitReached);
  EXPECT_EQ(CommitOffset("", -1, topic_, 1, 6), ErrorCode::kNone);
}

TEST_F(GroupOffsetsTest, AMemberReadsAtItsOwnEpochOnly) {
  Join("a");
  message::OffsetFetchRequest request;
  request.set_group_id("g");
  request.set_member_id("a");
  request.set_member_epoch(7);
  EXPECT_EQ(core_.OffsetFetch(request).response.error_code(),
            static_cast<int32_t>(ErrorCode::kStaleMemberEpoch));
  request.set_member_id("b");
  EXPECT_EQ(core_.OffsetFetch(request).response.error_code(),
            static_cast<int32_t>(ErrorCode::kUnknownMemberId));
  request.add_partitions()->set_topic_id("short");
  EXPECT_EQ(core_.OffsetFetch(request).response.error_code(),
            static_cast<int32_t>(ErrorCode::kInvalidRequest));
}

TEST_F(GroupOffsetsTest, OffsetsOutliveTheirMembers) {
  Join("a");
  CommitOffset("a", 1, topic_, 0, 5);
  Leave("a");
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  EXPECT_EQ(core_.List().response.groups(0).state(), "Empty");
}

TEST_F(GroupOffsetsTest, OffsetsGoWithTheirTopic) {
  const TopicId other = topics_.Add("u", 2, 1);
  CommitOffset("", -1, topic_, 0, 5);
  CommitOffset("", -1, other, 0, 6);
  topics_.Remove("t");
  TopicsChanged();
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
  EXPECT_EQ(FetchOffset(other, 0), 6);
  topics_.Remove("u");
  TopicsChanged();
  EXPECT_TRUE(core_.groups().empty());
}

TEST_F(GroupOffsetsTest, ManyOffsetsOfADeletedTopicGoInBoundedTurns) {
  GroupCoordinatorOptions options = TestOptions();
  options.records_per_turn_max = 3;
  core_ = GroupCoordinatorCore(options);
  const TopicId wide = topics_.Add("wide", 3, 10);
  for (int32_t i = 0; i < 10; ++i) CommitOffset("", -1, wide, i, i);
  topics_.Remove("wide");
  EXPECT_LE(core_.OnTopicsChanged(topics_).size(), 3U);
  TopicsChanged();
  EXPECT_TRUE(core_.groups().empty());
}

TEST_F(GroupOffsetsTest, ATopicMadeAnewUnderTheSameNameHasNoOffsets) {
  CommitOffset("", -1, topic_, 0, 5);
  const TopicId renewed = topics_.Add("t", 77, 4);
  TopicsChanged();
  EXPECT_EQ(FetchOffset(renewed, 0), -1);
}

TEST_F(GroupOffsetsTest, DeletingAGroupNeedsItToBeEmpty) {
  message::DeleteGroupRequest request;
  request.set_group_id("g");
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(),
            static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
  Join("a");
  CommitOffset("a", 1, topic_, 0, 5);
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(),
            static_cast<int32_t>(ErrorCode::kNonEmptyGroup));
  Leave("a");
  EXPECT_EQ(Commit(core_.Delete(request)).error_code(), 0);
  EXPECT_TRUE(core_.groups().empty());
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
}

// KIP-496.
TEST_F(GroupOffsetsTest, OffsetsAreForgottenWhereNobodyReadsTheTopic) {
  const TopicId other = topics_.Add("u", 2, 2);
  CommitOffset("", -1, topic_, 0, 5);
  CommitOffset("", -1, other, 1, 6);
  Join("a");
  message::OffsetDeleteRequest request;
  request.set_group_id("g");
  for (const auto& [topic, partition] : {std::pair(topic_, 0), std::pair(other, 1)}) {
    auto* item = request.add_partitions();
    item->set_topic_id(topic.ToBytes());
    item->add_partitions(partition);
    item->add_partitions(partition);  // once more: counts once
  }
  const auto response = Commit(core_.OffsetDelete(request, topics_));
  ASSERT_EQ(response.partitions_size(), 2);
  EXPECT_EQ(response.partitions(0).error_code(),
            static_cast<int32_t>(ErrorCode::kGroupSubscribedToTopic));
  EXPECT_EQ(response.partitions(1).error_code(), 0);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  EXPECT_EQ(FetchOffset(other, 1), -1);
  Leave("a");
  const auto rest = Commit(core_.OffsetDelete(request, topics_));
  EXPECT_EQ(rest.partitions(0).error_code(), 0);
  EXPECT_TRUE(core_.groups().empty()) << "nothing is left of it";
  EXPECT_EQ(core_.OffsetDelete(request, topics_).response.error_code(),
            static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
  request.clear_partitions();
  EXPECT_EQ(core_.OffsetDelete(request, topics_).response.error_code(),
            static_cast<int32_t>(ErrorCode::kInvalidRequest));
}

TEST_F(GroupOffsetsTest, GroupsAreListedAndDescribed) {
  Answer a = Join("a");
  EXPECT_EQ(core_.List().response.groups(0).state(), "Stable");
  Join("b");
  const auto list = core_.List().response;
  ASSERT_EQ(list.groups_size(), 1);
  EXPECT_EQ(list.groups(0).group_id(), "g");
  EXPECT_EQ(list.groups(0).state(), "Reconciling");
  EXPECT_EQ(list.groups(0).members(), 2);
  EXPECT_EQ(list.groups(0).coordinator(), 1);

  message::DescribeGroupRequest request;
  request.set_group_id("g");
  const auto group = core_.Describe(request, topics_).response;
  EXPECT_EQ(group.group_epoch(), 2);
  EXPECT_EQ(group.assignor(), "uniform");
  ASSERT_EQ(group.members_size(), 2);
  EXPECT_EQ(group.members(0).member_id(), "a");
  EXPECT_EQ(group.members(0).client_id(), "client-a");
  EXPECT_EQ(group.members(0).client_host(), "host");
  EXPECT_EQ(group.members(0).subscribed_topics(0), "t");
  EXPECT_EQ(CountPartitions(group.members(0).assignment()), 4U);

  request.set_group_id("nobody");
  EXPECT_EQ(core_.Describe(request, topics_).response.error_code(),
            static_cast<int32_t>(ErrorCode::kGroupIdNotFound));
}

// What is committed already goes on; nothing new comes.
TEST_F(GroupOffsetsTest, OffsetsBeyondTheBytesAreRefused) {
  GroupCoordinatorOptions options = TestOptions();
  options.bytes_max = 4000;
  core_ = GroupCoordinatorCore(options);
  const std::string text(1500, 'x');
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 1, text), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 1, 1, text), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 2, 1, text), ErrorCode::kLimitReached);
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 2, text), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 3, std::string(4000, 'x')), ErrorCode::kNone);
  EXPECT_GT(core_.held_bytes(), options.bytes_max);
  EXPECT_EQ(CommitOffset("", -1, topic_, 1, 3, std::string(4000, 'x')), ErrorCode::kLimitReached);
  EXPECT_EQ(CommitOffset("", -1, topic_, 0, 4, text), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 1, 3), ErrorCode::kNone);
  EXPECT_EQ(CommitOffset("", -1, topic_, 2, 1, text), ErrorCode::kNone);
  const size_t held = core_.held_bytes();
  EXPECT_EQ(Replayed().held_bytes(), held);
}

}  // namespace
}  // namespace quipu
