// The payments programs against a broker in the same process.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "client/examples/payments/ledger.h"
#include "client/examples/payments/payment_consumer.h"
#include "client/examples/payments/payment_input.h"
#include "client/examples/payments/payment_producer.h"
#include "client/producer.h"
#include "tests/unit/client/fake_broker.h"

namespace quipu::payments {
namespace {

std::string TemporaryDirectory() {
  char name[] = "/tmp/quipu-payments-XXXXXX";
  EXPECT_NE(mkdtemp(name), nullptr);
  return name;
}

// A batch is refused for good in the middle; the program ends, and the next run completes the log
// in the order of the input.
TEST(PaymentProgramsTest, RowsStayInOrderWhenABatchFailsAndTheProgramIsStartedAgain) {
  const std::string directory = TemporaryDirectory();
  constexpr uint64_t kRows = 20000;
  {
    std::ofstream csv(directory + "/in.csv");
    csv << "account,amount\n";
    for (uint64_t row = 0; row < kRows; ++row) csv << "a,1\n";
  }
  test::FakeBroker broker(1);
  const ProduceOptions options{.bootstrap_servers = broker.address(),
                               .topic = "t",
                               .input = {.path = directory + "/in.csv", .columns = {}},
                               .state_directory = directory,
                               .rate = 0,
                               .events_path = {}};
  broker.FailNextProduces(ErrorCode::kMessageTooLarge, 1, 5);
  const absl::Status failed = ProducePayments(options).status();
  EXPECT_EQ(CodeOf(failed), ErrorCode::kMessageTooLarge) << failed;
  const auto again = ProducePayments(options);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->already_there, 0U);
  uint64_t expected = 0;
  for (const Bytes& batch : broker.Log(0)) {
    const auto decoded = DecodedBatch::Decode(*RecordBatchView::Parse(batch));
    ASSERT_TRUE(decoded.ok());
    for (const RecordView& record : decoded->records()) {
      if (!record.key) continue;  // a marker
      const auto payment = DecodePayment(*record.key, *record.value);
      ASSERT_TRUE(payment.ok());
      EXPECT_EQ(payment->row, expected++);
    }
  }
  EXPECT_EQ(expected, kRows);
  std::filesystem::remove_all(directory);
}

// The group has read everything before, with a ledger that is gone: the new one begins at the
// start.
TEST(PaymentProgramsTest, EmptyLedgerIsFilledFromTheStartWhateverTheGroupCommitted) {
  const std::string directory = TemporaryDirectory();
  test::FakeBroker broker(1);
  {
    auto producer = Producer::Create({{"bootstrap.servers", broker.address()}});
    ASSERT_TRUE(producer.ok());
    for (uint64_t row = 0; row < 10; ++row) {
      Payment payment;
      payment.row = row;
      payment.key = "a";
      payment.amount = 1;
      const std::string value = EncodePayment(payment);
      (*producer)->Send({.topic = "t", .key = payment.key, .value = value}, {});
    }
    ASSERT_TRUE((*producer)->Close(std::chrono::seconds(30)).ok());
  }
  broker.SetCommitted(0, 7);
  const auto summary = ConsumePayments({.bootstrap_servers = broker.address(),
                                        .topic = "t",
                                        .group = "g",
                                        .members = 1,
                                        .ledger_directory = directory,
                                        .rows = 10,
                                        .idle_seconds = 5});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->applied, 10U);
  const auto ledger = PartitionLedger::Load(directory, PartitionIndex(0));
  ASSERT_TRUE(ledger.ok());
  EXPECT_EQ(ledger->next_offset(), Offset(10));
  EXPECT_EQ(ledger->accounts().at("a").sum, 10);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace quipu::payments
