// Goal: a voter is replaced step by step, by whoever leads, and what must not be done is refused.
// Method: a quorum of whole controllers in one thread; a fake broker asks for the replacement.

#include "controller/voter_replacement.h"

#include <optional>
#include <string>

#include "core/raft/raft_core.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/controller/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const DirectoryId kFresh(99, 2);

class VoterReplacementTest : public testing::Test {
 protected:
  explicit VoterReplacementTest(int voters = 3) : quorum_(voters) {
    quorum_.executor.RunFor(seconds(5));
  }

  // What the active controller answers.
  message::AdminResponse Ask(int id, DirectoryId directory, bool force = false,
                             int64_t timeout_ms = 0, const std::string& endpoint = "") {
    FakeBroker broker(quorum_.active(), 1);
    message::BrokerToController request;
    message::ReplaceVoter* replace = request.mutable_admin()->mutable_replace_voter();
    replace->set_controller_id(id);
    replace->set_directory_id(directory.ToBytes());
    replace->set_force(force);
    replace->set_timeout_ms(timeout_ms);
    replace->set_endpoint(endpoint);
    const uint64_t sent = broker.Send(std::move(request));
    quorum_.executor.RunFor(milliseconds(50));
    const message::ControllerToBroker* answer = broker.Answer(sent);
    QUIPU_CHECK(answer != nullptr);
    return answer->admin();
  }
  ErrorCode CodeOfAnswer(int id, DirectoryId directory, bool force = false) {
    return static_cast<ErrorCode>(Ask(id, directory, force).error_code());
  }

  [[nodiscard]] const RaftCore& Raft() { return quorum_.active().inspector().raft(); }
  [[nodiscard]] bool IsVoter(int id, DirectoryId directory) {
    return Raft().voters().Contains({ControllerId(id), directory}) && Raft().VotersAreCommitted();
  }
  // A voter that does not lead.
  [[nodiscard]] int Follower() const { return quorum_.Active() == 1 ? 2 : 1; }

  FakeQuorum quorum_;
};

TEST_F(VoterReplacementTest, ALostVoterIsReplaced) {
  const int lost = Follower();
  quorum_.LoseDisk(lost, kFresh);
  quorum_.executor.RunFor(seconds(2));
  const message::AdminResponse answer = Ask(lost, kFresh);
  EXPECT_EQ(answer.error_code(), 0) << answer.error_message();
  quorum_.executor.RunFor(seconds(2));
  EXPECT_TRUE(IsVoter(lost, kFresh));
  EXPECT_EQ(Raft().voters().size(), 3U);
  EXPECT_FALSE(Raft().voters().joining().has_value());
  // It counts: with one of the two others gone the quorum goes on.
  const int third = 6 - lost - quorum_.Active();
  quorum_.StopNode(third);
  quorum_.StopNode(quorum_.Active());
  quorum_.StartNode(third);
  quorum_.executor.RunFor(seconds(8));
  EXPECT_NE(quorum_.Active(), 0);
}

TEST_F(VoterReplacementTest, TheSameRequestAgainGoesOnAndThenDoesNothing) {
  const int lost = Follower();
  quorum_.LoseDisk(lost, kFresh);
  quorum_.executor.RunFor(seconds(2));
  EXPECT_EQ(CodeOfAnswer(lost, kFresh), ErrorCode::kNone);
  EXPECT_EQ(CodeOfAnswer(lost, kFresh), ErrorCode::kNone);
  quorum_.executor.RunFor(seconds(2));
  const LogIndex last = Raft().last_index();
  EXPECT_EQ(CodeOfAnswer(lost, kFresh), ErrorCode::kNone);
  EXPECT_EQ(Raft().last_index(), last);
}

TEST_F(VoterReplacementTest, ANewLeaderGoesOnWithWhatTheOldOneBegan) {
  const int lost = Follower();
  quorum_.LoseDisk(lost, kFresh);
  quorum_.StopNode(lost);  // so that nothing but the first step happens
  quorum_.executor.RunFor(seconds(2));
  ASSERT_EQ(CodeOfAnswer(lost, kFresh), ErrorCode::kNone);
  const int former = quorum_.Active();
  quorum_.StopNode(former);
  quorum_.executor.RunFor(seconds(1));
  quorum_.StartNode(former);
  quorum_.StartNode(lost);
  quorum_.executor.RunFor(seconds(10));
  ASSERT_NE(quorum_.Active(), 0);
  EXPECT_TRUE(IsVoter(lost, kFresh));
}

