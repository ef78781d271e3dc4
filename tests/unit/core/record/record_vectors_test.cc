// Goal: batches made by another implementation mean the same to us, and ours are its bytes.
// Method: every vector of vectors/ (see make_vectors.py) is decoded and compared with the manifest;
// uncompressed ones are built again from the manifest and must be byte-identical.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "core/record/record_batch.h"
#include "core/record/record_batch_builder.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

using Json = nlohmann::json;

std::string ReadVectorFile(const std::string& name) {
  std::ifstream file(std::string(QUIPU_SOURCE_DIR "/tests/unit/core/record/vectors/") + name,
                     std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const Json& Manifest() {
  static const Json manifest = Json::parse(ReadVectorFile("manifest.json"));
  return manifest;
}

std::optional<std::string> FromHex(const Json& value) {
  if (value.is_null()) return std::nullopt;
  const std::string hex = value.get<std::string>();
  std::string text;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    text.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return text;
}

std::optional<std::string> Owned(const std::optional<absl::string_view>& view) {
  if (!view.has_value()) return std::nullopt;
  return std::string(*view);
}

RecordBatchView ParseVector(const Json& vector) {
  const std::string name = vector["name"].get<std::string>();
  auto batch = RecordBatchView::Parse(Bytes(ReadVectorFile(name + ".bin")));
  EXPECT_TRUE(batch.ok()) << name << ": " << batch.status();
  return std::move(batch).value();
}

void ExpectRecord(const RecordView& record, const Json& expected, const Json& vector) {
  EXPECT_EQ(Owned(record.key), FromHex(expected["key"]));
  EXPECT_EQ(Owned(record.value), FromHex(expected["value"]));
  const Json& time =
      vector["log_append_time"].is_null() ? expected["timestamp"] : vector["log_append_time"];
  EXPECT_EQ(record.timestamp.value(), time.get<int64_t>());
  ASSERT_EQ(record.headers.size(), expected["headers"].size());
  for (size_t i = 0; i < record.headers.size(); ++i) {
    EXPECT_EQ(std::string(record.headers[i].key), expected["headers"][i][0].get<std::string>());
    EXPECT_EQ(Owned(record.headers[i].value), FromHex(expected["headers"][i][1]));
  }
}

TEST(RecordVectorsTest, HeadersAreReadAsTheyWereWritten) {
  ASSERT_GE(Manifest().size(), 12U);
  for (const Json& vector : Manifest()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const RecordBatchView batch = ParseVector(vector);
    EXPECT_EQ(batch.crc(), vector["crc"].get<uint32_t>());
    EXPECT_TRUE(batch.CrcMatches());
    EXPECT_EQ(batch.producer_id().value(), vector["producer_id"].get<int64_t>());
    EXPECT_EQ(batch.producer_epoch().value(), vector["producer_epoch"].get<int16_t>());
    EXPECT_EQ(batch.base_sequence().value(), vector["base_sequence"].get<int32_t>());
    EXPECT_EQ(static_cast<size_t>(batch.record_count()), vector["records"].size());
  }
}

TEST(RecordVectorsTest, RecordsAreReadAsTheyWereWritten) {
  for (const Json& vector : Manifest()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    const auto decoded = DecodedBatch::Decode(ParseVector(vector));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ASSERT_EQ(decoded->records().size(), vector["records"].size());
    for (size_t i = 0; i < decoded->records().size(); ++i) {
      EXPECT_EQ(decoded->records()[i].offset, Offset(static_cast<int64_t>(i)));
      ExpectRecord(decoded->records()[i], vector["records"][i], vector);
    }
  }
}

TEST(RecordVectorsTest, ProducedVectorsAreValid) {
  const BatchLimits limits{.validate_compressed = true};
  for (const Json& vector : Manifest()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    if (!vector["log_append_time"].is_null()) continue;
    EXPECT_EQ(ValidateBatch(ParseVector(vector), limits).error, ErrorCode::kNone);
  }
}

Bytes BuildAgain(const Json& vector) {
  RecordBatchOptions options;
  options.producer_id = ProducerId(vector["producer_id"].get<int64_t>());
  options.producer_epoch = ProducerEpoch(vector["producer_epoch"].get<int16_t>());
  options.base_sequence = Sequence(vector["base_sequence"].get<int32_t>());
  options.leader_epoch = LeaderEpoch(0);  // python3-kafka leaves 0 where we leave -1
  RecordBatchBuilder builder(options);
  for (const Json& item : vector["records"]) {
    const auto key = FromHex(item["key"]);
    const auto value = FromHex(item["value"]);
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    for (const Json& header : item["headers"]) {
      headers.emplace_back(header[0].get<std::string>(), FromHex(header[1]));
    }
    RecordInput input{.timestamp = TimestampMs(item["timestamp"].get<int64_t>())};
    if (key.has_value()) input.key = *key;
    if (value.has_value()) input.value = *value;
    for (const auto& [name, content] : headers) {
      RecordHeader header{.key = name};
      if (content.has_value()) header.value = *content;
      input.headers.push_back(header);
    }
    builder.Add(input);
  }
  return builder.Build();
}

TEST(RecordVectorsTest, OurBuilderWritesTheSameBytes) {
  int compared = 0;
  for (const Json& vector : Manifest()) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    if (vector["codec"] != "none") continue;
    Bytes built = BuildAgain(vector);
    if (!vector["log_append_time"].is_null()) {
      built = StampBatch(RecordBatchView::Parse(built).value(), Offset(0), LeaderEpoch(0),
                         TimestampMs(vector["log_append_time"].get<int64_t>()));
    }
    EXPECT_EQ(built, ParseVector(vector).bytes());
    ++compared;
  }
  EXPECT_GE(compared, 9);
}

}  // namespace
}  // namespace quipu
