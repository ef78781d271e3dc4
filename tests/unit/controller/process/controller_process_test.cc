// Goal: a controller process serves on a real socket from a real directory and refuses what it
// must; its probe and its Raft links say the truth about real sockets.
#include "controller/process/controller_process.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "controller/process/broker_probe.h"
#include "controller/process/raft_links.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/grpc/stream_client.h"
#include "storage/data_directory.h"

namespace quipu {
namespace {

// A listening socket that accepts nothing; its port is free again when it goes.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST(BrokerProbeTest, APortThatNobodyListensOnIsRefused) {
  uint16_t port = 0;
  {
    const Listener gone;
    port = gone.port();
  }
  EXPECT_TRUE(ConnectionIsRefused("127.0.0.1", port, std::chrono::seconds(5)));
}

TEST(BrokerProbeTest, AListenerIsNotRefusedEvenWhenItDoesNotAccept) {
  const Listener listener;
  EXPECT_FALSE(ConnectionIsRefused("127.0.0.1", listener.port(), std::chrono::seconds(5)));
}

TEST(BrokerProbeTest, AnUnknownHostIsNotRefused) {
  EXPECT_FALSE(ConnectionIsRefused("host.invalid", 1, std::chrono::milliseconds(200)));
}

// Receives Raft messages on a real listener.
class RaftSink {
 public:
  explicit RaftSink(uint16_t port = 0) : server_({.name = "sink", .port = port}) {
    auto service = std::make_unique<rpc::Raft::WithRawMethod_Messages<rpc::Raft::Service>>();
    auto* raw = service.get();
    server_.AddService(std::move(service));
    server_.AddStream(
        "Raft/Messages",
        [raw](auto* context, auto* stream, auto* queue, void* tag) {
          raw->RequestMessages(context, stream, queue, queue, tag);
        },
        {},
        [this](const std::shared_ptr<ServerStream>&) {
          return ProtoHandler<message::RaftMessage>(
              {.on_message =
                   [this](const message::RaftMessage& message) {
                     const std::lock_guard<std::mutex> lock(mutex_);
                     terms_.push_back(message.term());
                   },
               .on_closed = [](const absl::Status&) {}});
        });
    EXPECT_TRUE(server_.Start().ok());
  }
  [[nodiscard]] uint16_t port() const { return server_.port(); }
  std::vector<uint64_t> terms() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return terms_;
  }

 private:
  std::mutex mutex_;
  std::vector<uint64_t> terms_;
  GrpcServer server_;
};

message::RaftMessage To(int32_t voter, uint64_t term) {
  message::RaftMessage message;
  message.set_to(voter);
  message.set_term(term);
  return message;
}

