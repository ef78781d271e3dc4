// Goal: times, formats and inputs of the command line mean what the help says, and a wrong one is
// refused with its place. Method: texts in, values and messages out; inputs come through a pipe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/error_code.h"
#include "client/cli/records/line_source.h"
#include "client/cli/records/record_format.h"
#include "client/cli/records/record_reader.h"
#include "client/cli/records/time_text.h"

namespace quipu::cli {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNow = 1767225600000;  // 2026-01-01T00:00:00Z

int64_t Time(absl::string_view text) {
  const absl::StatusOr<int64_t> ms = ParseTime(text, kNow);
  EXPECT_TRUE(ms.ok()) << text << ": " << ms.status();
  return ms.value_or(-1);
}

TEST(TimeText, ReadsIsoDatesInUtcAndWithZones) {
  EXPECT_EQ(Time("2026-01-01"), kNow);
  EXPECT_EQ(Time("2026-01-01T00:00Z"), kNow);
  EXPECT_EQ(Time("2026-01-01 00:00:01"), kNow + 1000);
  EXPECT_EQ(Time("2026-01-01T02:00:00+02:00"), kNow);
  EXPECT_EQ(Time("2025-12-31T19:00:00-0500"), kNow);
  EXPECT_EQ(Time("2026-01-01T00:00:00.25Z"), kNow + 250);
  EXPECT_EQ(Time("2026-01-01T00:00:00.123456789Z"), kNow + 123);
  EXPECT_EQ(Time("1969-12-31T23:59:59.999Z"), -1);
}

TEST(TimeText, ReadsSpansBeforeNow) {
  EXPECT_EQ(Time("now"), kNow);
  EXPECT_EQ(Time("-1h"), kNow - 3600000);
  EXPECT_EQ(Time("-1h30m"), kNow - 5400000);
  EXPECT_EQ(Time("-2d"), kNow - 172800000);
  EXPECT_EQ(Time("-250ms"), kNow - 250);
  EXPECT_EQ(Time("1767225600001"), kNow + 1);
}

TEST(TimeText, RefusesWhatIsNoTime) {
  for (const char* text : {"", "-", "-1", "-h", "-1y", "2026", "2026-02-30", "2026-01-01T25:00Z",
                           "2026-01-01T00:00:60Z", "2026-01-01T00:00Zx", "2026-01-01T00:00+15:00",
                           "yesterday", "2026-01-01T"}) {
    const absl::StatusOr<int64_t> ms = ParseTime(text, kNow);
    EXPECT_EQ(CodeOf(ms.status()), ErrorCode::kInvalidConfig) << text;
  }
}

TEST(TimeText, WritesWhatItReads) {
  EXPECT_EQ(TimeText(kNow + 1), "2026-01-01T00:00:00.001Z");
  EXPECT_EQ(TimeText(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(Time(TimeText(kNow + 123456789)), kNow + 123456789);
  EXPECT_EQ(TimeText(INT64_MAX), std::to_string(INT64_MAX));
}

std::string Print(absl::string_view format, const PrintedRecord& record) {
  const absl::StatusOr<RecordFormat> parsed = RecordFormat::Parse(format);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  std::string out;
  if (parsed.ok()) parsed->Append(record, out);
  return out;
}

PrintedRecord Payment() {
  return {.topic = "payments",
          .partition = PartitionIndex(3),
          .offset = Offset(42),
          .timestamp = TimestampMs(kNow),
          .key = "acc-1",
          .value = "12.50",
          .headers = {{"id", "7"}, {"none", std::nullopt}, {"id", "8"}}};
}

TEST(RecordFormat, FillsATemplate) {
  EXPECT_EQ(Print("%t/%p/%o %T %k=%v [%h] %K %V 100%%\\t\\x41\\n", Payment()),
            "payments/3/42 1767225600000 acc-1=12.50 [id=7,none=NULL,id=8] 5 5 100%\tA\n");
  PrintedRecord null = Payment();
  null.key = null.value = std::nullopt;
  EXPECT_EQ(Print("%k|%v|%K|%V", null), "||-1|-1");
  EXPECT_EQ(Print("text", Payment()), "12.50\n");
}

TEST(RecordFormat, RefusesAnUnknownFieldOrEscapeWithItsPlace) {
  for (const auto& [format, place] :
       std::vector<std::pair<std::string, std::string>>{{"%k %q", "character 4"},
                                                        {"%", "character 1"},
                                                        {"%k\\z", "character 3"},
                                                        {"%k\\x4", "character 3"},
                                                        {"xml", "expected text, json, hex"}}) {
    const absl::StatusOr<RecordFormat> parsed = RecordFormat::Parse(format);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(place)) << format;
  }
}

TEST(RecordFormat, JsonLosesNothing) {
  PrintedRecord record = Payment();
  record.value = absl::string_view("\xff\x00z", 3);
  EXPECT_EQ(Print("json", record),
            "{\"topic\":\"payments\",\"partition\":3,\"offset\":42,\"timestamp\":1767225600000,"
            "\"key\":\"acc-1\",\"value_hex\":\"ff007a\",\"headers\":[{\"key\":\"id\",\"value\":"
            "\"7\"},{\"key\":\"none\",\"value\":null},{\"key\":\"id\",\"value\":\"8\"}]}\n");
}

TEST(RecordFormat, HexShowsEveryByte) {
  PrintedRecord record = Payment();
  record.headers.clear();
  record.key = std::nullopt;
  record.value = "0123456789abcdef\x01";
  EXPECT_EQ(Print("hex", record),
            "payments partition 3 offset 42 2026-01-01T00:00:00.000Z\n  key null\n"
            "  value 17 bytes\n"
            "    00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"
            "    00000010  01                                               .\n");
}

TEST(RecordFormat, KnowsUtf8) {
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const char* bad : {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

// What a reader made of an input: "line:key=value" of each record, and the error.
struct Read {
  std::vector<InputRecord> records;
  std::vector<std::string> texts;
  std::string error;
};
Read ReadAll(const ReaderOptions& options, const std::string& input) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  EXPECT_EQ(write(ends[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
  close(ends[1]);
  LineSource source(ends[0], [] { return false; });
  const std::unique_ptr<RecordReader> reader = MakeRecordReader(options, source);
  Read read;
  while (true) {
    InputRecord record;
    const absl::StatusOr<bool> more = reader->Next(record);
    if (!more.ok()) read.error = std::to_string(reader->line()) + ":" + more.status().ToString();
    if (!more.ok() || !*more) break;
    read.texts.push_back(std::to_string(reader->line()) + ":" + record.key.value_or("<null>") +
                         "=" + record.value.value_or("<null>"));
    read.records.push_back(record);
  }
  close(ends[0]);
  return read;
}

TEST(RecordReader, ReadsLinesWithAndWithoutASeparator) {
  EXPECT_THAT(ReadAll({}, "a\r\n\nlast").texts,
              testing::ElementsAre("1:<null>=a", "2:<null>=", "3:<null>=last"));
  const Read read = ReadAll({.key_separator = "::"}, "k::v::w\nbad\n");
  EXPECT_THAT(read.texts, testing::ElementsAre("1:k=v::w"));
  EXPECT_THAT(read.error, HasSubstr("2:"));
  EXPECT_THAT(read.error, HasSubstr("no key separator '::'"));
}

TEST(RecordReader, ReadsCsvWithQuotesOverLines) {
  const ReaderOptions options{
      .format = InputFormat::kCsv, .key_column = "account", .value_column = "text"};
  const Read read =
      ReadAll(options, "id,account,text\r\n1,a,plain\r\n2,\"b\",\"x, \"\"y\"\"\r\nz\"\r\n3,c,\n");
  EXPECT_EQ(read.error, "");
  EXPECT_THAT(read.texts, testing::ElementsAre("2:a=plain", "3:b=x, \"y\"\nz", "5:c="));
  EXPECT_THAT(
      ReadAll({.format = InputFormat::kCsv, .key_column = "account"}, "account,n\na,\"1\"\n").texts,
      testing::ElementsAre("2:a=a,\"1\""));
}

TEST(RecordReader, RefusesBadCsvWithItsLine) {
  const ReaderOptions options{.format = InputFormat::kCsv, .key_column = "a"};
  for (const auto& [input, line, what] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"", "0:", "header line"},
           {"x,y\n", "1:", "no column 'a'; the header has x, y"},
           {"a,b\n1,2\n1\n", "3:", "1 fields where the header has 2 (a, b)"},
           {"a,b\n1,\"2\n3\n", "2:", "not closed"},
           {"a,b\n1,2\"3\"\n", "2:", "field 2: a quote"},
           {"a,b\n1,\"2\"x\n", "2:", "field 2: a quote"}}) {
    const Read read = ReadAll(options, input);
    EXPECT_THAT(read.error, testing::StartsWith(line)) << input;
    EXPECT_THAT(read.error, HasSubstr(what)) << input;
  }
}

TEST(RecordReader, ReadsJsonLines) {
  const Read read =
      ReadAll({.format = InputFormat::kJson},
              "{\"key\":\"a\",\"value\":{\"n\":1},\"partition\":2,\"timestamp\":5,\"topic\":\"t\","
              "\"offset\":9,\"headers\":[{\"key\":\"h\",\"value\":null},{\"key\":\"h\",\"value_"
              "hex\":\"ff\"}"
              "]}\n\n{\"key\":null,\"value_hex\":\"00Ff\",\"headers\":{\"x\":1}}\n");
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.records.size(), 2U);
  EXPECT_EQ(read.texts[0], "1:a={\"n\":1}");
  EXPECT_EQ(read.records[0].partition, 2);
  EXPECT_EQ(read.records[0].timestamp, 5);
  ASSERT_EQ(read.records[0].headers.size(), 2U);
  EXPECT_EQ(read.records[0].headers[0].second, std::nullopt);
  EXPECT_EQ(read.records[0].headers[1].second, "\xff");
  EXPECT_EQ(read.records[1].value, std::string("\0\xff", 2));
  EXPECT_EQ(read.records[1].headers[0].second, "1");
}

TEST(RecordReader, RefusesBadJsonWithItsLine) {
  for (const auto& [input, what] : std::vector<std::pair<std::string, std::string>>{
           {"{", "no well-formed JSON"},
           {"[]", "expected a JSON object"},
           {"{\"kye\":1}", "'kye' is no member"},
           {"{\"partition\":-1}", "partition: expected a whole number"},
           {"{\"timestamp\":1.5}", "timestamp: expected a whole number"},
           {"{\"value_hex\":\"f\"}", "value_hex: expected an even number"},
           {"{\"value\":0.10}", "value: a number with a fraction"},
           {"{\"key\":{\"a\":[123456789012345678901]}}", "key: a number with a fraction"},
           {"{\"headers\":[{\"value\":1}]}", "a header without a key"},
           {"{\"headers\":3}", "headers: expected"}}) {
    const Read read = ReadAll({.format = InputFormat::kJson}, "{}\n" + input + "\n");
    EXPECT_THAT(read.error, testing::StartsWith("2:")) << input;
    EXPECT_THAT(read.error, HasSubstr(what)) << input;
  }
}

TEST(LineSource, EndsWhenItIsToldToStop) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "a\nb", 3), 3);  // and stays open: the second line never ends
  int asked = 0;
  LineSource source(ends[0], [&asked] { return ++asked > 3; });
  std::string line;
  EXPECT_TRUE(*source.Next(line));
  EXPECT_FALSE(*source.Next(line));
  EXPECT_TRUE(source.stopped());
  close(ends[0]);
  close(ends[1]);
}

TEST(LineSource, RefusesALineWithoutEnd) {
  char name[] = "/tmp/quipu-long-line-XXXXXX";
  const int file = mkstemp(name);
  ASSERT_GE(file, 0);
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 17; ++i) ASSERT_EQ(write(file, block.data(), block.size()), 1 << 20);
  absl::StatusOr<LineSource> source = LineSource::Open(name, {});
  ASSERT_TRUE(source.ok());
  std::string line;
  const absl::StatusOr<bool> more = source->Next(line);
  EXPECT_EQ(CodeOf(more.status()), ErrorCode::kInvalidRecord);
  EXPECT_EQ(source->line(), 1U);
  close(file);
  unlink(name);
}

}  // namespace
}  // namespace quipu::cli