TEST_F(VoterReplacementTest, WhoDoesNotCatchUpInTimeIsGivenUp) {
  const int lost = Follower();
  const DirectoryId before = quorum_.DirectoryOf(lost);
  quorum_.LoseDisk(lost, kFresh);
  quorum_.StopNode(lost);
  quorum_.executor.RunFor(seconds(2));
  EXPECT_EQ(Ask(lost, kFresh, false, 2000).error_code(), 0);
  EXPECT_TRUE(Raft().voters().IsJoining({ControllerId(lost), kFresh}));
  quorum_.executor.RunFor(seconds(3));
  EXPECT_FALSE(Raft().voters().joining().has_value());
  EXPECT_TRUE(IsVoter(lost, before));
}

TEST_F(VoterReplacementTest, AVoterThatAnswersIsReplacedByForceOnly) {
  const int live = Follower();
  const message::AdminResponse answer = Ask(live, kFresh);
  EXPECT_EQ(static_cast<ErrorCode>(answer.error_code()), ErrorCode::kInvalidRequest);
  EXPECT_THAT(answer.error_message(), HasSubstr("--force"));
  EXPECT_EQ(CodeOfAnswer(quorum_.Active(), kFresh), ErrorCode::kInvalidRequest);
  EXPECT_EQ(CodeOfAnswer(live, kFresh, /*force=*/true), ErrorCode::kNone);
}

TEST_F(VoterReplacementTest, AnUnknownIdAndADirectoryInUseAreRefused) {
  EXPECT_EQ(CodeOfAnswer(7, kFresh), ErrorCode::kVoterNotFound);
  EXPECT_EQ(CodeOfAnswer(1, quorum_.DirectoryOf(2)), ErrorCode::kDuplicateVoter);
  EXPECT_EQ(CodeOfAnswer(1, DirectoryId()), ErrorCode::kInvalidRequest);
  EXPECT_EQ(static_cast<ErrorCode>(Ask(1, kFresh, false, 0, "nowhere").error_code()),
            ErrorCode::kInvalidRequest);
}

TEST_F(VoterReplacementTest, OneReplacementAtATime) {
  const int lost = Follower();
  quorum_.LoseDisk(lost, kFresh);
  quorum_.StopNode(lost);
  quorum_.executor.RunFor(seconds(2));
  ASSERT_EQ(CodeOfAnswer(lost, kFresh), ErrorCode::kNone);
  const int third = 6 - lost - quorum_.Active();
  EXPECT_EQ(CodeOfAnswer(third, DirectoryId(98, 1), /*force=*/true),
            ErrorCode::kReassignmentInProgress);
  // Another directory for the same voter may take over, since nobody answers under the first.
  EXPECT_EQ(CodeOfAnswer(lost, DirectoryId(98, 1)), ErrorCode::kNone);
  EXPECT_TRUE(Raft().voters().IsJoining({ControllerId(lost), DirectoryId(98, 1)}));
}

class SingleVoterReplacementTest : public VoterReplacementTest {
 protected:
  SingleVoterReplacementTest() : VoterReplacementTest(1) {}
};

TEST_F(SingleVoterReplacementTest, TheOnlyVoterIsNotReplaced) {
  EXPECT_EQ(CodeOfAnswer(1, kFresh, /*force=*/true), ErrorCode::kInconsistentVoterSet);
}

class FiveVoterReplacementTest : public VoterReplacementTest {
 protected:
  FiveVoterReplacementTest() : VoterReplacementTest(5) {}
};

TEST_F(FiveVoterReplacementTest, ALeaderThatIsReplacedItselfHandsOver) {
  const int leader = quorum_.Active();
  ASSERT_EQ(CodeOfAnswer(leader, kFresh, /*force=*/true), ErrorCode::kNone);
  // A machine of its own would take the new directory; here the old one makes room for it.
  quorum_.LoseDisk(leader, kFresh);
  quorum_.executor.RunFor(seconds(10));
  ASSERT_NE(quorum_.Active(), 0);
  EXPECT_TRUE(IsVoter(leader, kFresh));
}

TEST(HostPortTest, AnAddressIsHostAndPort) {
  EXPECT_EQ(ParseHostPort("h:80"), (HostPort{.host = "h", .port = 80}));
  EXPECT_EQ(ParseHostPort("::1:80"), (HostPort{.host = "::1", .port = 80}));
  for (const char* text : {"", "h", ":80", "h:", "h:0", "h:70000", "h:x"}) {
    EXPECT_EQ(ParseHostPort(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace quipu
