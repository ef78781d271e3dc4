// A coordinator under test, and the host and clients around it, in one thread and without a clock.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/coordinator/group_coordinator_core.h"
#include "gtest/gtest.h"

namespace quipu {

class FakeTopics final : public GroupTopicView {
 public:
  // A topic of this name with an id made of `number`.
  TopicId Add(const std::string& name, uint64_t number, int32_t partitions) {
    const TopicId id(0, number);
    const auto place = topics_.insert_or_assign(name, GroupTopic()).first;
    place->second = {.id = id, .partition_count = partitions, .name = place->first};
    return id;
  }
  void Remove(const std::string& name) { topics_.erase(name); }

  [[nodiscard]] std::optional<GroupTopic> FindByName(absl::string_view name) const override {
    const auto it = topics_.find(std::string(name));
    if (it == topics_.end()) return std::nullopt;
    return it->second;
  }
  [[nodiscard]] std::optional<GroupTopic> FindById(TopicId id) const override {
    for (const auto& [name, topic] : topics_) {
      if (topic.id == id) return topic;
    }
    return std::nullopt;
  }

 private:
  std::map<std::string, GroupTopic> topics_;
};

inline GroupCoordinatorOptions TestOptions() {
  GroupCoordinatorOptions options;
  options.broker_id = BrokerId(1);
  options.session_timeout_ms_default = 10000;
  options.rebalance_timeout_ms_default = 30000;
  return options;
}

// Does the host's part: appends every record to a log and replays it at once.
class GroupFixture : public ::testing::Test {
 protected:
  using Answer = message::GroupHeartbeatResponse;

  void Append(const GroupRecords& records) {
    for (const record::GroupRecord& record : records) {
      // Through bytes, as a log would.
      record::GroupRecord stored;
      QUIPU_CHECK(stored.ParseFromString(record.SerializeAsString()));
      core_.Replay(stored);
      log_.push_back(stored);
    }
    core_.CheckInvariants();
  }

  template <typename Response>
  Response Commit(GroupResult<Response> result) {
    Append(result.records);
    return std::move(result.response);
  }

  void Advance(int64_t milliseconds) {
    now_.mono += std::chrono::milliseconds(milliseconds);
    now_.wall += milliseconds;
    while (core_.NextDeadline().has_value() && *core_.NextDeadline() <= now_.mono) {
      Append(core_.OnTime(now_, topics_));
      Expire();
    }
  }

  void Expire() {
    const ExpiredOffsets expired = core_.ExpireOffsets(now_, topics_);
    Append(expired.records);
    expired_.offsets += expired.offsets;
    expired_.groups += expired.groups;
    expiry_records_most_ = std::max(expiry_records_most_, expired.records.size());
  }

  void TopicsChanged() {
    for (GroupRecords records = core_.OnTopicsChanged(topics_); !records.empty();
         records = core_.OnTopicsChanged(topics_)) {
      Append(records);
    }
  }

  Answer Heartbeat(const message::GroupHeartbeatRequest& request) {
    return Commit(core_.Heartbeat(request, "host", now_, topics_));
  }

  static message::GroupHeartbeatRequest Request(const std::string& member, int32_t epoch) {
    message::GroupHeartbeatRequest request;
    request.set_group_id("g");
    request.set_member_id(member);
    request.set_member_epoch(epoch);
    return request;
  }

  static message::GroupHeartbeatRequest JoinRequest(const std::string& member,
                                                    const std::vector<std::string>& topics) {
    message::GroupHeartbeatRequest request = Request(member, 0);
    request.set_client_id("client-" + member);
    request.set_subscription_present(true);
    for (const std::string& topic : topics) request.add_subscribed_topics(topic);
    return request;
  }

  Answer Join(const std::string& member, const std::vector<std::string>& topics = {"t"}) {
    return Heartbeat(JoinRequest(member, topics));
  }

  // As a client that has taken up, and given up, exactly what the last answer said.
  Answer Follow(const std::string& member, const Answer& last) {
    message::GroupHeartbeatRequest request = Request(member, last.member_epoch());
    request.set_owned_present(true);
    *request.mutable_owned() = last.assignment();
    return Heartbeat(request);
  }

  Answer Leave(const std::string& member) { return Heartbeat(Request(member, -1)); }

  // Heartbeats of all until nobody's answer changes any more.
  void Settle(std::map<std::string, Answer>& members) {
    for (int round = 0; round < 20; ++round) {
      bool changed = false;
      for (auto& [member, last] : members) {
        Answer next = Follow(member, last);
        ASSERT_EQ(next.error_code(), 0) << member;
        changed = changed || next.SerializeAsString() != last.SerializeAsString();
        last = next;
      }
      if (!changed) return;
    }
    FAIL() << "the group does not settle\n" << core_.DebugString();
  }

  static size_t Count(const Answer& answer) { return CountPartitions(answer.assignment()); }

  ErrorCode CommitOffset(const std::string& member, int32_t epoch, TopicId topic, int32_t partition,
                         int64_t offset, const std::string& metadata = "", int64_t attempt = 0) {
    message::OffsetCommitRequest request;
    request.set_group_id("g");
    request.set_member_id(member);
    request.set_member_epoch(epoch);
    request.set_attempt(attempt);
    auto* item = request.add_partitions();
    item->set_topic_id(topic.ToBytes());
    item->set_partition(partition);
    item->set_offset(offset);
    item->set_leader_epoch(3);
    item->set_metadata(metadata);
    const auto response = Commit(core_.OffsetCommit(request, now_, topics_));
    QUIPU_CHECK(response.partitions_size() == 1);
    const int32_t code = response.partitions(0).error_code();
    EXPECT_TRUE(response.error_code() == 0 || response.error_code() == code);
    return *ErrorCodeFromWire(code);
  }

  int64_t FetchOffset(TopicId topic, int32_t partition) {
    message::OffsetFetchRequest request;
    request.set_group_id("g");
    auto* item = request.add_partitions();
    item->set_topic_id(topic.ToBytes());
    item->add_partitions(partition);
    const auto result = core_.OffsetFetch(request);
    EXPECT_EQ(result.response.error_code(), 0);
    return result.response.partitions(0).offset();
  }

  // A core that learnt everything from the log, as after a failover.
  [[nodiscard]] GroupCoordinatorCore Replayed() const {
    GroupCoordinatorCore fresh(TestOptions());
    for (const record::GroupRecord& record : log_) fresh.Replay(record);
    return fresh;
  }

  FakeTopics topics_;
  GroupCoordinatorCore core_{TestOptions()};
  std::vector<record::GroupRecord> log_;
  ExpiredOffsets expired_;          // in sum, without the records
  size_t expiry_records_most_ = 0;  // of one turn
  Now now_{.mono = Instant(), .wall = TimestampMs(1700000000000)};
};

}  // namespace quipu
