// Goal: unary calls answer, time out and fail with what a person needs to know; hostile bytes on
// the port do no harm. Method: a real server on 127.0.0.1, real clients and bare sockets.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/request/log_messages.h"
#include "runtime/answer_errors.h"
#include "tests/unit/runtime/grpc/echo_server.h"

namespace quipu {
namespace {

constexpr char kMetadata[] = "/quipu.rpc.Broker/Metadata";

// Calls Metadata for `topic` and waits for what comes.
absl::StatusOr<message::MetadataResponse> CallMetadata(UnaryClient& client,
                                                       const std::string& topic, Duration timeout) {
  struct Answer {
    Gate gate;
    std::optional<absl::StatusOr<message::MetadataResponse>> value;
  };
  auto answer = std::make_shared<Answer>();
  message::MetadataRequest request;
  request.add_topics(topic);
  client.Call<message::MetadataRequest, message::MetadataResponse>(
      kMetadata, request, timeout, [answer](absl::StatusOr<message::MetadataResponse> response) {
        answer->gate.Update([&] { answer->value = std::move(response); });
      });
  if (!answer->gate.Await([&] { return answer->value.has_value(); })) {
    return absl::InternalError("no callback at all");
  }
  return *answer->value;
}

TEST(UnaryTest, ACallIsAnswered) {
  EchoServer echo;
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", echo.port());
  EXPECT_EQ(CallMetadata(client, "now", std::chrono::seconds(5)).status(), absl::OkStatus());
}

TEST(UnaryTest, AnAnswerMayComeLaterFromAnotherThread) {
  EchoServer echo;
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", echo.port());
  std::thread answerer([&] {
    ASSERT_TRUE(echo.gate().Await([&] { return echo.parked.size() == 1; }));
    echo.parked[0]({});
  });
  EXPECT_EQ(CallMetadata(client, "later", std::chrono::seconds(5)).status(), absl::OkStatus());
  answerer.join();
}

TEST(UnaryTest, ADeadlinePassesAsAnUnknownOutcomeAndALateAnswerIsDropped) {
  EchoServer echo;
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", echo.port());
  const auto response = CallMetadata(client, "later", std::chrono::milliseconds(50));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded) << response.status();
  ASSERT_TRUE(echo.gate().Await([&] { return echo.parked.size() == 1; }));
  echo.parked[0]({});
  EXPECT_EQ(CallMetadata(client, "now", std::chrono::seconds(5)).status(), absl::OkStatus());
}

TEST(UnaryTest, ARefusedConnectionIsUnavailableWithTheAddress) {
  uint16_t port = 0;
  {
    EchoServer gone;
    port = gone.port();
  }
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", port);
  const auto response = CallMetadata(client, "now", std::chrono::seconds(30));
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable) << response.status();
  EXPECT_NE(response.status().message().find(absl::StrCat("127.0.0.1:", port)),
            absl::string_view::npos);
}

TEST(UnaryTest, AClientFindsAServerThatCameBack) {
  auto echo = std::make_unique<EchoServer>();
  const uint16_t port = echo->port();
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", port);
  ASSERT_TRUE(CallMetadata(client, "now", std::chrono::seconds(30)).ok());
  echo.reset();
  EXPECT_FALSE(CallMetadata(client, "now", std::chrono::seconds(30)).ok());
  echo = std::make_unique<EchoServer>(1, port);
  // gRPC pauses between attempts to connect: bounded by its longest pause of a second.
  absl::Status last;
  for (int attempt = 0; attempt < 100; ++attempt) {
    last = CallMetadata(client, "now", std::chrono::seconds(30)).status();
    if (last.ok()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(last.ok()) << last;
}

TEST(UnaryTest, AServerThatStopsWithAnUnansweredCallDoesNotHang) {
  CallThread calls;
  auto echo = std::make_unique<EchoServer>();
  UnaryClient client(calls, "127.0.0.1", echo->port());
  std::function<void(message::MetadataResponse)> late;
  std::thread stopper([&] {
    ASSERT_TRUE(echo->gate().Await([&] { return echo->parked.size() == 1; }));
    late = echo->parked[0];
    echo.reset();
  });
  EXPECT_FALSE(CallMetadata(client, "later", std::chrono::seconds(30)).ok());
  stopper.join();
}

TEST(UnaryTest, ATakenPortIsRefusedWithTheAddressAndWhatToDo) {
  EchoServer first;
  EchoServer second(1, first.port(), nullptr, {}, /*start=*/false);
  const absl::Status status = second.server().Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(absl::StrCat("127.0.0.1:", first.port())),
            absl::string_view::npos)
      << status;
  EXPECT_NE(status.message().find("another port"), absl::string_view::npos);
}

// Sends `bytes` on a bare connection, reads until the server closes or half a second of silence.
void SendBare(uint16_t port, const std::string& bytes) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(fd, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  timeval patience{.tv_sec = 0, .tv_usec = 500000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;  // the server has had enough
    sent += static_cast<size_t>(n);
  }
  char buffer[4096];
  while (recv(fd, buffer, sizeof(buffer), 0) > 0) {
  }
  close(fd);
}

class HostileBytesTest : public testing::TestWithParam<std::pair<const char*, std::string>> {};

TEST_P(HostileBytesTest, TheServerAnswersOthersAfterwards) {
  EchoServer echo;
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", echo.port());
  for (int i = 0; i < 3; ++i) SendBare(echo.port(), GetParam().second);
  const auto response = CallMetadata(client, "now", std::chrono::seconds(30));
  EXPECT_TRUE(response.ok()) << response.status();
}

std::string NoisyBytes(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 12345;
  for (char& c : bytes) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24U);
  }
  return bytes;
}

