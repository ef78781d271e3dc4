// Goal: leaders are asked on their peer listeners, and one that cannot be reached is a failure that
// is counted, not an end. Method: a real listener on 127.0.0.1 in the leader's place.
#include "broker/process/leader_asker.h"

#include <gtest/gtest.h>

#include <thread>

#include "runtime/shard_thread.h"
#include "runtime/socket/socket_stream.h"

namespace quipu {
namespace {

constexpr int64_t kEnd = 42;

// Answers ListOffsets for every partition with kEnd.
class FakeLeader {
 public:
  FakeLeader() : listener_({}, &Accept) {
    EXPECT_TRUE(listener_.Bind().ok());
    listener_.Serve({sockets_});
  }
  ~FakeLeader() { listener_.Shutdown(); }
  FakeLeader(const FakeLeader&) = delete;
  FakeLeader& operator=(const FakeLeader&) = delete;
  [[nodiscard]] uint16_t port() const { return listener_.port(); }

 private:
  static absl::StatusOr<RawHandler> Accept(const StreamOpening& opening,
                                           const std::shared_ptr<RawSender>& stream) {
    EXPECT_EQ(opening.purpose, StreamPurpose::kListOffsets);
    return ProtoHandler<message::ListOffsetsRequest>(
        {.on_message =
             [stream](const message::ListOffsetsRequest& request) {
               message::ListOffsetsResponse answer;
               for (const auto& asked : request.partitions()) {
                 auto* told = answer.add_partitions();
                 told->set_topic_id(asked.topic_id());
                 told->set_partition(asked.partition());
                 told->set_offset(kEnd);
               }
               stream->Send(EncodeProto(answer));
             },
         .on_closed = [](const absl::Status&) {}});
  }

  const std::shared_ptr<SocketLoop> sockets_ = std::make_shared<SocketLoop>();
  ShardThread thread_{"leader", sockets_};
  StreamListener listener_;
};

// One partition of one topic, led by broker 2, whose peer listener is on `port`.
class LeaderAskerTest : public testing::Test {
 protected:
  [[nodiscard]] MetadataImage ImageWithLeaderOn(uint16_t port, int32_t partitions = 1) const {
    record::MetadataBatch batch;
    auto* broker = batch.add_records()->mutable_broker_registered();
    broker->set_broker_id(2);
    broker->set_directory_id(Uuid(3, 4).ToBytes());
    broker->set_incarnation_id(Uuid(5, 6).ToBytes());
    broker->mutable_peer_endpoint()->set_host("127.0.0.1");
    broker->mutable_peer_endpoint()->set_port(port);
    auto* created = batch.add_records()->mutable_topic_created();
    created->set_topic_id(topic.ToBytes());
    created->set_name("t");
    for (int32_t i = 0; i < partitions; ++i) {
      auto* partition = batch.add_records()->mutable_partition();
      partition->set_topic_id(topic.ToBytes());
      partition->set_partition(i);
      partition->set_partition_uid(static_cast<uint64_t>(i) + 1);
      partition->set_leader(2);
      partition->add_replicas(2);
      partition->add_isr(2);
    }
    MetadataImage image;
    image.Apply(LogIndex(1), batch);
    return image;
  }
  // Asks again and again until `done`; a minute at most.
  void AskUntil(const MetadataImage& image, const std::function<bool()>& done) {
    for (int i = 0; i < 6000 && !done(); ++i) {
      asker.Ask(image, {{topic, PartitionIndex(0)}});
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(done());
  }

  const TopicId topic = Uuid(1, 2);
  LeaderAsker asker{BrokerId(1), std::chrono::seconds(30), std::chrono::seconds(60)};
};

TEST_F(LeaderAskerTest, WhatTheLeaderAnswersIsKnown) {
  const FakeLeader leader;
  AskUntil(ImageWithLeaderOn(leader.port()), [&] { return !asker.Known().empty(); });
  const LeaderEnds::Ends expected{{{topic, PartitionIndex(0)}, Offset(kEnd)}};
  EXPECT_EQ(asker.Known(), expected);
}

// However many are wanted, no request is larger than what a listener takes from anybody (PR9).
TEST_F(LeaderAskerTest, ManyPartitionsAreAskedInSmallRequests) {
  constexpr int32_t kMany = 1100;
  const FakeLeader leader;
  const MetadataImage image = ImageWithLeaderOn(leader.port(), kMany);
  absl::btree_set<TopicPartition> wanted;
  for (int32_t i = 0; i < kMany; ++i) wanted.insert({topic, PartitionIndex(i)});
  asker.Ask(image, wanted);
  for (int i = 0; i < 6000 && asker.Known().size() < kMany; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(asker.Known().size(), size_t{kMany});
  EXPECT_EQ(asker.failures().at("NOT_CONNECTED"), 0U);
}

// One that takes the question and never answers.
TEST_F(LeaderAskerTest, ALateAnswerIsGivenUp) {
  const std::shared_ptr<SocketLoop> sockets = std::make_shared<SocketLoop>();
  ShardThread thread("silent", sockets);
  StreamListener silent({}, [](const StreamOpening&, const std::shared_ptr<RawSender>&) {
    return RawHandler{.on_message = [](const Bytes&) { return absl::OkStatus(); },
                      .on_closed = [](const absl::Status&) {}};
  });
  ASSERT_TRUE(silent.Bind().ok());
  silent.Serve({sockets});
  LeaderAsker impatient(BrokerId(1), std::chrono::milliseconds(50), std::chrono::seconds(60));
  const MetadataImage image = ImageWithLeaderOn(silent.port());
  for (int i = 0; i < 6000 && impatient.failures().at("REQUEST_TIMED_OUT") < 2; ++i) {
    impatient.Ask(image, {{topic, PartitionIndex(0)}});
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GE(impatient.failures().at("REQUEST_TIMED_OUT"), 2U);
  silent.Shutdown();
}

TEST_F(LeaderAskerTest, AFailureIsCountedAndTheLeaderIsFoundWhereItServesNext) {
  uint16_t closed = 0;
  {
    const FakeLeader gone;
    closed = gone.port();
  }
  AskUntil(ImageWithLeaderOn(closed), [&] { return asker.failures().at("NOT_CONNECTED") >= 2; });
  EXPECT_TRUE(asker.Known().empty());
  const FakeLeader leader;
  AskUntil(ImageWithLeaderOn(leader.port()), [&] { return !asker.Known().empty(); });
}

}  // namespace
}  // namespace quipu
