// Goal: what Kafka's own client writes means the same to us, and what we write is its bytes: every
// API, every version that the table serves.
// Method: each line of golden/ (see make_golden.py) is one frame that Kafka's classes encoded, with
// the message as JSON. Decoding the bytes must give that JSON; the JSON must encode to those bytes.
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/core/kafka/any_message.h"
#include "tests/unit/core/kafka/json_visitors.h"

namespace quipu::kafka {
namespace {

struct Golden {
  const MessageType* type = nullptr;
  int16_t version = 0;
  int32_t correlation_id = 0;
  std::optional<std::string> client_id;
  std::string header;
  std::string body;
  Json json;

  [[nodiscard]] bool flexible() const { return type->info().IsFlexible(version); }
  [[nodiscard]] std::string name() const {
    return type->name() + " v" + std::to_string(version) + " " + json.dump();
  }
};

Golden ParseLine(const ApiInfo& api, const std::string& line) {
  Golden golden;
  std::istringstream words(line);
  std::string kind;
  std::string client;
  std::string header;
  std::string body;
  words >> kind >> golden.version >> golden.correlation_id >> client >> header;
  words.get();
  std::getline(words, body, ' ');  // empty when the message has no fields
  std::string json;
  std::getline(words, json);
  golden.type =
      &TypeOf(api.key, kind == "request" ? MessageKind::kRequest : MessageKind::kResponse);
  if (client != "-") golden.client_id = client;
  golden.header = absl::HexStringToBytes(header);
  golden.body = absl::HexStringToBytes(body);
  golden.json = Json::parse(json);
  return golden;
}

const std::vector<Golden>& AllGolden() {
  static const auto* const all = [] {
    auto* const found = new std::vector<Golden>;
    for (const ApiInfo& api : Apis()) {
      const std::string path = std::string(QUIPU_SOURCE_DIR "/tests/unit/core/kafka/golden/") +
                               std::string(api.name) + ".txt";
      std::ifstream file(path);
      EXPECT_TRUE(file.good()) << path;
      for (std::string line; std::getline(file, line);) {
        if (line.front() != '#') found->push_back(ParseLine(api, line));
      }
    }
    return found;
  }();
  return *all;
}

TEST(KafkaGoldenTest, EveryVersionOfEveryApiIsThere) {
  std::map<std::pair<ApiKey, MessageKind>, std::set<int16_t>> versions;
  for (const Golden& golden : AllGolden()) {
    versions[{golden.type->api, golden.type->kind}].insert(golden.version);
  }
  for (const MessageType& type : MessageTypes()) {
    const ApiInfo& api = type.info();
    for (int16_t version = api.version_min; version <= api.version_max; ++version) {
      EXPECT_EQ((versions[{type.api, type.kind}].count(version)), 1)
          << type.name() << " v" << version;
    }
  }
  EXPECT_EQ(versions.size(), 2 * Apis().size());
}

TEST(KafkaGoldenTest, KafkasBytesAreDecodedToWhatKafkaMeant) {
  for (const Golden& golden : AllGolden()) {
    const auto message = golden.type->make();
    const absl::Status status = message->DecodeFrom(Bytes(golden.body), 0, golden.version, {});
    ASSERT_TRUE(status.ok()) << golden.name() << ": " << status;
    JsonMaker maker(golden.version, golden.flexible());
    message->Visit(maker);
    EXPECT_EQ(maker.json(), golden.json) << golden.name();
  }
}

TEST(KafkaGoldenTest, WhatKafkaMeantIsEncodedToKafkasBytes) {
  for (const Golden& golden : AllGolden()) {
    const auto message = golden.type->make();
    JsonTaker taker(golden.version, golden.flexible(), golden.json);
    message->Visit(taker);
    EXPECT_THAT(taker.missing(), testing::IsEmpty()) << golden.name();
    const std::string frame =
        Joined(message->Encode(golden.version, golden.correlation_id, golden.client_id));
    EXPECT_EQ(absl::BytesToHexString(frame.substr(4)),
              absl::BytesToHexString(golden.header + golden.body))
        << golden.name();
    EXPECT_EQ(message->Size(golden.version), golden.body.size()) << golden.name();
  }
}

TEST(KafkaGoldenTest, KafkasRequestHeadersAreRead) {
  for (const Golden& golden : AllGolden()) {
    if (golden.type->kind == MessageKind::kResponse) continue;
    const auto request = ParseRequest(Bytes(golden.header + golden.body));
    ASSERT_TRUE(request.ok()) << golden.name() << ": " << request.status();
    EXPECT_EQ(request->api->key, golden.type->api);
    EXPECT_EQ(request->version, golden.version);
    EXPECT_EQ(request->correlation_id, golden.correlation_id);
    EXPECT_EQ(request->client_id, golden.client_id);
    EXPECT_EQ(request->body, golden.header.size());
  }
}

}  // namespace
}  // namespace quipu::kafka
