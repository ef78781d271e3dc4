// Brokers on virtual time with the handlers of Kafka's protocol before them: a request is encoded
// as a client would, and its answer decoded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/kafka/api_handlers.h"
#include "core/kafka/message.h"
#include "gtest/gtest.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu::kafka {

// Keeps the one answer of a call.
class RecordingConnection final : public FrameConnection {
 public:
  void Answer(uint64_t /*number*/, ByteChain frame) override {
    EXPECT_FALSE(answer.has_value());
    answer = Joined(frame);
  }
  void End() override { ended = true; }
  [[nodiscard]] const std::string& peer_host() const override { return host_; }

  std::optional<std::string> answer;  // empty: the client does not want to hear
  bool ended = false;

 private:
  const std::string host_ = "127.0.0.1";
};

class KafkaWorld {
 public:
  // Brokers 1 to `brokers`, which serve the protocol at 127.0.0.1:9191 and so on.
  explicit KafkaWorld(int brokers = 1) : world(brokers) {}

  // What `handler` of broker `at` answers to `request` in `version`.
  template <Message Response, Message Request>
  Response Ask(KafkaHandler handler, const Request& request, int16_t version, int at = 1) {
    const auto connection = Send(handler, request, version, at);
    world.RunUntil([&] { return connection->answer.has_value(); });
    const ApiInfo& api = InfoOf(Request::kApi);
    const size_t header = 8 + static_cast<size_t>(ResponseHeaderVersion(api, version));
    absl::StatusOr<Response> response =
        Decode<Response>(Bytes(*connection->answer), header, version);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *std::move(response) : Response();
  }
  // The same without waiting.
  template <Message Request>
  std::shared_ptr<RecordingConnection> Send(KafkaHandler handler, const Request& request,
                                            int16_t version, int at = 1) {
    const std::string bytes = Joined(EncodeRequest(request, version, 7, "tester"));
    absl::StatusOr<RequestFrame> frame = ParseRequest(Bytes(bytes.substr(4)));
    EXPECT_TRUE(frame.ok()) << frame.status();
    auto connection = std::make_shared<RecordingConnection>();
    const auto call = std::make_shared<const KafkaCall>(connection, 0, *std::move(frame), refusals);
    contexts_.push_back(
        std::make_unique<KafkaContext>(KafkaContext{.node = world.node(at),
                                                    .config = world.machine(at).config,
                                                    .served = served_,
                                                    .settings = settings,
                                                    .log_dir = log_dir,
                                                    .auto_create_topics = auto_create_topics}));
    const absl::Status status = handler(*contexts_.back(), call);
    EXPECT_TRUE(status.ok()) << status;
    return connection;
  }

  testing::FakeWorld world;
  Refusals refusals;
  std::vector<ConfigValue> settings;
  std::string log_dir = "/";
  bool auto_create_topics = false;

 private:
  const ServedApis served_{{}};
  std::vector<std::unique_ptr<KafkaContext>> contexts_;
};

// Of each element, the error.
template <typename Elements>
std::vector<ErrorCode> Errors(const Elements& elements) {
  std::vector<ErrorCode> errors;
  for (const auto& element : elements) errors.push_back(element.error_code);
  return errors;
}

}  // namespace quipu::kafka