const char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Kinds, HostileBytesTest,
    testing::Values(std::pair{"Nothing", std::string()},
                    std::pair{"Http1", std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
                    std::pair{"Tls",
                              std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)},
                    std::pair{"Noise", NoisyBytes(100000)},
                    std::pair{"PrefaceThenNoise", std::string(kPreface) + NoisyBytes(100000)},
                    // A frame header that announces 16 MiB, of which nothing comes.
                    std::pair{"PrefaceThenHugeFrame",
                              std::string(kPreface) + std::string("\xff\xff\xff\0\0\0\0\0\1", 9)}),
    [](const auto& kind) { return std::string(kind.param.first); });

// ---- what is refused is counted ----

TEST(RefusalsTest, ErrorsInUnaryAnswersAreCountedByCallAndReason) {
  EchoServer echo;
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", echo.port());
  EXPECT_TRUE(CallMetadata(client, "now", std::chrono::seconds(5)).ok());
  EXPECT_TRUE(echo.refusals().empty());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(CallMetadata(client, "refused", std::chrono::seconds(5)).ok());
  }
  // Each topic of the answer counts beside the error of the whole.
  EXPECT_EQ(echo.refusals(),
            (Refusals::Counts{{{"Broker/Metadata", ErrorCode::kInvalidTopic}, 2},
                              {{"Broker/Metadata", ErrorCode::kLeaderNotAvailable}, 2}}));
}

TEST(RefusalsTest, AnErrorNumberThatNobodyKnowsIsCountedAsUnknown) {
  Refusals refusals;
  message::ListOffsetsResponse answer;
  answer.add_partitions()->set_error_code(31000);
  answer.add_partitions()->set_error_code(0);
  AnswerRefusals<message::ListOffsetsResponse>::Count("Broker/ListOffsets", answer, refusals);
  EXPECT_EQ(refusals.counts(),
            (Refusals::Counts{{{"Broker/ListOffsets", ErrorCode::kUnknownServerError}, 1}}));
}

TEST(RefusalsTest, EveryPlaceOfAnErrorIsFound) {
  const auto errors = [](const auto& answer) {
    std::vector<ErrorCode> found;
    ForEachError(answer, [&](ErrorCode error) {
      if (error != ErrorCode::kNone) found.push_back(error);
    });
    return found;
  };
  message::AlterPartitionsResponse altered;
  altered.set_error_code(static_cast<int32_t>(ErrorCode::kStaleBrokerEpoch));
  altered.add_results()->set_error_code(static_cast<int32_t>(ErrorCode::kIneligibleReplica));
  EXPECT_EQ(errors(altered),
            (std::vector{ErrorCode::kStaleBrokerEpoch, ErrorCode::kIneligibleReplica}));
  message::RemoveMembersResponse removed;
  removed.add_members()->set_error_code(static_cast<int32_t>(ErrorCode::kUnknownMemberId));
  EXPECT_EQ(errors(removed), std::vector{ErrorCode::kUnknownMemberId});
  ProduceResponse produced;
  produced.partitions.resize(3);
  produced.partitions[1].error = ErrorCode::kDiskFull;
  EXPECT_EQ(errors(produced), std::vector{ErrorCode::kDiskFull});
  FetchResponse fetched;
  fetched.error = ErrorCode::kLimitReached;
  EXPECT_EQ(errors(fetched), std::vector{ErrorCode::kLimitReached});
  LeaderToReplica pushed;
  pushed.pushes.resize(1);
  pushed.pushes[0].error = ErrorCode::kFencedLeaderEpoch;
  pushed.repairs.resize(1);
  pushed.repairs[0].error = ErrorCode::kCorruptMessage;
  EXPECT_EQ(errors(pushed),
            (std::vector{ErrorCode::kFencedLeaderEpoch, ErrorCode::kCorruptMessage}));
  EXPECT_TRUE(errors(message::DescribePartitionsResponse()).empty());
}

}  // namespace
}  // namespace quipu
