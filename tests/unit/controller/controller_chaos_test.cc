// Goal: what a quorum of controllers has answered stays true. Method: seeded cuts, crashes and
// restarts of three controllers on virtual time, while brokers ask whoever is active. Checked: an
// acknowledged topic is there at the end, on every voter; producer id blocks never overlap; broker
// epochs are never granted twice; what a subscriber was told is a prefix of what is committed.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/logging.h"
#include "base/rng.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/metadata_invariants.h"
#include "core/raft/raft_core.h"
#include "tests/unit/controller/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ControllerChaos {
 public:
  explicit ControllerChaos(uint64_t seed) : rng_(seed), quorum_(3) {
    quorum_.executor.RunFor(seconds(5));
  }

  void Step() {
    Fault();
    for (int id = 1; id <= 3; ++id) {
      if (!stopped_.contains(id) && quorum_.IsActive(id) && rng_.Chance(2, 3)) Ask(id);
    }
    quorum_.executor.RunFor(milliseconds(rng_.Between(1, 700)));
    Collect();
    for (int id = 1; id <= 3; ++id) {
      if (stopped_.contains(id)) continue;
      quorum_.node(id).inspector().core().CheckInvariants();
      CheckMetadataInvariants(*quorum_.node(id).inspector().image());
    }
  }

  void HealAndCheck() {
    quorum_.Heal();
    for (const int id : stopped_) quorum_.StartNode(id);
    stopped_.clear();
    quorum_.executor.RunFor(seconds(20));
    Collect();
    ASSERT_NE(quorum_.Active(), 0);
    const MetadataImagePtr image = quorum_.active().inspector().image();
    for (int id = 1; id <= 3; ++id) {
      EXPECT_TRUE(*quorum_.node(id).inspector().image() == *image) << id;
    }
    for (const std::string& name : acknowledged_) {
      EXPECT_NE(image->FindTopicByName(name), nullptr) << name;
    }
    for (const int64_t first : blocks_) EXPECT_LT(first, image->next_producer_id().value());
  }

  size_t acknowledged() const { return acknowledged_.size(); }
  size_t blocks() const { return blocks_.size(); }
  size_t terms() const { return terms_.size(); }

 private:
  struct Conversation {
    std::unique_ptr<FakeBroker> broker;
    uint64_t register_request = 0;
    uint64_t create_request = 0;
    uint64_t block_request = 0;
    std::string topic;
    int32_t id = 0;
  };

  void Fault() {
    const int id = static_cast<int>(rng_.Between(1, 3));
    switch (rng_.Below(8)) {
      case 0:
        quorum_.Isolate(id);
        break;
      case 1:
        quorum_.cut[{id, id % 3 + 1}] = true;  // one way only
        break;
      case 2:
        if (stopped_.insert(id).second) quorum_.StopNode(id);
        break;
      case 3:
        if (stopped_.erase(id) == 1) quorum_.StartNode(id);
        break;
      default:
        quorum_.Heal();
        break;
    }
  }

  void Ask(int controller) {
    terms_.insert(quorum_.node(controller).inspector().raft().term());
    Conversation talk;
    talk.id = ++brokers_ % 7 + 1;
    talk.broker = std::make_unique<FakeBroker>(quorum_.node(controller), talk.id);
    talk.broker->Subscribe(1);
    const BrokerImage* known =
        quorum_.node(controller).inspector().image()->FindBroker(BrokerId(talk.id));
    const int64_t epoch = known == nullptr ? -1 : known->epoch.value();
    talk.register_request = talk.broker->Register(epoch, ++incarnation_);
    if (known != nullptr) {
      talk.broker->Heartbeat(epoch);
      message::BrokerToController request;
      request.mutable_allocate_producer_ids()->set_broker_id(talk.id);
      request.mutable_allocate_producer_ids()->set_broker_epoch(epoch);
      talk.block_request = talk.broker->Send(request);
    }
    quorum_.executor.RunFor(milliseconds(20));
    const message::ControllerToBroker* answer = talk.broker->Answer(talk.register_request);
    if (answer != nullptr && answer->register_().error_code() == 0) {
      const int64_t granted = answer->register_().broker_epoch();
      EXPECT_TRUE(epochs_.insert(granted).second) << "broker epoch granted twice: " << granted;
      talk.broker->Heartbeat(granted);
      message::BrokerToController request;
      request.mutable_allocate_producer_ids()->set_broker_id(talk.id);
      request.mutable_allocate_producer_ids()->set_broker_epoch(granted);
      talk.block_request = talk.broker->Send(request);
      talk.topic = "t" + std::to_string(incarnation_);
      talk.create_request = talk.broker->CreateTopic(talk.topic, 1, 1);
    }
    talks_.push_back(std::move(talk));
  }

  void Collect() {
    for (Conversation& talk : talks_) {
      const message::ControllerToBroker* created = talk.broker->Answer(talk.create_request);
      if (created != nullptr && created->has_admin() && created->admin().error_code() == 0) {
        acknowledged_.insert(talk.topic);
      }
      const message::ControllerToBroker* block = talk.broker->Answer(talk.block_request);
      if (block != nullptr && block->has_allocate_producer_ids() &&
          block->allocate_producer_ids().error_code() == 0) {
        const int64_t first = block->allocate_producer_ids().first();
        EXPECT_EQ(first % 1000, 0);
        EXPECT_TRUE(blocks_.insert(first).second) << "block granted twice: " << first;
      }
      CheckFollowed(talk);
    }
    talks_.clear();
  }

  // Two that were told up to the same index were told the same.
  void CheckFollowed(const Conversation& talk) {
    const MetadataImage followed = talk.broker->Followed();
    const auto [it, fresh] = told_.try_emplace(followed.index(), followed);
    if (!fresh) {
      EXPECT_TRUE(it->second == followed) << followed.index();
    }
  }

  Rng rng_;
  FakeQuorum quorum_;
  std::set<int> stopped_;
  std::vector<Conversation> talks_;
  int32_t brokers_ = 0;
  uint64_t incarnation_ = 0;
  std::set<std::string> acknowledged_;
  std::set<int64_t> blocks_;
  std::set<int64_t> epochs_;
  std::set<Term> terms_;
  std::map<LogIndex, MetadataImage> told_;
};

TEST(ControllerChaosTest, WhatWasAnsweredStaysTrue) {
  SetLogLevel(LogLevel::kError);
  size_t acknowledged = 0;
  size_t blocks = 0;
  size_t terms = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    ControllerChaos chaos(seed);
    for (int step = 0; step < 80; ++step) chaos.Step();
    chaos.HealAndCheck();
    if (testing::Test::HasFailure()) break;
    acknowledged += chaos.acknowledged();
    blocks += chaos.blocks();
    terms += chaos.terms();
  }
  SetLogLevel(LogLevel::kInfo);
  EXPECT_GT(acknowledged, 100U);
  EXPECT_GT(blocks, 100U);
  EXPECT_GT(terms, 50U);
}

}  // namespace
}  // namespace quipu