TEST(RaftLinksTest, MessagesArriveInOrderAndAVoterThatCameBackIsFoundAgain) {
  auto sink = std::make_unique<RaftSink>();
  const uint16_t port = sink->port();
  auto calls = std::make_unique<CallThread>();
  RaftLinks links(*calls, ControllerId(1),
                  {{.id = ControllerId(1), .directory_id = {}, .endpoint = {"127.0.0.1", 1}},
                   {.id = ControllerId(2), .directory_id = {}, .endpoint = {"127.0.0.1", port}}});
  for (uint64_t term = 1; term <= 100; ++term) links.Send(To(2, term));
  const auto wait_for = [&](size_t count) {
    // Bounded by a minute; passes as soon as they are there.
    for (int i = 0; i < 6000 && sink->terms().size() < count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return sink->terms().size() >= count;
  };
  ASSERT_TRUE(wait_for(100));
  for (uint64_t term = 1; term <= 100; ++term) EXPECT_EQ(sink->terms()[term - 1], term);
  sink.reset();
  sink = std::make_unique<RaftSink>(port);
  for (int i = 0; i < 6000 && sink->terms().empty(); ++i) {
    links.Send(To(2, 7));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_FALSE(sink->terms().empty());
  calls.reset();
}

TEST(RaftLinksTest, MessagesToADeadVoterAreDroppedAndCounted) {
  uint16_t port = 0;
  {
    const Listener gone;
    port = gone.port();
  }
  auto calls = std::make_unique<CallThread>();
  RaftLinks links(*calls, ControllerId(1),
                  {{.id = ControllerId(2), .directory_id = {}, .endpoint = {"127.0.0.1", port}}});
  for (int i = 0; i < 6000 && links.dropped() == 0; ++i) {
    links.Send(To(2, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GT(links.dropped(), 0U);
  links.Send(To(99, 1));  // nobody: ignored
  calls.reset();
}

class ControllerProcessTest : public testing::Test {
 protected:
  ControllerProcessTest() {
    char pattern[] = "/tmp/quipu-controller-process-XXXXXX";
    dir_ = mkdtemp(pattern);
  }
  ~ControllerProcessTest() override { std::filesystem::remove_all(dir_); }

  void Format() {
    DirectoryIdentity identity;
    identity.cluster_id = Uuid(1, 2);
    identity.role = NodeRole::kController;
    identity.node_id = 1;
    identity.directory_id = Uuid(3, 4);
    identity.voters = {{.id = ControllerId(1),
                        .endpoint = {"127.0.0.1", 9093},
                        .directory_id = identity.directory_id}};
    const absl::Status status = FormatDirectory(dir_ + "/c", identity);
    ASSERT_TRUE(status.ok()) << status;
  }
  ControllerSettings Settings(std::vector<std::string> more = {}) {
    std::vector<std::string> all = {absl::StrCat("log.dir=", dir_, "/c"),
                                    "listener.controller=127.0.0.1:0"};
    all.insert(all.end(), more.begin(), more.end());
    auto settings = LoadControllerSettings("", all);
    EXPECT_TRUE(settings.ok()) << settings.status();
    return *std::move(settings);
  }
  std::string dir_;
};

TEST_F(ControllerProcessTest, ASingleControllerRegistersABroker) {
  Format();
  ControllerProcess process(Settings());
  ExitCode exit_code = ExitCode::kFailure;
  const absl::Status started = process.Start(exit_code);
  ASSERT_TRUE(started.ok()) << started;
  CallThread calls;
  message::BrokerToController request;
  request.set_request_id(5);
  auto* broker = request.mutable_register_();
  broker->set_cluster_id(Uuid(1, 2).ToBytes());
  broker->set_broker_id(1);
  broker->set_directory_id(Uuid(5, 6).ToBytes());
  broker->set_incarnation_id(Uuid(7, 8).ToBytes());
  broker->set_last_broker_epoch(-1);
  for (auto* endpoint : {broker->mutable_client_endpoint(), broker->mutable_peer_endpoint()}) {
    endpoint->set_host("127.0.0.1");
    endpoint->set_port(1);
  }
  // Until it has elected itself the controller answers that it is not active: ask again.
  std::optional<message::RegisterBrokerResponse> registered;
  for (int attempt = 0; attempt < 300 && !registered; ++attempt) {
    auto answer = std::make_shared<std::promise<message::ControllerToBroker>>();
    auto answered = std::make_shared<bool>(false);
    auto sender = OpenProtoStream<message::BrokerToController, message::ControllerToBroker>(
        calls, {.host = "127.0.0.1", .port = process.port(), .method = kControlMethod},
        {.on_message =
             [answer, answered](message::ControllerToBroker message) {
               if (std::exchange(*answered, true)) return;
               answer->set_value(std::move(message));
             },
         .on_closed =
             [answer, answered](const absl::Status&) {
               if (!std::exchange(*answered, true)) answer->set_value({});
             }});
    sender->Send(request);
    const message::ControllerToBroker response = answer->get_future().get();
    if (response.has_register_()) registered = response.register_();
    if (!registered) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_TRUE(registered.has_value());
  EXPECT_EQ(registered->error_code(), 0) << registered->error_message();
  EXPECT_GE(registered->broker_epoch(), 0);
  process.Stop();
}

TEST_F(ControllerProcessTest, GarbageOnItsStreamsLeavesItServing) {
  Format();
  ControllerProcess process(Settings());
  ExitCode exit_code = ExitCode::kFailure;
  ASSERT_TRUE(process.Start(exit_code).ok());
  CallThread calls;
  for (const char* method : {kControlMethod, kRaftMethod, kControlMethod}) {
    auto end = std::make_shared<std::promise<absl::Status>>();
    auto sender = OpenRawStream(
        calls, {.host = "127.0.0.1", .port = process.port(), .method = method},
        {.on_message = [](const Bytes&) { return absl::OkStatus(); },
         .on_closed = [end](absl::Status status) { end->set_value(std::move(status)); }});
    sender->Send({Bytes(std::string("\xff\xff\xff garbage"))});
    EXPECT_EQ(end->get_future().get().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ControllerProcessTest, AnUnformattedDirectoryIsRefused) {
  ControllerProcess process(Settings());
  ExitCode exit_code = ExitCode::kOk;
  EXPECT_FALSE(process.Start(exit_code).ok());
  EXPECT_EQ(exit_code, ExitCode::kStorageRefused);
}

TEST_F(ControllerProcessTest, AListenerBeyondThisMachineNeedsTheUnsafeKey) {
  Format();
  ControllerProcess process(Settings({"listener.controller=0.0.0.0:0"}));
  ExitCode exit_code = ExitCode::kOk;
  const absl::Status refused = process.Start(exit_code);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(exit_code, ExitCode::kUsage);
  EXPECT_NE(refused.message().find("quipu.unsafe.plaintext.network"), absl::string_view::npos);
}

TEST(ControllerSettingsTest, HeartbeatsMustFitTheirTimeouts) {
  const auto load = [](const std::string& assignment) {
    return LoadControllerSettings("", {"log.dir=/tmp/x", assignment}).ok();
  };
  EXPECT_FALSE(load("controller.quorum.heartbeat.interval.ms=600"));
  EXPECT_FALSE(load("broker.heartbeat.interval.ms=2000"));
  EXPECT_TRUE(load("broker.heartbeat.interval.ms=1500"));
}

}  // namespace
}  // namespace quipu
