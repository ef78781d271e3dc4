// Goal: what administrators may say beside what they want: replicas by hand, checks without
// changes, whole sets of configs, the id of a topic, and word of every election.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<BrokerId> Ids(const std::vector<int>& ids) {
  std::vector<BrokerId> out;
  for (const int id : ids) out.emplace_back(id);
  return out;
}

class AdminOptionsTest : public ::testing::Test {
 protected:
  AdminOptionsTest() { cluster_.StartBrokers(3); }

  static message::AdminRequest Creation(const std::string& name,
                                        const std::vector<std::vector<int>>& replicas) {
    message::AdminRequest request;
    message::CreateTopic& topic = *request.mutable_create_topic();
    topic.set_name(name);
    topic.set_partitions(-1);
    topic.set_replication_factor(-1);
    for (const auto& ids : replicas) {
      auto* assignment = topic.add_assignments();
      for (const int id : ids) assignment->add_broker_ids(id);
    }
    return request;
  }
  static message::AdminRequest Growth(const std::string& name, int count,
                                      const std::vector<std::vector<int>>& replicas) {
    message::AdminRequest request;
    message::CreatePartitions& more = *request.mutable_create_partitions();
    more.set_topic(name);
    more.set_count(count);
    more.set_allow_key_remap(true);
    for (const auto& ids : replicas) {
      auto* assignment = more.add_assignments();
      for (const int id : ids) assignment->add_broker_ids(id);
    }
    return request;
  }
  ErrorCode Ask(const message::AdminRequest& request, const std::string& text = "") {
    const message::AdminResponse response = cluster_.Admin(request);
    EXPECT_THAT(response.error_message(), HasSubstr(text));
    return static_cast<ErrorCode>(response.error_code());
  }

  ControllerHarness cluster_;
};

TEST_F(AdminOptionsTest, ReplicasAreWhereTheyWereWanted) {
  const message::AdminResponse made = cluster_.Admin(Creation("a", {{3, 1}, {2, 3}}));
  ASSERT_EQ(made.error_code(), 0) << made.error_message();
  EXPECT_EQ(made.create_topic().partitions(), 2);
  EXPECT_EQ(made.create_topic().replication_factor(), 2);
  EXPECT_EQ(cluster_.Partition("a", 0).replicas, Ids({3, 1}));
  EXPECT_EQ(cluster_.Partition("a", 0).leader, BrokerId(3));
  EXPECT_EQ(cluster_.Partition("a", 1).isr, Ids({2, 3}));
  EXPECT_EQ(Ask(Growth("a", 4, {{1, 2}, {1, 3}})), ErrorCode::kNone);
  EXPECT_EQ(cluster_.Partition("a", 2).replicas, Ids({1, 2}));
  EXPECT_EQ(cluster_.Partition("a", 3).replicas, Ids({1, 3}));
}

TEST_F(AdminOptionsTest, ReplicasThatCannotBeAreRefused) {
  const ErrorCode invalid = ErrorCode::kInvalidReplicaAssignment;
  EXPECT_EQ(Ask(Creation("a", {{1, 2}, {3}}), "same number"), invalid);
  EXPECT_EQ(Ask(Creation("a", {{1, 1}}), "twice"), invalid);
  EXPECT_EQ(Ask(Creation("a", {{1, 9}}), "broker 9 is not live"), invalid);
  EXPECT_EQ(Ask(Creation("a", {{}}), "at least 1"), ErrorCode::kInvalidReplicationFactor);
  message::AdminRequest more = Creation("a", {{1}});
  more.mutable_create_topic()->set_partitions(2);
  EXPECT_EQ(Ask(more, "1 of 2 partitions"), invalid);
  EXPECT_EQ(cluster_.image().FindTopicByName("a"), nullptr);
  cluster_.CreateTopic("b", 1, 2);
  EXPECT_EQ(Ask(Growth("b", 3, {{1, 2}}), "1 of 2 new"), invalid);
  EXPECT_EQ(Ask(Growth("b", 2, {{1}}), "same number"), invalid);
  cluster_.Fence(3);
  EXPECT_EQ(Ask(Growth("b", 2, {{1, 3}}), "broker 3 is not live"), invalid);
  EXPECT_EQ(cluster_.image().FindTopicByName("b")->partitions.size(), 1U);
}

TEST_F(AdminOptionsTest, ACheckSaysWhatWouldComeOfItAndChangesNothing) {
  message::AdminRequest request = Creation("a", {{1}});
  request.set_validate_only(true);
  EXPECT_EQ(Ask(request), ErrorCode::kNone);
  EXPECT_EQ(cluster_.image().FindTopicByName("a"), nullptr);
  cluster_.CreateTopic("a", 1, 3);
  EXPECT_EQ(Ask(request), ErrorCode::kTopicAlreadyExists);
  message::AdminRequest removal;
  removal.mutable_delete_topic()->set_name("a");
  removal.set_validate_only(true);
  EXPECT_EQ(Ask(removal), ErrorCode::kNone);
  EXPECT_NE(cluster_.image().FindTopicByName("a"), nullptr);
}

