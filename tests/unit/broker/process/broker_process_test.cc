// Goal: a broker process serves on real sockets from a real directory, keeps its listeners apart,
// survives what clients send, and refuses what it must refuse with the right exit code. Method: the
// process's object inside the test, no controller reachable.
#include "broker/process/broker_process.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/request/log_codec.h"
#include "runtime/grpc/stream_client.h"
#include "runtime/grpc/unary_client.h"
#include "runtime/shard_thread.h"
#include "runtime/socket/socket_stream.h"
#include "storage/data_directory.h"

namespace quipu {
namespace {

class BrokerProcessTest : public testing::Test {
 protected:
  BrokerProcessTest() {
    char pattern[] = "/tmp/quipu-broker-process-XXXXXX";
    dir_ = mkdtemp(pattern);
  }
  ~BrokerProcessTest() override { std::filesystem::remove_all(dir_); }

  void Format(const std::string& name) {
    DirectoryIdentity identity;
    identity.cluster_id = Uuid(1, 2);
    identity.role = NodeRole::kBroker;
    identity.node_id = 7;
    identity.directory_id = Uuid(3, 4);
    const absl::Status status = FormatDirectory(dir_ + "/" + name, identity);
    ASSERT_TRUE(status.ok()) << status;
  }
  BrokerSettings Settings(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> all = {absl::StrCat("log.dir=", dir_, "/", name),
                                    "listener.client=127.0.0.1:0",
                                    "listener.peer=127.0.0.1:0",
                                    "controller.quorum.bootstrap.servers=127.0.0.1:1",
                                    "controlled.shutdown.timeout.ms=50",
                                    absl::StrCat("listeners.file=", dir_, "/listeners")};
    all.insert(all.end(), more.begin(), more.end());
    auto settings = LoadBrokerSettings("", all);
    EXPECT_TRUE(settings.ok()) << settings.status();
    return *std::move(settings);
  }
  // Metadata of the process: any answer, also an error code, is an answer.
  absl::Status AskMetadata(uint16_t port) {
    UnaryClient client(calls_, "127.0.0.1", port);
    auto answer = std::make_shared<std::promise<absl::Status>>();
    client.Call<message::MetadataRequest, message::MetadataResponse>(
        "/quipu.rpc.Broker/Metadata", {}, std::chrono::seconds(30),
        [answer](const absl::StatusOr<message::MetadataResponse>& response) {
          answer->set_value(response.status());
        });
    return answer->get_future().get();
  }
  // How a stream of `method` ends after `bytes` were sent; waits for the end.
  absl::Status EndOfStream(uint16_t port, const std::string& method, std::string bytes) {
    auto end = std::make_shared<std::promise<absl::Status>>();
    auto sender = OpenRawStream(
        calls_, {.host = "127.0.0.1", .port = port, .method = method},
        {.on_message = [](const Bytes&) { return absl::OkStatus(); },
         .on_closed = [end](absl::Status status) { end->set_value(std::move(status)); }});
    sender->Send({Bytes(std::move(bytes))});
    return end->get_future().get();
  }

  // The same of a stream between brokers.
  absl::Status EndOfPeerStream(uint16_t port, StreamPurpose purpose, std::string bytes) {
    std::promise<absl::Status> end;
    const auto sender = OpenRawSocketStream(
        sockets_, {.host = "127.0.0.1", .port = port, .opening = {.purpose = purpose}},
        {.on_message = [](const Bytes&) { return absl::OkStatus(); },
         .on_closed = [&end](absl::Status status) { end.set_value(std::move(status)); }});
    sender->Send({Bytes(std::move(bytes))});
    return end.get_future().get();
  }

