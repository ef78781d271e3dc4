// Goal: a connection owes each request one answer, in order, and holds no more than its limits.
// Method: requests as bytes, answers in any order; a random client at the end.
#include "core/kafka/connection_core.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/big_endian.h"
#include "base/error_code.h"
#include "base/rng.h"
#include "core/kafka/admin/metadata.h"
#include "core/kafka/group/heartbeat.h"
#include "core/kafka/log/produce.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/core/kafka/any_message.h"

namespace quipu::kafka {
namespace {

using testing::HasSubstr;

const ServedApis& Served() {
  static const ServedApis served = ServedApis::All();
  return served;
}

std::string HeartbeatFrame(int32_t correlation_id, size_t padding = 0) {
  return Joined(EncodeRequest(HeartbeatRequest{.group_id = std::string(padding, 'g')}, 3,
                              correlation_id, std::nullopt));
}
ByteChain HeartbeatAnswer(int32_t correlation_id) {
  return EncodeResponse(HeartbeatResponse{}, 3, correlation_id);
}
constexpr size_t kAnswerBytes = 14;

// Reads all of `bytes`; requests are left for Take.
void Feed(ConnectionCore& connection, absl::string_view bytes) {
  while (!bytes.empty()) {
    ASSERT_TRUE(connection.wants_read());
    const absl::Span<char> space = connection.Space();
    const size_t size = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    ASSERT_TRUE(connection.OnRead(size).ok());
  }
}

// The requests that are there.
std::vector<IncomingRequest> Take(ConnectionCore& connection) {
  std::vector<IncomingRequest> requests;
  for (IncomingRequest request; *connection.NextRequest(request);) requests.push_back(request);
  connection.CheckInvariants();
  return requests;
}

// Correlation ids of the answers that leave now.
std::vector<int32_t> Written(ConnectionCore& connection) {
  const std::string bytes = Joined(connection.TakeOutput());
  connection.OnWritten(bytes.size());
  std::vector<int32_t> ids;
  for (size_t at = 0; at < bytes.size(); at += 4 + LoadBigEndian<uint32_t>(bytes.data() + at)) {
    ids.push_back(LoadBigEndian<int32_t>(bytes.data() + at + 4));
  }
  return ids;
}

using Ids = std::vector<int32_t>;

TEST(KafkaConnectionTest, AnswersLeaveInTheOrderOfTheRequests) {
  ConnectionCore connection(&Served(), {});
  Feed(connection, HeartbeatFrame(10) + HeartbeatFrame(11) + HeartbeatFrame(12));
  const auto requests = Take(connection);
  ASSERT_EQ(requests.size(), 3);
  EXPECT_EQ(requests[1].sequence, 1);
  EXPECT_EQ(requests[1].frame.correlation_id, 11);
  EXPECT_EQ(requests[1].frame.api->key, ApiKey::kHeartbeat);
  connection.Answer(2, HeartbeatAnswer(12));
  connection.Answer(1, HeartbeatAnswer(11));
  EXPECT_EQ(Written(connection), Ids());
  connection.Answer(0, HeartbeatAnswer(10));
  EXPECT_EQ(Written(connection), Ids({10, 11, 12}));
  EXPECT_TRUE(connection.idle());
}

TEST(KafkaConnectionTest, ARequestWithoutAnswerHoldsNoneBack) {
  ConnectionCore connection(&Served(), {});
  Feed(connection, HeartbeatFrame(10) + HeartbeatFrame(11));
  ASSERT_EQ(Take(connection).size(), 2);
  connection.Answer(1, HeartbeatAnswer(11));
  connection.Answer(0, {});
  EXPECT_EQ(Written(connection), Ids({11}));
}

TEST(KafkaConnectionTest, AnUnknownApiVersionsIsAnsweredWithTheTable) {
  ConnectionCore connection(&Served(), {});
  const std::string frame("\0\0\0\xe\0\x12\0\x63\0\0\0\x7\0\x1z\xff\xff\xff", 18);
  Feed(connection, HeartbeatFrame(1) + frame + HeartbeatFrame(2));
  const auto requests = Take(connection);
  ASSERT_EQ(requests.size(), 2);
  EXPECT_EQ(requests[1].sequence, 2);
  connection.Answer(0, HeartbeatAnswer(1));
  const std::string bytes = Joined(connection.TakeOutput()).substr(kAnswerBytes);
  EXPECT_EQ(LoadBigEndian<int32_t>(bytes.data() + 4), 7);
  const auto answer = Decode<ApiVersionsResponse>(Bytes(bytes), 8, 0);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->error_code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(answer->api_keys.size(), Apis().size());
}

TEST(KafkaConnectionTest, AVersionThatIsNotServedEndsTheConnection) {
  ConnectionCore connection(&Served(), {});
  std::string frame = HeartbeatFrame(11);
  frame[7] = 99;
  Feed(connection, HeartbeatFrame(10) + frame + HeartbeatFrame(12));
  IncomingRequest request;
  ASSERT_TRUE(*connection.NextRequest(request));
  const auto refused = connection.NextRequest(request);
  EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("Heartbeat v99 is not served"));
  // What came before is still answered, what came behind is not looked at.
  EXPECT_FALSE(connection.wants_read());
  EXPECT_FALSE(*connection.NextRequest(request));
  EXPECT_FALSE(connection.done());
  connection.Answer(0, HeartbeatAnswer(10));
  EXPECT_EQ(Written(connection), Ids({10}));
  EXPECT_TRUE(connection.done());
}

// Advertised from 0 for librdkafka's sake (KAFKA-18659), and never sent by it.
TEST(KafkaConnectionTest, AProduceOfVersion2EndsTheConnection) {
  ConnectionCore connection(&Served(), {});
  std::string frame = Joined(EncodeRequest(ProduceRequest{}, 3, 1, "app"));
  frame[7] = 2;
  Feed(connection, frame);
  IncomingRequest request;
  EXPECT_EQ(CodeOf(connection.NextRequest(request).status()), ErrorCode::kUnsupportedVersion);
  EXPECT_TRUE(connection.done());
}

TEST(KafkaConnectionTest, AnApiWithoutHandlerEndsTheConnection) {
  const ServedApis served({ApiKey::kApiVersions});
  ConnectionCore connection(&served, {});
  Feed(connection, HeartbeatFrame(1));
  IncomingRequest request;
  EXPECT_EQ(CodeOf(connection.NextRequest(request).status()), ErrorCode::kUnsupportedVersion);
}

TEST(KafkaConnectionTest, GarbageEndsTheConnection) {
  ConnectionCore connection(&Served(), {});
  const absl::Span<char> space = connection.Space();
  std::memcpy(space.data(), "GET / HTTP/1.1\r\n", 16);
  EXPECT_EQ(CodeOf(connection.OnRead(16)), ErrorCode::kInvalidRequest);
  EXPECT_FALSE(connection.wants_read());
  EXPECT_TRUE(connection.done());
  EXPECT_TRUE(connection.OnRead(1).ok());  // a read that was under way
}

TEST(KafkaConnectionTest, TooManyRequestsInFlightStopTheReading) {
  ConnectionCore connection(&Served(), {.in_flight_requests_max = 2});
  Feed(connection, HeartbeatFrame(0) + HeartbeatFrame(1) + HeartbeatFrame(2));
  EXPECT_EQ(Take(connection).size(), 2);
  EXPECT_FALSE(connection.wants_read());
  connection.Answer(1, HeartbeatAnswer(1));  // waits for the first: still two
  EXPECT_EQ(Take(connection).size(), 0);
  connection.Answer(0, HeartbeatAnswer(0));
  EXPECT_FALSE(connection.wants_read());  // first what has been read
  EXPECT_EQ(Take(connection).size(), 1);
  EXPECT_TRUE(connection.wants_read());
}

TEST(KafkaConnectionTest, TooManyBytesInFlightStopTheReading) {
  ConnectionCore connection(&Served(), {.in_flight_bytes_max = 1000});
  Feed(connection, HeartbeatFrame(0, 3000));  // one frame goes beyond
  EXPECT_EQ(Take(connection).size(), 1);
  EXPECT_FALSE(connection.wants_read());
  EXPECT_GT(connection.held_bytes(), 3000);
  connection.Answer(0, {});
  EXPECT_TRUE(connection.wants_read());
  EXPECT_EQ(connection.held_bytes(), 0);
}

TEST(KafkaConnectionTest, AClientThatDoesNotReadIsNotRead) {
  ConnectionCore connection(&Served(), {.output_bytes_max = 2 * kAnswerBytes});
  Feed(connection, HeartbeatFrame(0) + HeartbeatFrame(1));
  ASSERT_EQ(Take(connection).size(), 2);
  connection.Answer(1, HeartbeatAnswer(1));
  EXPECT_TRUE(connection.wants_read());
  connection.Answer(0, HeartbeatAnswer(0));
  EXPECT_FALSE(connection.wants_read());
  EXPECT_EQ(Joined(connection.TakeOutput()).size(), 2 * kAnswerBytes);
  EXPECT_FALSE(connection.wants_read());  // taken, and not yet gone
  connection.OnWritten(1);
  EXPECT_TRUE(connection.wants_read());
  EXPECT_FALSE(connection.idle());
  connection.OnWritten(2 * kAnswerBytes - 1);
  EXPECT_TRUE(connection.idle());
}

TEST(KafkaConnectionTest, WhatAClientAskedBeforeItEndedIsAnswered) {
  ConnectionCore connection(&Served(), {.in_flight_requests_max = 1});
  Feed(connection, HeartbeatFrame(0) + HeartbeatFrame(1));
  connection.OnEnd();
  EXPECT_FALSE(connection.wants_read());
  for (uint64_t sequence = 0; sequence < 2; ++sequence) {
    ASSERT_EQ(Take(connection).size(), 1);
    EXPECT_FALSE(connection.done());
    connection.Answer(sequence, HeartbeatAnswer(static_cast<int32_t>(sequence)));
    EXPECT_EQ(Written(connection), Ids({static_cast<int32_t>(sequence)}));
  }
  EXPECT_TRUE(connection.done());
}

TEST(KafkaConnectionTest, AClosedConnectionTakesNoMoreRequests) {
  ConnectionCore connection(&Served(), {});
  Feed(connection, HeartbeatFrame(0) + HeartbeatFrame(1));
  IncomingRequest request;
  ASSERT_TRUE(*connection.NextRequest(request));
  connection.Close();
  EXPECT_FALSE(*connection.NextRequest(request));
  EXPECT_FALSE(connection.done());
  connection.Answer(0, {});
  EXPECT_TRUE(connection.done());
}

// One client, its socket, and a broker that answers when it likes.
class RandomClient {
 public:
  explicit RandomClient(uint64_t seed)
      : rng_(seed),
        connection_(&Served(), {.in_flight_requests_max = 1 + rng_.Below(8),
                                .in_flight_bytes_max = 1 + rng_.Below(4000),
                                .output_bytes_max = 1 + rng_.Below(100)}) {}

