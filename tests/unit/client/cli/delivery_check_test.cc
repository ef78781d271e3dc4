// Goal: `bench end-to-end` tells every way in which a delivery can go wrong from all others.
// Method: what a producer reports and a consumer receives, by hand.
#include "client/cli/measure/delivery_check.h"

#include "gtest/gtest.h"

namespace quipu::cli {
namespace {

TEST(RunMark, IsReadAsItWasWritten) {
  std::string value(20, 'x');
  WriteMark({.run = 0x8000000000000001U, .number = 77}, value);
  EXPECT_EQ(value.substr(kRunMarkBytes), "xxxx");
  const std::optional<RunMark> mark = ReadMark(value);
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->run, 0x8000000000000001U);
  EXPECT_EQ(mark->number, 77U);
  EXPECT_FALSE(ReadMark(std::string(kRunMarkBytes - 1, 'x')).has_value());
}

class DeliveryCheckTest : public ::testing::Test {
 protected:
  void Acknowledge(uint64_t first, uint64_t last) {
    for (uint64_t number = first; number <= last; ++number) {
      check_.OnSent();
      check_.OnReported(number, true, Persisted::kYes);
    }
  }
  DeliveryCheck check_{10, 2};  // even and odd numbers
};

TEST_F(DeliveryCheckTest, AllThatWasAcknowledgedHasCome) {
  EXPECT_TRUE(check_.HasAll()) << "nothing was sent";
  EXPECT_TRUE(check_.OnReceived(0, true)) << "before its acknowledgement";
  Acknowledge(0, 3);
  EXPECT_FALSE(check_.HasAll());
  // The keys may overtake each other.
  for (const uint64_t number : {2, 1, 3}) EXPECT_TRUE(check_.OnReceived(number, true));
  EXPECT_TRUE(check_.HasAll());
  const DeliveryVerdict verdict = check_.Verdict();
  EXPECT_TRUE(verdict.kept());
  EXPECT_EQ(verdict.sent, 4U);
  EXPECT_EQ(verdict.acknowledged, 4U);
  EXPECT_EQ(verdict.received, 4U);
}

TEST_F(DeliveryCheckTest, AMissingRecordIsTold) {
  Acknowledge(0, 2);
  check_.OnReceived(0, true);
  check_.OnReceived(2, true);
  EXPECT_FALSE(check_.HasAll());
  EXPECT_EQ(check_.Verdict().missing, 1U);
  EXPECT_FALSE(check_.Verdict().kept());
}

TEST_F(DeliveryCheckTest, ADoubledRecordIsTold) {
  Acknowledge(0, 0);
  EXPECT_TRUE(check_.OnReceived(0, true));
  EXPECT_FALSE(check_.OnReceived(0, true));
  EXPECT_EQ(check_.Verdict().doubled, 1U);
  EXPECT_EQ(check_.Verdict().received, 1U);
  EXPECT_FALSE(check_.Verdict().kept());
}

TEST_F(DeliveryCheckTest, ARecordBehindALaterOneOfItsKeyIsTold) {
  Acknowledge(0, 4);
  for (const uint64_t number : {1, 4, 2, 0, 3}) check_.OnReceived(number, true);
  EXPECT_EQ(check_.Verdict().out_of_order, 2U) << "2 and 0 behind 4";
  EXPECT_EQ(check_.Verdict().missing, 0U);
  EXPECT_FALSE(check_.Verdict().kept());
}

TEST_F(DeliveryCheckTest, ADamagedRecordIsTold) {
  Acknowledge(0, 0);
  EXPECT_FALSE(check_.OnReceived(0, false));
  EXPECT_FALSE(check_.OnReceived(10, true)) << "a number that was not sent";
  EXPECT_EQ(check_.Verdict().damaged, 2U);
  EXPECT_EQ(check_.Verdict().missing, 1U);
  EXPECT_FALSE(check_.Verdict().kept());
}

TEST_F(DeliveryCheckTest, OfFailedRecordsOnlyALieCounts) {
  for (int i = 0; i < 3; ++i) check_.OnSent();
  check_.OnReported(0, false, Persisted::kNo);
  check_.OnReported(1, false, Persisted::kUnknown);
  check_.OnReported(2, false, Persisted::kUnknown);
  EXPECT_FALSE(check_.HasAll()) << "they may come yet";
  check_.OnReceived(1, true);
  EXPECT_TRUE(check_.Verdict().kept());
  EXPECT_EQ(check_.Verdict().not_stored, 1U);
  EXPECT_EQ(check_.Verdict().unknown, 2U);
  check_.OnReceived(0, true);
  EXPECT_EQ(check_.Verdict().refuted, 1U);
  EXPECT_FALSE(check_.Verdict().kept());
}

}  // namespace
}  // namespace quipu::cli