  std::string dir_;
  CallThread calls_;
  const std::shared_ptr<SocketLoop> sockets_ = std::make_shared<SocketLoop>();
  ShardThread thread_{"peer", sockets_};
};

TEST_F(BrokerProcessTest, ItServesAndTellsItsPortsAndStops) {
  Format("a");
  BrokerProcess process(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  const absl::Status started = process.Start(exit_code);
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(exit_code, ExitCode::kOk);
  std::ifstream file(dir_ + "/listeners");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_EQ(line, absl::StrCat("client=127.0.0.1:", process.client_port()));
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_EQ(line, absl::StrCat("peer=127.0.0.1:", process.peer_port()));
  const uint16_t port = process.client_port();
  EXPECT_EQ(AskMetadata(port), absl::OkStatus());
  process.Stop();
  EXPECT_EQ(AskMetadata(port).code(), absl::StatusCode::kUnavailable);
}

TEST_F(BrokerProcessTest, ADirectoryServesAgainAfterAStop) {
  Format("a");
  for (int round = 0; round < 2; ++round) {
    BrokerProcess process(Settings("a"));
    ExitCode exit_code = ExitCode::kFailure;
    const absl::Status started = process.Start(exit_code);
    ASSERT_TRUE(started.ok()) << started;
    process.Stop();
  }
}

TEST_F(BrokerProcessTest, GarbageOnAStreamEndsTheStreamOnly) {
  Format("a");
  BrokerProcess process(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(process.Start(exit_code).ok());
  const std::string garbage("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f garbage", 18);
  for (const char* method : {kProduceMethod, kFetchMethod}) {
    EXPECT_EQ(EndOfStream(process.client_port(), method, garbage).code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(EndOfPeerStream(process.peer_port(), StreamPurpose::kFollow, garbage).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EndOfPeerStream(process.peer_port(), StreamPurpose::kListOffsets, garbage).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(AskMetadata(process.client_port()), absl::OkStatus());
}

TEST_F(BrokerProcessTest,
       ReplicaStreamsExistOnThePeerListenerOnlyAndProduceOnTheClientListenerOnly) {
  Format("a");
  BrokerProcess process(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(process.Start(exit_code).ok());
  // gRPC does not know what the opening of a stream between brokers is, and the other way round.
  EXPECT_FALSE(EndOfPeerStream(process.client_port(), StreamPurpose::kFollow, "").ok());
  EXPECT_EQ(EndOfStream(process.peer_port(), kProduceMethod, "").code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(AskMetadata(process.peer_port()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(BrokerProcessTest, OtherBrokersMayAskForOffsetsOnThePeerListener) {
  Format("a");
  BrokerProcess process(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(process.Start(exit_code).ok());
  message::ListOffsetsRequest request;
  request.add_partitions()->set_topic_id(Uuid(9, 9).ToBytes());
  std::promise<message::ListOffsetsResponse> answer;
  const auto stream = OpenSocketStream<message::ListOffsetsRequest, message::ListOffsetsResponse>(
      sockets_,
      {.host = "127.0.0.1",
       .port = process.peer_port(),
       .opening = {.purpose = StreamPurpose::kListOffsets}},
      &EncodeProto<message::ListOffsetsRequest>, &DecodeProto<message::ListOffsetsResponse>,
      {.on_message =
           [&](message::ListOffsetsResponse response) { answer.set_value(std::move(response)); },
       .on_closed = [](const absl::Status&) {}});
  stream->Send(request);
  const auto response = answer.get_future().get();
  ASSERT_EQ(response.partitions_size(), 1);
  EXPECT_EQ(response.partitions(0).error_code(),
            static_cast<int32_t>(ErrorCode::kLeaderNotAvailable));
}

TEST_F(BrokerProcessTest, ProduceToAnUnknownTopicIsAnsweredWithItsError) {
  Format("a");
  BrokerProcess process(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(process.Start(exit_code).ok());
  auto answer = std::make_shared<std::promise<ProduceResponse>>();
  auto sender = OpenStream<ProduceRequest, ProduceResponse>(
      calls_, {.host = "127.0.0.1", .port = process.client_port(), .method = kProduceMethod},
      &Encode, &DecodeProduceResponse,
      {.on_message = [answer](ProduceResponse response) { answer->set_value(std::move(response)); },
       .on_closed = [](const absl::Status&) {}});
  ProduceRequest request;
  request.request_id = 42;
  request.partitions.push_back({.topic_id = Uuid(9, 9),
                                .partition = PartitionIndex(0),
                                .records = Bytes(std::string(100, 'x'))});
  sender->Send(std::move(request));
  const ProduceResponse response = answer->get_future().get();
  EXPECT_EQ(response.request_id, 42U);
  ASSERT_EQ(response.partitions.size(), 1U);
  EXPECT_NE(response.partitions[0].error, ErrorCode::kNone);
  sender.reset();
}

TEST_F(BrokerProcessTest, AnUnformattedDirectoryIsRefusedWithTheCommandThatIsMeant) {
  BrokerProcess process(Settings("nothing"));
  ExitCode exit_code = ExitCode::kOk;
  const absl::Status refused = process.Start(exit_code);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(exit_code, ExitCode::kStorageRefused);
  EXPECT_NE(refused.message().find("storage format"), absl::string_view::npos) << refused;
}

TEST_F(BrokerProcessTest, ALockedDirectoryIsRefused) {
  Format("a");
  BrokerProcess first(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(first.Start(exit_code).ok());
  BrokerProcess second(Settings("a"));
  const absl::Status refused = second.Start(exit_code);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(exit_code, ExitCode::kStorageRefused);
}

TEST_F(BrokerProcessTest, AnotherBrokersDirectoryIsRefused) {
  Format("a");
  BrokerProcess process(Settings("a", {"broker.id=8"}));
  ExitCode exit_code = ExitCode::kOk;
  EXPECT_FALSE(process.Start(exit_code).ok());
  EXPECT_EQ(exit_code, ExitCode::kStorageRefused);
}

TEST_F(BrokerProcessTest, ATakenPortIsAFailureThatNamesTheAddress) {
  Format("a");
  BrokerProcess first(Settings("a"));
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(first.Start(exit_code).ok());
  const std::string taken = absl::StrCat("127.0.0.1:", first.client_port());
  DirectoryIdentity identity;
  identity.cluster_id = Uuid(1, 2);
  identity.node_id = 8;
  identity.directory_id = Uuid(3, 5);
  ASSERT_TRUE(FormatDirectory(dir_ + "/b", identity).ok());
  BrokerProcess second(Settings("b", {absl::StrCat("listener.client=", taken)}));
  const absl::Status refused = second.Start(exit_code);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(exit_code, ExitCode::kFailure);
  EXPECT_NE(refused.message().find(taken), absl::string_view::npos) << refused;
}

}  // namespace
}  // namespace quipu