  void Run() {
    for (int step = 0; step < 400; ++step) Step();
    while (!connection_.idle() || !stream_.empty()) Step();
    EXPECT_EQ(received_, expected_);
  }

 private:
  void Step() {
    switch (rng_.Below(4)) {
      case 0:
        if (sent_ < 300) {
          stream_ += HeartbeatFrame(sent_, rng_.Below(rng_.Below(6000) + 1));
          expected_.push_back(sent_++);
        }
        break;
      case 1:
        Read();
        break;
      case 2:
        AnswerOne();
        break;
      default:
        Write();
    }
    connection_.CheckInvariants();
  }
  void Read() {
    if (connection_.wants_read() && !stream_.empty()) {
      const absl::Span<char> space = connection_.Space();
      const size_t size = std::min({space.size(), stream_.size(), 1 + rng_.Below(3000)});
      std::memcpy(space.data(), stream_.data(), size);
      stream_.erase(0, size);
      EXPECT_TRUE(connection_.OnRead(size).ok());
    }
    for (const IncomingRequest& request : Take(connection_)) unanswered_.push_back(request);
  }
  void AnswerOne() {
    if (unanswered_.empty()) return Read();
    const auto chosen = unanswered_.begin() + static_cast<long>(rng_.Below(unanswered_.size()));
    connection_.Answer(chosen->sequence, HeartbeatAnswer(chosen->frame.correlation_id));
    unanswered_.erase(chosen);
  }
  void Write() {
    for (const int32_t id : Written(connection_)) received_.push_back(id);
  }

  Rng rng_;
  ConnectionCore connection_;
  std::string stream_;
  std::vector<IncomingRequest> unanswered_;
  int32_t sent_ = 0;
  Ids expected_;
  Ids received_;
};

TEST(KafkaConnectionTest, WhateverTheTimingEveryRequestIsAnsweredOnceAndInOrder) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    RandomClient(seed).Run();
  }
}

}  // namespace
}  // namespace quipu::kafka
