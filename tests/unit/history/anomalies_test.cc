// Goal: each anomaly is found where it is, and not in a history that is almost the same.
// Method: hand-made histories, in pairs; a clean one may hold no anomaly at all.
#include "tests/history/anomalies.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace quipu::history {
namespace {

// Builds a history; each event is 10 ns after the one before.
class Script {
 public:
  Script& Invoke(int64_t process, int64_t value, const std::string& key = "") {
    Event& event = Add(process, EventType::kInvoke, EventKind::kSend);
    event.value = value;
    event.key = key;
    return *this;
  }
  Script& Ok(int64_t process, int64_t value, int64_t partition, int64_t offset) {
    Event& event = Add(process, EventType::kOk, EventKind::kSend);
    event.value = value;
    event.partition = partition;
    event.offset = offset;
    return *this;
  }
  Script& End(int64_t process, int64_t value, EventType type) {
    Add(process, type, EventKind::kSend).value = value;
    return *this;
  }
  // Invoke and Ok.
  Script& Sent(int64_t process, int64_t value, int64_t partition, int64_t offset,
               const std::string& key = "") {
    return Invoke(process, value, key).Ok(process, value, partition, offset);
  }
  Script& Batch(int64_t process, int64_t partition,
                const std::vector<std::pair<int64_t, int64_t>>& records) {
    Event& begin = Add(process, EventType::kInvoke, EventKind::kSend);
    for (const auto& [offset, value] : records) begin.records.push_back(Make(kNone, value));
    Event& end = Add(process, EventType::kOk, EventKind::kSend);
    end.partition = partition;
    for (const auto& [offset, value] : records) end.records.push_back(Make(offset, value));
    return *this;
  }
  Script& Poll(int64_t process, int64_t partition,
               const std::vector<std::pair<int64_t, int64_t>>& records) {
    Event& event = Add(process, EventType::kOk, EventKind::kPoll);
    event.partition = partition;
    for (const auto& [offset, value] : records) event.records.push_back(Make(offset, value));
    return *this;
  }
  Script& Assign(int64_t process, int64_t partition, int64_t offset = kNone) {
    Event& event = Add(process, EventType::kOk, EventKind::kAssign);
    event.partition = partition;
    event.offset = offset;
    return *this;
  }
  Script& Transferred(int64_t process, int64_t value, int64_t offset, Transfer transfer) {
    Event& begin = Add(process, EventType::kInvoke, EventKind::kTransfer);
    begin.value = value;
    begin.key = transfer.from;
    begin.transfer = std::move(transfer);
    Event& end = Add(process, EventType::kOk, EventKind::kTransfer);
    end.value = value;
    end.partition = 0;
    end.offset = offset;
    return *this;
  }
  Script& PollTransfer(int64_t process, int64_t offset, int64_t value, Transfer transfer) {
    Event& event = Add(process, EventType::kOk, EventKind::kPoll);
    event.partition = 0;
    event.records.push_back(Make(offset, value));
    event.records.back().has_transfer = true;
    event.records.back().transfer = std::move(transfer);
    return *this;
  }
  [[nodiscard]] std::vector<Event> events() const { return events_; }

