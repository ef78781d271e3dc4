// Goal: error codes keep their numbers and names, and travel through absl::Status unharmed; log
// values cannot forge a line.
#include "base/error_code.h"

#include <set>
#include <string>

#include "base/logging.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

TEST(ErrorCodeTest, HasKafkasNumbers) {
  EXPECT_EQ(static_cast<int>(ErrorCode::kNotLeaderOrFollower), 6);
  EXPECT_EQ(static_cast<int>(ErrorCode::kFencedLeaderEpoch), 74);
  EXPECT_EQ(static_cast<int>(ErrorCode::kFencedMemberEpoch), 110);
  EXPECT_EQ(static_cast<int>(ErrorCode::kStaleMemberEpoch), 113);
}

TEST(ErrorCodeTest, EveryKnownNumberHasANameOfItsOwnAndADescription) {
  std::set<std::string> names;
  for (int number = -1; number < 2000; ++number) {
    const auto code = ErrorCodeFromWire(number);
    if (!code.has_value()) continue;
    EXPECT_EQ(static_cast<int>(*code), number);
    EXPECT_TRUE(names.insert(std::string(ErrorName(*code))).second) << number;
    EXPECT_FALSE(ErrorDescription(*code).empty());
  }
  EXPECT_GT(names.size(), 60U);
}

TEST(ErrorCodeTest, AnUnknownNumberIsNoCode) {
  EXPECT_EQ(ErrorCodeFromWire(31999), std::nullopt);
  EXPECT_EQ(ErrorCodeFromWire(-2), std::nullopt);
}

TEST(ErrorCodeTest, TravelsThroughAStatus) {
  const absl::Status status = ToStatus(ErrorCode::kDiskFull, "volume /data");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(CodeOf(status), ErrorCode::kDiskFull);
  EXPECT_NE(std::string(status.message()).find("volume /data"), std::string::npos);
  EXPECT_NE(std::string(status.message()).find("DISK_FULL"), std::string::npos);
}

TEST(ErrorCodeTest, NoneIsOk) {
  EXPECT_TRUE(ToStatus(ErrorCode::kNone, "ignored").ok());
  EXPECT_EQ(CodeOf(absl::OkStatus()), ErrorCode::kNone);
}

TEST(ErrorCodeTest, AForeignStatusIsAnUnknownServerError) {
  EXPECT_EQ(CodeOf(absl::InternalError("x")), ErrorCode::kUnknownServerError);
}

TEST(ErrorCodeTest, RetriableTellsTemporaryFromFinal) {
  EXPECT_TRUE(IsRetriable(ErrorCode::kNotLeaderOrFollower));
  EXPECT_TRUE(IsRetriable(ErrorCode::kDiskFull));
  EXPECT_FALSE(IsRetriable(ErrorCode::kInvalidProducerEpoch));
  EXPECT_FALSE(IsRetriable(ErrorCode::kMessageTooLarge));
}

TEST(LogfmtValueTest, PlainValuesStayPlain) {
  EXPECT_EQ(LogfmtValue("abc-1.2:3/4"), "abc-1.2:3/4");
}

TEST(LogfmtValueTest, AnEmptyValueIsVisible) { EXPECT_EQ(LogfmtValue(""), "\"\""); }

TEST(LogfmtValueTest, SpacesAndEqualSignsAreQuoted) {
  EXPECT_EQ(LogfmtValue("a b"), "\"a b\"");
  EXPECT_EQ(LogfmtValue("a=b"), "\"a=b\"");
}

TEST(LogfmtValueTest, QuotesAndBackslashesAreEscaped) {
  EXPECT_EQ(LogfmtValue("a\"b"), "\"a\\\"b\"");
  EXPECT_EQ(LogfmtValue("a\\b"), "\"a\\\\b\"");
}

TEST(LogfmtValueTest, ANewLineCannotForgeALine) {
  const std::string value = LogfmtValue("x\nlevel=error event=forged");
  EXPECT_EQ(value.find('\n'), std::string::npos);
  EXPECT_EQ(value, "\"x\\x0alevel=error event=forged\"");
}

}  // namespace
}  // namespace quipu
