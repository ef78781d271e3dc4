// Fuzz targets: the Kafka wire.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "broker/kafka/api_handlers.h"
#include "core/kafka/message.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/unit/broker/world/fake_world.h"
#include "tests/unit/core/kafka/any_message.h"

namespace quipu::fuzz {
namespace {

constexpr kafka::DecodeLimits kLimits{.memory_bytes_max = size_t{1} << 20U};

// What was decoded is encoded, has the size that was told, and is decoded to the same again.
void RoundTrip(const kafka::MessageType& type, int16_t version, const Bytes& frame,
               size_t position) {
  const auto message = type.make();
  if (!message->DecodeFrom(frame, position, version, kLimits).ok()) return;
  const Bytes encoded(kafka::BodyOf(type, *message, version));
  QUIPU_CHECK(message->Size(version) == encoded.size());
  const auto again = type.make();
  QUIPU_CHECK(again->DecodeFrom(encoded, 0, version, {}).ok());
  QUIPU_CHECK(again->Equals(*message));
}

// Takes the one answer of a request, which must be a message of its API.
class Asker final : public FrameConnection {
 public:
  Asker(const kafka::ApiInfo& api, int16_t version) : api_(api), version_(version) {}
  void Answer(uint64_t /*number*/, ByteChain frame) override {
    QUIPU_CHECK_MSG(!answered_, "a request is answered once");
    answered_ = true;
    if (frame.empty()) return;  // the client does not want to hear
    const size_t header = 8 + static_cast<size_t>(kafka::ResponseHeaderVersion(api_, version_));
    const auto response = kafka::TypeOf(api_.key, kafka::MessageKind::kResponse).make();
    QUIPU_CHECK(response->DecodeFrom(Bytes(Joined(frame)), header, version_, {}).ok());
  }
  void End() override {}
  [[nodiscard]] const std::string& peer_host() const override { return host_; }

 private:
  const kafka::ApiInfo& api_;
  const int16_t version_;
  bool answered_ = false;
  const std::string host_ = "127.0.0.1";
};

// One broker on virtual time and the handlers before it.
class KafkaServer {
 public:
  KafkaServer() : world_(1, 2) {
    const TopicId topic = world_.CreateTopic("payments", 2);
    (void)world_.Produce(1, topic, 0, testing::MakeBatch(0, 3));
  }

  void Run(const kafka::KafkaApi& api, int16_t version, absl::string_view body) {
    const kafka::ApiInfo& info = kafka::InfoOf(api.key);
    kafka::RequestFrame frame{.api = &info,
                              .version = version,
                              .correlation_id = 7,
                              .client_id = "fuzz",
                              .frame = Bytes::CopyOf(body),
                              .body = 0};
    const auto call = std::make_shared<const kafka::KafkaCall>(
        std::make_shared<Asker>(info, version), 0, std::move(frame), refusals_);
    // What is no such message ends its connection.
    (void)api.handle(context_, call).ok();
    world_.RunFor(std::chrono::milliseconds(5));
    const BrokerNode::Inspector& inspector = world_.node(1).inspector();
    for (const PartitionUid uid : inspector.partitions()) {
      inspector.FindPartition(uid)->CheckInvariants();
    }
  }

 private:
  testing::FakeWorld world_;
  Refusals refusals_;
  const kafka::ServedApis served_{{}};
  const std::vector<ConfigValue> settings_;
  const std::string log_dir_ = "/";
  const kafka::KafkaContext context_{.node = world_.node(1),
                                     .config = world_.machine(1).config,
                                     .served = served_,
                                     .settings = settings_,
                                     .log_dir = log_dir_,
                                     .auto_create_topics = true};
};

constexpr int kRequestsMax = 20;

int16_t VersionOf(const kafka::ApiInfo& api, Input& input) {
  const auto versions = static_cast<uint32_t>(api.version_max - api.version_min + 1);
  return static_cast<int16_t>(api.version_min + static_cast<int>(input.Below(versions)));
}

// A server is asked until the bytes are used up; `next` tells the API of each request.
template <typename Next>
void Ask(absl::string_view bytes, const Next& next) {
  Input input(bytes);
  KafkaServer server;
  for (int i = 0; i < kRequestsMax && !input.empty(); ++i) {
    const kafka::KafkaApi& api = next(input);
    const int16_t version = VersionOf(kafka::InfoOf(api.key), input);
    server.Run(api, version, input.Block());
  }
}

// OffsetFetch: kafka_api_offset_fetch.
std::string TargetNameOf(absl::string_view api) {
  std::string name = "kafka_api";
  for (const char letter : api) {
    if (absl::ascii_isupper(static_cast<unsigned char>(letter))) name += '_';
    name += absl::ascii_tolower(static_cast<unsigned char>(letter));
  }
  return name;
}

}  // namespace

void KafkaHandlers(absl::string_view bytes) {
  const absl::Span<const kafka::KafkaApi> apis = kafka::KafkaApis();
  Ask(bytes, [apis](Input& input) -> const kafka::KafkaApi& {
    return apis[input.Below(static_cast<uint32_t>(apis.size()))];
  });
}

void AddKafkaApis(std::vector<Target>& targets) {
  for (const kafka::KafkaApi& api : kafka::KafkaApis()) {
    const absl::string_view name = kafka::InfoOf(api.key).name;
    const auto run = [&api](absl::string_view bytes) {
      Ask(bytes, [&api](Input&) -> const kafka::KafkaApi& { return api; });
    };
    targets.push_back({.name = TargetNameOf(name),
                       .what = absl::StrCat("requests of ", name, " to a whole broker"),
                       .run = run});
  }
}

void KafkaMessages(absl::string_view bytes) {
  Input input(bytes);
  const kafka::ApiInfo& api =
      kafka::Apis()[input.Below(static_cast<uint32_t>(kafka::Apis().size()))];
  const kafka::MessageKind kind =
      input.Chance() ? kafka::MessageKind::kResponse : kafka::MessageKind::kRequest;
  const int16_t version = VersionOf(api, input);
  RoundTrip(kafka::TypeOf(api.key, kind), version, Bytes::CopyOf(input.Rest()), 0);
}

void KafkaFrames(absl::string_view bytes) {
  const absl::StatusOr<kafka::RequestFrame> request = kafka::ParseRequest(Bytes::CopyOf(bytes));
  if (!request.ok() || !request->api->Serves(request->version)) return;
  RoundTrip(kafka::TypeOf(request->api->key, kafka::MessageKind::kRequest), request->version,
            request->frame, request->body);
}

}  // namespace quipu::fuzz
