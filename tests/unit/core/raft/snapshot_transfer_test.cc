// Goal: a snapshot arrives whole or not at all, whatever happens to its chunks.

#include "core/raft/snapshot_transfer.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace quipu {
namespace {

using Result = SnapshotReceiver::Result;

std::shared_ptr<const RaftSnapshot> Snapshot(std::string data) {
  return std::make_shared<const RaftSnapshot>(RaftSnapshot{LogIndex(9), Term(3), std::move(data)});
}

TEST(SnapshotTransferTest, ChunksAddUpToTheSnapshot) {
  SnapshotSender sender(Snapshot("abcdefghij"), 4);
  SnapshotReceiver receiver(1000);
  EXPECT_EQ(receiver.Add(sender.NextChunk({})), Result::kMore);
  ASSERT_TRUE(sender.OnReceived(receiver.position()));
  EXPECT_EQ(receiver.Add(sender.NextChunk({})), Result::kMore);
  ASSERT_TRUE(sender.OnReceived(receiver.position()));
  EXPECT_EQ(receiver.Add(sender.NextChunk({})), Result::kComplete);
  RaftSnapshot snapshot = receiver.Take();
  EXPECT_EQ(snapshot.data, "abcdefghij");
  EXPECT_EQ(snapshot.last_index, LogIndex(9));
  EXPECT_EQ(snapshot.last_term, Term(3));
}

TEST(SnapshotTransferTest, TheVotersComeAlongUnderTheChecksum) {
  const auto snapshot =
      std::make_shared<const RaftSnapshot>(RaftSnapshot{LogIndex(9), Term(3), "abc", "voters"});
  SnapshotSender sender(snapshot, 100);
  SnapshotReceiver receiver(1000);
  message::SnapshotChunk chunk = sender.NextChunk({});
  message::SnapshotChunk damaged = chunk;
  damaged.set_voters("others");
  EXPECT_EQ(receiver.Add(damaged), Result::kRestart);
  EXPECT_EQ(receiver.Add(chunk), Result::kComplete);
  EXPECT_EQ(receiver.Take().voters, "voters");
}

TEST(SnapshotTransferTest, AnEmptySnapshotIsOneChunk) {
  SnapshotSender sender(Snapshot(""), 4);
  SnapshotReceiver receiver(1000);
  EXPECT_EQ(receiver.Add(sender.NextChunk({})), Result::kComplete);
}

TEST(SnapshotTransferTest, ARepeatedChunkIsTakenOnce) {
  SnapshotSender sender(Snapshot("abcdefgh"), 4);
  SnapshotReceiver receiver(1000);
  message::SnapshotChunk first = sender.NextChunk({});
  receiver.Add(first);
  EXPECT_EQ(receiver.Add(first), Result::kMore);
  EXPECT_EQ(receiver.position(), 4U);
}

TEST(SnapshotTransferTest, ARepeatedAnswerSendsNothingNew) {
  SnapshotSender sender(Snapshot("abcdefgh"), 4);
  EXPECT_TRUE(sender.OnReceived(4));
  EXPECT_FALSE(sender.OnReceived(4));
  EXPECT_FALSE(sender.OnReceived(0));
  EXPECT_FALSE(sender.OnReceived(99));
}

TEST(SnapshotTransferTest, AMissingMiddlePartIsAskedForAgain) {
  SnapshotSender sender(Snapshot("abcdefgh"), 4);
  sender.OnReceived(4);
  SnapshotReceiver receiver(1000);
  EXPECT_EQ(receiver.Add(sender.NextChunk({})), Result::kRestart);
  sender.Rewind(receiver.position());
  EXPECT_EQ(sender.NextChunk({}).position(), 0U);
}

TEST(SnapshotTransferTest, ADamagedSnapshotIsThrownAway) {
  SnapshotSender sender(Snapshot("abcdefgh"), 4);
  SnapshotReceiver receiver(1000);
  message::SnapshotChunk chunk = sender.NextChunk({});
  chunk.set_data("abXd");
  receiver.Add(chunk);
  sender.OnReceived(4);
  EXPECT_EQ(receiver.Add(sender.NextChunk({})), Result::kRestart);
  EXPECT_EQ(receiver.position(), 0U);
}

TEST(SnapshotTransferTest, ChunksOfAnotherSnapshotBeginAnew) {
  SnapshotReceiver receiver(1000);
  receiver.Add(SnapshotSender(Snapshot("abcdefgh"), 4).NextChunk({}));
  auto later = std::make_shared<const RaftSnapshot>(RaftSnapshot{LogIndex(20), Term(3), "xyz"});
  EXPECT_EQ(receiver.Add(SnapshotSender(later, 4).NextChunk({})), Result::kComplete);
  EXPECT_EQ(receiver.Take().data, "xyz");
}

TEST(SnapshotTransferTest, ASnapshotBeyondTheLimitIsRefusedBeforeItIsHeld) {
  SnapshotReceiver receiver(5);
  EXPECT_EQ(receiver.Add(SnapshotSender(Snapshot("abcdefgh"), 4).NextChunk({})), Result::kRestart);
  EXPECT_EQ(receiver.position(), 0U);
}

TEST(SnapshotTransferTest, AChunkThatOverrunsItsSnapshotIsRefused) {
  SnapshotReceiver receiver(1000);
  message::SnapshotChunk chunk = SnapshotSender(Snapshot("abcdefgh"), 4).NextChunk({});
  chunk.set_data(std::string(100, 'x'));
  EXPECT_EQ(receiver.Add(chunk), Result::kRestart);
  chunk.set_position(~uint64_t{0} - 1);
  EXPECT_EQ(receiver.Add(chunk), Result::kRestart);
}

}  // namespace
}  // namespace quipu
