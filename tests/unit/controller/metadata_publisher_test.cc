// What a subscriber is sent, and how much at a time.
#include "controller/metadata_publisher.h"

#include <gtest/gtest.h>

#include "tests/unit/controller/fake_world.h"

namespace quipu {
namespace {

using std::chrono::seconds;

// Entry i creates topic "t<i>" without partitions.
record::MetadataBatch TopicBatch(uint64_t i) {
  record::MetadataBatch batch;
  if (i == 1) {
    batch.add_records()->mutable_cluster_state()->set_cluster_id(Uuid(7, 7).ToBytes());
  }
  record::TopicCreated* topic = batch.add_records()->mutable_topic_created();
  topic->set_topic_id(Uuid(1, i).ToBytes());
  topic->set_name("t" + std::to_string(i));
  return batch;
}

class PublisherTest : public ::testing::Test {
 protected:
  explicit PublisherTest(MetadataPublisher::Limits limits = {}) : publisher_(limits) {
    stream_->sender = sender_;
    stream_->number = 1;
  }
  void Commit(uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const LogIndex index = image_.index() + 1;
      image_.Apply(index, TopicBatch(index.value()));
      publisher_.OnCommitted(index, TopicBatch(index.value()));
    }
  }
  std::vector<ControlStreamPtr> Pump() {
    return publisher_.Pump(image_, ControllerId(1), Term(1), now_);
  }
  uint64_t EntriesSent() const {
    uint64_t entries = 0;
    for (const auto& message : sender_->sent) {
      entries += static_cast<uint64_t>(message.metadata().entries_size());
    }
    return entries;
  }

  MetadataPublisher publisher_;
  MetadataImage image_;
  std::shared_ptr<FakeSender> sender_ = std::make_shared<FakeSender>();
  ControlStreamPtr stream_ = std::make_shared<ControlStream>();
  Instant now_{seconds(1)};
};

class SmallPublisherTest : public PublisherTest {
 protected:
  SmallPublisherTest()
      : PublisherTest(
            {.tail_entries_max = 10, .message_bytes_max = 200, .queued_bytes_max = 1000}) {}
};

TEST_F(PublisherTest, SendsFromTheIndexAskedFor) {
  Commit(10);
  publisher_.Subscribe(stream_, 3, LogIndex(4), now_);
  EXPECT_TRUE(Pump().empty());
  ASSERT_EQ(sender_->sent.size(), 1U);
  EXPECT_EQ(sender_->sent[0].request_id(), 3U);
  EXPECT_EQ(sender_->sent[0].metadata().entries(0).index(), 4U);
  EXPECT_EQ(EntriesSent(), 7U);
  Commit(1);
  Pump();
  EXPECT_EQ(EntriesSent(), 8U);
  Pump();
  EXPECT_EQ(sender_->sent.size(), 2U);
}

TEST_F(SmallPublisherTest, MessagesAndSnapshotsComeInPieces) {
  Commit(50);
  publisher_.Subscribe(stream_, 1, LogIndex(1), now_);
  Pump();
  ASSERT_GT(sender_->sent.size(), 5U);
  EXPECT_TRUE(sender_->sent.front().metadata().snapshot().first());
  MetadataImage followed;
  std::vector<record::MetadataRecord> records;
  for (const auto& message : sender_->sent) {
    EXPECT_LT(message.ByteSizeLong(), 400U);
    for (const auto& record : message.metadata().snapshot().records()) records.push_back(record);
  }
  const auto& last = sender_->sent.back().metadata().snapshot();
  EXPECT_TRUE(last.last());
  followed = MetadataImage::FromSnapshot(LogIndex(last.last_index()), records);
  EXPECT_TRUE(followed == image_);
}

TEST_F(SmallPublisherTest, FullTransportIsLeftAloneUntilItDrains) {
  publisher_.Subscribe(stream_, 1, LogIndex(1), now_);
  Pump();
  const size_t sent = sender_->sent.size();
  sender_->queued = 2000;
  Commit(5);
  EXPECT_TRUE(Pump().empty());
  EXPECT_EQ(sender_->sent.size(), sent);
  sender_->queued = 0;
  Pump();
  EXPECT_EQ(EntriesSent(), 5U);
}

TEST_F(SmallPublisherTest, SubscriberThatTakesNothingIsClosed) {
  publisher_.Subscribe(stream_, 1, LogIndex(1), now_);
  Pump();
  sender_->queued = 2000;
  now_ += seconds(9);
  EXPECT_TRUE(Pump().empty());
  now_ += seconds(2);
  EXPECT_EQ(Pump().size(), 1U);
  EXPECT_TRUE(Pump().empty());  // forgotten
}

TEST_F(SmallPublisherTest, SubscriberThatFellBehindTheTailGetsASnapshot) {
  publisher_.Subscribe(stream_, 1, LogIndex(1), now_);
  Pump();
  sender_->queued = 2000;
  Commit(30);
  Pump();
  sender_->queued = 0;
  Pump();
  EXPECT_TRUE(sender_->sent.back().metadata().snapshot().last());
  EXPECT_EQ(sender_->sent.back().metadata().snapshot().last_index(), 30U);
}

TEST_F(PublisherTest, RestoredStateIsToldAsASnapshot) {
  Commit(5);
  publisher_.OnRestore(LogIndex(5));
  publisher_.Subscribe(stream_, 1, LogIndex(2), now_);
  Pump();
  EXPECT_EQ(sender_->sent.front().metadata().snapshot().last_index(), 5U);
  Commit(1);
  Pump();
  EXPECT_EQ(EntriesSent(), 1U);
}

}  // namespace
}  // namespace quipu