TEST_F(AdminOptionsTest, ACreatedTopicsConfigsAreTold) {
  const auto made = cluster_.CreateTopic("a", 1, 3, {{"retention.ms", "5"}}).create_topic();
  std::map<std::string, std::string> configs;
  for (const auto& entry : made.configs()) configs[entry.key()] = entry.value();
  EXPECT_THAT(configs,
              ElementsAre(std::pair("min.insync.replicas", "2"), std::pair("retention.ms", "5")));
}

TEST_F(AdminOptionsTest, ATopicThatWasMadeAnewIsNotDeletedForTheOldOne) {
  const std::string old = cluster_.CreateTopic("a", 1, 3).create_topic().topic_id();
  message::AdminRequest removal;
  removal.mutable_delete_topic()->set_name("a");
  ASSERT_EQ(Ask(removal), ErrorCode::kNone);
  const std::string now = cluster_.CreateTopic("a", 1, 3).create_topic().topic_id();
  removal.mutable_delete_topic()->set_topic_id(old);
  EXPECT_EQ(Ask(removal, "anew"), ErrorCode::kUnknownTopicId);
  EXPECT_NE(cluster_.image().FindTopicByName("a"), nullptr);
  removal.mutable_delete_topic()->set_topic_id(now);
  EXPECT_EQ(Ask(removal), ErrorCode::kNone);
  EXPECT_EQ(cluster_.image().FindTopicByName("a"), nullptr);
}

TEST_F(AdminOptionsTest, AWholeSetOfConfigsTakesThePlaceOfWhatWasThere) {
  cluster_.CreateTopic("a", 1, 3, {{"retention.ms", "5"}, {"min.insync.replicas", "3"}});
  message::AdminRequest request;
  request.mutable_alter_topic_config()->set_topic("a");
  request.mutable_alter_topic_config()->set_replace(true);
  message::ConfigEntry* entry = request.mutable_alter_topic_config()->add_set();
  entry->set_key("max.message.bytes");
  entry->set_value("1000");
  ASSERT_EQ(Ask(request), ErrorCode::kNone);
  EXPECT_THAT(
      cluster_.image().FindTopicByName("a")->configs,
      ElementsAre(std::pair("max.message.bytes", "1000"), std::pair("min.insync.replicas", "2")));

  message::AdminRequest settings;
  settings.mutable_alter_configs()->set_broker_id(-1);
  settings.mutable_alter_configs()->set_replace(true);
  const auto set = [&settings](const std::string& key, const std::string& value) {
    settings.mutable_alter_configs()->clear_set();
    message::ConfigEntry* one = settings.mutable_alter_configs()->add_set();
    one->set_key(key);
    one->set_value(value);
  };
  set("num.partitions", "3");
  ASSERT_EQ(Ask(settings), ErrorCode::kNone);
  set("default.replication.factor", "2");
  ASSERT_EQ(Ask(settings), ErrorCode::kNone);
  EXPECT_THAT(cluster_.image().dynamic_configs().at(kNoBroker),
              ElementsAre(std::pair("default.replication.factor", "2")));
}

TEST_F(AdminOptionsTest, EachElectionHasItsOutcome) {
  ASSERT_EQ(Ask(Creation("a", {{1, 2, 3}, {2, 1, 3}, {3, 1, 2}})), ErrorCode::kNone);
  ASSERT_EQ(Ask(Creation("b", {{1, 2, 3}})), ErrorCode::kNone);
  cluster_.Fence(1);
  cluster_.Fence(3);
  cluster_.Heartbeat(1);
  ASSERT_EQ(cluster_.ChangeIsr(cluster_.Partition("a", 0).uid, {2, 1}), ErrorCode::kNone);
  ASSERT_EQ(cluster_.ChangeIsr(cluster_.Partition("b", 0).uid, {2, 1}), ErrorCode::kNone);
  message::AdminRequest request;
  request.mutable_elect_leaders()->set_topic("a");
  const message::AdminResponse response = cluster_.Admin(request);
  std::vector<ErrorCode> outcomes;
  for (const auto& partition : response.elect_leaders().partitions()) {
    EXPECT_EQ(partition.topic(), "a");
    outcomes.push_back(static_cast<ErrorCode>(partition.error_code()));
  }
  EXPECT_THAT(outcomes, ElementsAre(ErrorCode::kNone, ErrorCode::kElectionNotNeeded,
                                    ErrorCode::kPreferredLeaderNotAvailable));
  EXPECT_EQ(response.elect_leaders().elected(), 1);
  EXPECT_EQ(cluster_.Partition("a", 0).leader, BrokerId(1));
  // Of all topics those whose preferred replica did not lead.
  request.mutable_elect_leaders()->clear_topic();
  const message::AdminResponse all = cluster_.Admin(request);
  std::map<std::string, int32_t> told;
  for (const auto& partition : all.elect_leaders().partitions()) {
    told[partition.topic() + std::to_string(partition.partition())] = partition.error_code();
  }
  const auto unavailable = static_cast<int32_t>(ErrorCode::kPreferredLeaderNotAvailable);
  EXPECT_THAT(told, ElementsAre(std::pair("a2", unavailable), std::pair("b0", 0)));
}

}  // namespace
}  // namespace quipu
