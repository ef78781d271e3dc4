// The pure parts of the payments example: CSV, the record's value, the ledger, the verification.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "client/examples/payments/csv_reader.h"
#include "client/examples/payments/ledger.h"
#include "client/examples/payments/payment_input.h"
#include "client/examples/payments/verification.h"
#include "gtest/gtest.h"

namespace quipu::payments {
namespace {

class PaymentsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/quipu-payments-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ + "/" + name) << text;
    return directory_ + "/" + name;
  }
  std::string directory_;
};

Payment Row(uint64_t row, const std::string& key, int64_t amount, int64_t balance) {
  Payment payment;
  payment.row = row;
  payment.line = row + 2;
  payment.key = key;
  payment.amount = amount;
  payment.balance = balance;
  payment.text = "text of row " + std::to_string(row);
  return payment;
}

TEST(SplitCsvRow, TakesQuotesCommasAndDoubledQuotes) {
  const auto fields = SplitCsvRow(R"(a,"b,c","say ""x""",)");
  ASSERT_TRUE(fields.ok());
  EXPECT_EQ(*fields, (std::vector<std::string>{"a", "b,c", R"(say "x")", ""}));
}

TEST(SplitCsvRow, SaysWhichColumnIsBroken) {
  EXPECT_EQ(SplitCsvRow(R"(a,"b)").status().message(), "column 2: expected a closing quote");
  EXPECT_FALSE(SplitCsvRow(R"(a,"b"c)").ok());
  EXPECT_FALSE(SplitCsvRow(R"(a"b")").ok());
}

TEST_F(PaymentsTest, ReadsRowsThatSpanLinesAndKeepsLineNumbers) {
  auto reader = CsvReader::Open(Write("a.csv", "k,v\r\n1,\"x\ny\"\n2,z\n"));
  ASSERT_TRUE(reader.ok());
  auto row = (*reader)->Next();
  EXPECT_EQ((*row)->line, 2U);
  EXPECT_EQ((*row)->fields[1], "x\ny");
  row = (*reader)->Next();
  EXPECT_EQ((*row)->line, 4U);
  EXPECT_FALSE((*(*reader)->Next()).has_value());
}

TEST_F(PaymentsTest, BadRowNamesPathLineColumnAndExpectation) {
  const std::string path = Write("p.csv", "account,amount\n1,5\n2,five\n3,7\n");
  auto input = PaymentInput::Open({.path = path, .columns = {}, .skip_bad = false});
  ASSERT_TRUE(input.ok());
  EXPECT_TRUE((*input)->Next().ok());
  EXPECT_EQ((*input)->Next().status().message(),
            path + ":3: column 2 (amount): expected a whole number, found 'five'");
}

TEST_F(PaymentsTest, SkipBadGoesOnAndCounts) {
  const std::string path = Write("p.csv", "account,amount\n1,5\n2,five\n3\n4,7\n");
  auto input = PaymentInput::Open({.path = path, .columns = {}, .skip_bad = true});
  ASSERT_TRUE(input.ok());
  EXPECT_EQ((*(*input)->Next())->row, 0U);
  EXPECT_EQ((*(*input)->Next())->row, 3U);
  EXPECT_FALSE((*(*input)->Next()).has_value());
  EXPECT_EQ((*input)->bad_rows(), 2U);
}

TEST_F(PaymentsTest, TruncatedXzIsAnError) {
  const std::string whole =
      std::string(QUIPU_SOURCE_DIR) + "/client/examples/payments/sample/payments.csv.xz";
  std::ifstream file(whole, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  ASSERT_GT(bytes.size(), 1000U);
  auto input = PaymentInput::Open({.path = Write("cut.csv.xz", bytes.substr(0, bytes.size() / 2)),
                                   .columns = {},
                                   .skip_bad = true});
  ASSERT_TRUE(input.ok());
  absl::Status status;
  while (status.ok()) {
    auto payment = (*input)->Next();
    ASSERT_TRUE(!payment.ok() || payment->has_value()) << "the damage was not noticed";
    status = payment.status();
  }
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

// A dictionary of 512 MiB, which no memory is given for: whole, and told apart from damage.
TEST_F(PaymentsTest, XzThatNeedsTooMuchMemoryIsNotCalledDamaged) {
  const char bytes[] =
      "\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x22\x00"
      "\x00\x00\x82\x40\xac\xdc\x01\x00\x12\x61\x63\x63\x6f\x75\x6e\x74\x2c\x61"
      "\x6d\x6f\x75\x6e\x74\x0a\x61\x2c\x31\x0a\x00\x00\x8c\xea\x7d\xa5\x5c\x98"
      "\x9d\xc4\x00\x01\x2b\x13\x9c\x09\x48\xd2\x1f\xb6\xf3\x7d\x01\x00\x00\x00"
      "\x00\x04\x59\x5a";
  const auto input = PaymentInput::Open(
      {.path = Write("big.csv.xz", std::string(bytes, sizeof(bytes) - 1)), .columns = {}});
  const std::string message(input.status().message());
  EXPECT_NE(message.find("256 MiB"), std::string::npos) << message;
  EXPECT_EQ(message.find("damaged"), std::string::npos) << message;
}

TEST_F(PaymentsTest, LedgerComesBackAsSaved) {
  auto ledger = PartitionLedger::Load(directory_, PartitionIndex(3));
  ASSERT_TRUE(ledger.ok());
  EXPECT_TRUE(ledger->Apply(Offset(4), "a", 10, 10).ok());
  ledger->Skip(Offset(7));
  EXPECT_TRUE(ledger->Apply(Offset(8), "a", -3, 7).ok());
  ASSERT_TRUE(ledger->Save().ok());
  auto again = PartitionLedger::Load(directory_, PartitionIndex(3));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->next_offset(), Offset(9));
  EXPECT_EQ(again->accounts(), ledger->accounts());
}

TEST_F(PaymentsTest, LedgerKeepsAccountsOfAnyBytes) {
  auto ledger = PartitionLedger::Load(directory_, PartitionIndex(0));
  ASSERT_TRUE(ledger.ok());
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  int64_t offset = 0;
  for (const std::string& account : {std::string("tab\there"), std::string("line\nend"),
                                     std::string("back\\slash\\"), std::string("\\n"), all}) {
    EXPECT_TRUE(ledger->Apply(Offset(offset++), account, 1, std::nullopt).ok());
  }
  ASSERT_TRUE(ledger->Save().ok());
  auto again = PartitionLedger::Load(directory_, PartitionIndex(0));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->accounts(), ledger->accounts());
}

TEST_F(PaymentsTest, SumThatDoesNotFitIsRefusedAndNamesTheAccount) {
  auto ledger = PartitionLedger::Load(directory_, PartitionIndex(0));
  ASSERT_TRUE(ledger.ok());
  EXPECT_TRUE(ledger->Apply(Offset(0), "rich", INT64_MAX, std::nullopt).ok());
  const absl::Status status = ledger->Apply(Offset(1), "rich", 1, std::nullopt);
  EXPECT_TRUE(absl::IsOutOfRange(status));
  EXPECT_NE(std::string(status.message()).find("account rich"), std::string::npos);
  EXPECT_EQ(ledger->next_offset(), Offset(1));
  EXPECT_EQ(ledger->accounts().at("rich").sum, INT64_MAX);
}

TEST_F(PaymentsTest, DamagedLedgerIsRefused) {
  Write("partition-1.ledger", "12\na\\x\t1\t1\t1\n");
  EXPECT_FALSE(PartitionLedger::Load(directory_, PartitionIndex(1)).ok());
  Write("partition-0.ledger", "12\na\tx\n");
  EXPECT_FALSE(PartitionLedger::Load(directory_, PartitionIndex(0)).ok());
}

// Runs the verification over rows that arrive in the given order in one partition.
absl::btree_map<std::string, uint64_t> FindingsOf(const std::vector<uint64_t>& arrivals) {
  const std::vector<Payment> rows = {Row(0, "a", 5, 5), Row(1, "b", 2, 2), Row(2, "a", -1, 4),
                                     Row(3, "a", 7, 11)};
  PaymentVerification verification({});
  for (const Payment& row : rows) verification.Expect(row);
  int64_t offset = 0;
  for (const uint64_t row : arrivals) {
    verification.OnRecord(PartitionIndex(0), Offset(offset++), rows[row].key,
                          EncodePayment(rows[row]));
  }
  verification.Finish();
  return verification.findings();
}

TEST(PaymentVerification, AcceptsEachRowOnceInOrderWithinItsAccount) {
  EXPECT_TRUE(FindingsOf({0, 1, 2, 3}).empty());
  EXPECT_TRUE(FindingsOf({1, 0, 2, 3}).empty()) << "order counts within an account only";
}

TEST(PaymentVerification, FindsALostADoubledAndAReorderedRow) {
  EXPECT_TRUE(FindingsOf({0, 1, 3}).contains("lost"));
  EXPECT_TRUE(FindingsOf({0, 1, 3}).contains("unbalanced"));
  EXPECT_TRUE(FindingsOf({0, 1, 2, 2, 3}).contains("doubled"));
  EXPECT_TRUE(FindingsOf({0, 1, 3, 2}).contains("reordered"));
}

TEST(PaymentVerification, FindsAnAlteredAmountAndBalance) {
  PaymentVerification verification({});
  for (uint64_t row = 0; row < 2; ++row) verification.Expect(Row(row, "a", 5, 5));
  verification.OnRecord(PartitionIndex(0), Offset(0), "a", EncodePayment(Row(0, "a", 6, 5)));
  EXPECT_EQ(verification.findings().at("altered"), 1U);
  verification.OnRecord(PartitionIndex(0), Offset(1), "a", EncodePayment(Row(1, "a", 5, 6)));
  EXPECT_EQ(verification.findings().at("altered"), 2U);
}

TEST(PaymentVerification, FindsASumThatDoesNotFit) {
  PaymentVerification verification({});
  Payment payment = Row(0, "a", INT64_MAX, INT64_MAX);
  for (uint64_t row = 0; row < 2; ++row) {
    payment.row = row;
    payment.text = std::to_string(row);
    verification.Expect(payment);
    verification.OnRecord(PartitionIndex(0), Offset(static_cast<int64_t>(row)), "a",
                          EncodePayment(payment));
  }
  EXPECT_EQ(verification.findings().at("overflow"), 1U);
  EXPECT_EQ(verification.findings().at("unbalanced"), 1U);
}

TEST_F(PaymentsTest, ComparesTheFinalTable) {
  PaymentVerification verification({});
  verification.Expect(Row(0, "a", 5, 5));
  verification.OnRecord(PartitionIndex(0), Offset(0), "a", EncodePayment(Row(0, "a", 5, 5)));
  ASSERT_TRUE(
      verification
          .CompareTable(Write("good.csv", "account,payments,sum,final_balance\na,1,5,5\n"), {})
          .ok());
  EXPECT_TRUE(verification.findings().empty());
  ASSERT_TRUE(verification.CompareTable(Write("bad.csv", "account,payments\na,2\n"), {}).ok());
  EXPECT_TRUE(verification.findings().contains("table"));
}

}  // namespace
}  // namespace quipu::payments