 private:
  static Record Make(int64_t offset, int64_t value) {
    return {.offset = offset, .value = value, .has_transfer = false, .transfer = {}};
  }
  Event& Add(int64_t process, EventType type, EventKind kind) {
    Event event;
    event.process = process;
    event.time_ns = 10 * static_cast<int64_t>(events_.size() + 1);
    event.type = type;
    event.kind = kind;
    events_.push_back(event);
    return events_.back();
  }
  std::vector<Event> events_;
};

// The names of what is found, each once.
std::vector<std::string> Names(const Script& script, const Options& options = {}) {
  std::vector<std::string> names;
  for (const Anomaly& anomaly : FindAnomalies(script.events(), options).anomalies) {
    names.push_back(anomaly.name);
  }
  return names;
}

using Found = std::vector<std::string>;

TEST(AnomaliesTest, EverythingSentAndReadIsClean) {
  const Script script =
      Script().Sent(1, 10, 0, 0, "a").Sent(1, 11, 0, 1, "a").Poll(5, 0, {{0, 10}, {1, 11}});
  EXPECT_EQ(Names(script), Found());
  const Report report = FindAnomalies(script.events());
  EXPECT_EQ(report.sends, 2U);
  EXPECT_EQ(report.acknowledged, 2U);
  EXPECT_EQ(report.records_read, 2U);
}

TEST(AnomaliesTest, LostWriteIsAcknowledgedAndPassedByReaders) {
  const Script sends = Script().Sent(1, 10, 0, 0).Sent(1, 11, 0, 1).Sent(1, 12, 0, 2);
  EXPECT_EQ(
      Names(Script(sends).Assign(5, 0).Poll(5, 0, {{0, 10}}).Assign(5, 0).Poll(5, 0, {{2, 12}})),
      Found({"lost-write"}));
  EXPECT_EQ(Names(Script(sends).Poll(5, 0, {{0, 10}, {1, 11}}).Assign(5, 0).Poll(5, 0, {{2, 12}})),
            Found());
}

TEST(AnomaliesTest, UnknownWriteThatIsNotThereIsNotLost) {
  EXPECT_EQ(Names(Script()
                      .Invoke(1, 10)
                      .End(1, 10, EventType::kInfo)
                      .Sent(1, 11, 0, 0)
                      .Poll(5, 0, {{0, 11}})),
            Found());
}

TEST(AnomaliesTest, UnseenIsAcknowledgedAndBehindAllThatWasRead) {
  const Script script = Script().Sent(1, 10, 0, 0).Sent(1, 11, 0, 1).Poll(5, 0, {{0, 10}});
  EXPECT_EQ(Names(script), Found({"unseen"}));
  EXPECT_EQ(Names(script, {.complete = false}), Found());
  EXPECT_EQ(Names(Script(script).Poll(6, 0, {{0, 10}, {1, 11}})), Found());
}

TEST(AnomaliesTest, DuplicateStandsAtTwoPlaces) {
  const Script sends = Script().Sent(1, 10, 0, 0);
  EXPECT_EQ(Names(Script(sends).Poll(5, 0, {{0, 10}, {1, 10}})), Found({"duplicate"}));
  EXPECT_EQ(Names(Script(sends).Poll(5, 0, {{0, 10}}).Poll(5, 1, {{0, 10}})), Found({"duplicate"}));
  // Two readers, and one that begins anew, read the same place.
  EXPECT_EQ(Names(Script(sends)
                      .Poll(5, 0, {{0, 10}})
                      .Poll(6, 0, {{0, 10}})
                      .Assign(5, 0, 0)
                      .Poll(5, 0, {{0, 10}})),
            Found());
}

TEST(AnomaliesTest, AcknowledgedAtOneOffsetAndReadAtAnotherIsADuplicate) {
  EXPECT_EQ(Names(Script().Sent(1, 10, 0, 3).Poll(5, 0, {{4, 10}})), Found({"duplicate"}));
}

TEST(AnomaliesTest, InconsistentOffsetsHoldTwoValuesAtOnePlace) {
  const Script sends = Script().Invoke(1, 10).Invoke(2, 11);
  EXPECT_EQ(Names(Script(sends).Poll(5, 0, {{0, 10}}).Poll(6, 0, {{0, 11}})),
            Found({"inconsistent-offsets"}));
  EXPECT_EQ(Names(Script(sends).Poll(5, 0, {{0, 10}}).Poll(6, 1, {{0, 11}})), Found());
}

TEST(AnomaliesTest, TwoAcknowledgementsOfOnePlaceAreInconsistent) {
  EXPECT_EQ(Names(Script().Invoke(1, 10).Invoke(2, 11).Ok(1, 10, 0, 0).Ok(2, 11, 0, 0),
                  {.complete = false}),
            Found({"inconsistent-offsets"}));
}

TEST(AnomaliesTest, PhantomWasNeverSent) {
  EXPECT_EQ(Names(Script().Sent(1, 10, 0, 0).Poll(5, 0, {{0, 10}, {1, 99}})), Found({"phantom"}));
  EXPECT_EQ(Names(Script().Sent(1, 10, 0, 0).Invoke(1, 99).Poll(5, 0, {{0, 10}, {1, 99}})),
            Found());
}

TEST(AnomaliesTest, G0RealtimeIsAWriteBeforeOneThatHadBeenAcknowledged) {
  EXPECT_EQ(Names(Script().Sent(1, 10, 0, 1).Sent(2, 11, 0, 0).Poll(5, 0, {{0, 11}, {1, 10}})),
            Found({"G0-realtime"}));
  // Sent at the same time, either may stand first.
  EXPECT_EQ(Names(Script()
                      .Invoke(1, 10)
                      .Invoke(2, 11)
                      .Ok(1, 10, 0, 1)
                      .Ok(2, 11, 0, 0)
                      .Poll(5, 0, {{0, 11}, {1, 10}})),
            Found());
  EXPECT_EQ(
      Names(
          Script().Sent(1, 10, 0, 1).Sent(2, 11, 1, 0).Poll(5, 0, {{1, 10}}).Poll(5, 1, {{0, 11}})),
      Found());
}

TEST(AnomaliesTest, G1aReadsWhatFailed) {
  const Script send = Script().Invoke(1, 10);
  EXPECT_EQ(Names(Script(send).End(1, 10, EventType::kFail).Poll(5, 0, {{0, 10}})), Found({"G1a"}));
  EXPECT_EQ(Names(Script(send).End(1, 10, EventType::kInfo).Poll(5, 0, {{0, 10}})), Found());
  EXPECT_EQ(Names(Script(send).End(1, 10, EventType::kFail)), Found());
}

TEST(AnomaliesTest, G1cRealtimeReadsWhatStandsBehindAWriteThatComesLater) {
  EXPECT_EQ(Names(Script()
                      .Invoke(1, 10)
                      .Poll(5, 0, {{1, 10}})
                      .Sent(2, 11, 0, 0)
                      .Assign(5, 0)
                      .Poll(5, 0, {{0, 11}})),
            Found({"G1c-realtime"}));
  EXPECT_EQ(Names(Script()
                      .Invoke(1, 10)
                      .Invoke(2, 11)
                      .Poll(5, 0, {{1, 10}})
                      .Ok(2, 11, 0, 0)
                      .Assign(5, 0)
                      .Poll(5, 0, {{0, 11}})),
            Found());
}

TEST(AnomaliesTest, G1cRealtimeReadsAValueBeforeItsSendBegan) {
  EXPECT_EQ(Names(Script().Poll(5, 0, {{0, 10}}).Invoke(1, 10)), Found({"G1c-realtime"}));
  EXPECT_EQ(Names(Script().Invoke(1, 10).Poll(5, 0, {{0, 10}})), Found());
}

TEST(AnomaliesTest, PollSkipLeavesOutWhatStandsBetweenTwoPolls) {
  const Script sends = Script().Sent(1, 10, 0, 0).Sent(1, 11, 0, 1).Sent(1, 12, 0, 5);
  const Script read = Script(sends).Poll(6, 0, {{0, 10}, {1, 11}, {5, 12}});
  EXPECT_EQ(Names(Script(read).Poll(5, 0, {{0, 10}}).Poll(5, 0, {{5, 12}})), Found({"poll-skip"}));
  // No record is known at offsets 2 to 4.
  EXPECT_EQ(Names(Script(read).Poll(5, 0, {{0, 10}, {1, 11}}).Poll(5, 0, {{5, 12}})), Found());
  EXPECT_EQ(Names(Script(read).Poll(5, 0, {{0, 10}}).Assign(5, 0).Poll(5, 0, {{5, 12}})), Found());
}

TEST(AnomaliesTest, PollSkipAfterAnAssignmentIsAFirstReadBehindItsStart) {
  const Script read = Script().Sent(1, 10, 0, 0).Sent(1, 11, 0, 1).Poll(6, 0, {{0, 10}, {1, 11}});
  EXPECT_EQ(Names(Script(read).Assign(5, 0, 0).Poll(5, 0, {{1, 11}})), Found({"poll-skip"}));
  EXPECT_EQ(Names(Script(read).Assign(5, 0, 1).Poll(5, 0, {{1, 11}})), Found());
}

TEST(AnomaliesTest, NonmonotonicPollGoesBack) {
  const Script read = Script().Sent(1, 10, 0, 0).Sent(1, 11, 0, 1).Poll(6, 0, {{0, 10}, {1, 11}});
  EXPECT_EQ(Names(Script(read).Poll(6, 0, {{0, 10}})), Found({"nonmonotonic-poll"}));
  EXPECT_EQ(Names(Script(read).Poll(6, 0, {{1, 11}})), Found({"nonmonotonic-poll"}));
  EXPECT_EQ(Names(Script(read).Assign(6, 0, 0).Poll(6, 0, {{0, 10}})), Found());
  EXPECT_EQ(Names(Script(read).Assign(6, 0, 1).Poll(6, 0, {{0, 10}})),
            Found({"nonmonotonic-poll"}));
}

TEST(AnomaliesTest, StepsWithinOnePollHaveTheirOwnNames) {
  const Script read = Script()
                          .Sent(1, 10, 0, 0)
                          .Sent(1, 11, 0, 1)
                          .Sent(1, 12, 0, 2)
                          .Poll(6, 0, {{0, 10}, {1, 11}, {2, 12}});
  EXPECT_EQ(Names(Script(read).Poll(5, 0, {{0, 10}, {2, 12}})), Found({"int-poll-skip"}));
  EXPECT_EQ(Names(Script(read).Poll(5, 0, {{1, 11}, {0, 10}})), Found({"int-nonmonotonic-poll"}));
  EXPECT_EQ(Names(Script(read).Poll(5, 0, {{1, 11}, {2, 12}})), Found());
}

TEST(AnomaliesTest, NonmonotonicSendStandsBeforeAnEarlierOneOfItsProcess) {
  const auto history = [](int64_t second_sender) {
    return Script()
        .Invoke(1, 10)
        .Invoke(second_sender, 11)
        .Ok(1, 10, 0, 1)
        .Ok(second_sender, 11, 0, 0)
        .Poll(5, 0, {{0, 11}, {1, 10}});
  };
  EXPECT_EQ(Names(history(1)), Found({"nonmonotonic-send"}));
  EXPECT_EQ(Names(history(2)), Found());
}

TEST(AnomaliesTest, AccountOrderGoesByProcessAndKey) {
  const auto history = [](const std::string& second_key) {
    return Script()
        .Invoke(1, 10, "a")
        .Invoke(1, 11, second_key)
        .Ok(1, 10, 0, 1)
        .Ok(1, 11, 0, 0)
        .Poll(5, 0, {{0, 11}, {1, 10}});
  };
  EXPECT_EQ(Names(history("a")), Found({"account-order", "nonmonotonic-send"}));
  EXPECT_EQ(Names(history("b")), Found({"nonmonotonic-send"}));
}

TEST(AnomaliesTest, WrittenBehindFailureWasSentWithoutKnowingOfIt) {
  const auto history = [](const std::string& key, bool knew, EventType outcome) {
    Script script = Script().Invoke(1, 10, "a");
    if (knew) script.End(1, 10, outcome);
    script.Invoke(1, 11, key);
    if (!knew) script.End(1, 10, outcome);
    return script.Ok(1, 11, 0, 0).Poll(5, 0, {{0, 11}});
  };
  EXPECT_EQ(Names(history("a", false, EventType::kFail)), Found({"written-behind-failure"}));
  EXPECT_EQ(Names(history("a", true, EventType::kFail)), Found());
  EXPECT_EQ(Names(history("b", false, EventType::kFail)), Found());
  EXPECT_EQ(Names(history("a", false, EventType::kInfo)), Found());
}

TEST(AnomaliesTest, AccountThatChangesItsPartitionBackIsOutOfOrder) {
  const auto history = [](int64_t first, int64_t second) {
    return Script()
        .Sent(1, 10, first, 0, "a")
        .Sent(1, 11, second, 0, "a")
        .Poll(5, first, {{0, 10}})
        .Poll(5, second, {{0, 11}});
  };
  EXPECT_EQ(Names(history(1, 0)), Found({"account-order"}));
  EXPECT_EQ(Names(Script()
                      .Sent(1, 10, 1, 0, "a")
                      .Sent(1, 11, 0, 0, "b")
                      .Poll(5, 1, {{0, 10}})
                      .Poll(5, 0, {{0, 11}})),
            Found());
}

TEST(AnomaliesTest, BatchesAreInOrderAndWithoutStrangers) {
  const Script other = Script().Sent(2, 20, 0, 1);
  EXPECT_EQ(Names(Script(other).Batch(1, 0, {{2, 10}, {3, 11}}), {.complete = false}), Found());
  EXPECT_EQ(Names(Script().Invoke(2, 20).Batch(1, 0, {{0, 10}, {2, 11}}).Ok(2, 20, 0, 1),
                  {.complete = false}),
            Found({"int-send-skip"}));
  EXPECT_EQ(Names(Script().Batch(1, 0, {{1, 10}, {0, 11}}), {.complete = false}),
            Found({"int-nonmonotonic-send"}));
}

TEST(AnomaliesTest, WrongTransferWasNotSentLikeThis) {
  const Transfer sent{.from = "a", .to = "b", .amount = 5};
  const Transfer other{.from = "a", .to = "c", .amount = 5};
  const Script send = Script().Transferred(1, 10, 0, sent);
  EXPECT_EQ(Names(Script(send).PollTransfer(5, 0, 10, sent)), Found());
  EXPECT_EQ(Names(Script(send).PollTransfer(5, 0, 10, other)),
            Found({"total-not-conserved", "wrong-transfer"}));
}

TEST(AnomaliesTest, TotalIsNotConservedWhereATransferCountsTwiceOrNever) {
  const Transfer first{.from = "a", .to = "b", .amount = 5};
  const Transfer second{.from = "b", .to = "a", .amount = 2};
  const Script sends = Script().Transferred(1, 10, 0, first).Transferred(2, 11, 1, second);
  EXPECT_EQ(Names(Script(sends)
                      .PollTransfer(5, 0, 10, first)
                      .PollTransfer(5, 1, 11, second)
                      .PollTransfer(5, 2, 10, first)),
            Found({"duplicate", "total-not-conserved"}));
  EXPECT_EQ(Names(Script(sends).PollTransfer(5, 0, 10, first)),
            Found({"total-not-conserved", "unseen"}));
  // Read by two readers, it counts once; not reached yet, it need not count.
  EXPECT_EQ(Names(Script(sends)
                      .PollTransfer(5, 0, 10, first)
                      .PollTransfer(6, 0, 10, first)
                      .PollTransfer(6, 1, 11, second)),
            Found());
  EXPECT_EQ(Names(Script(sends).PollTransfer(5, 0, 10, first), {.complete = false}), Found());
}

TEST(AnomaliesTest, MalformedHistoriesProveNothing) {
  EXPECT_EQ(Names(Script().Invoke(1, 10).Invoke(1, 10)), Found({"malformed"}));
  EXPECT_EQ(Names(Script().End(1, 10, EventType::kFail)), Found({"malformed"}));
  EXPECT_EQ(Names(Script().End(1, 10, EventType::kInfo).Invoke(1, 10)), Found({"malformed"}));
  EXPECT_EQ(Names(Script().Invoke(1, 10).Invoke(1, 11)), Found());
}

}  // namespace
}  // namespace quipu::history
