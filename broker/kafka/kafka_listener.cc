#include "broker/kafka/kafka_listener.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace quipu::kafka {
namespace {

ServedApis Served() {
  std::vector<ApiKey> keys;
  for (const KafkaApi& api : KafkaApis()) keys.push_back(api.key);
  return ServedApis(keys);
}

}  // namespace

KafkaListener::KafkaListener(Options options, const std::unique_ptr<BrokerNode>& node,
                             const BrokerConfig& config)
    : options_(std::move(options)),
      node_(node),
      config_(config),
      served_(Served()),
      server_(options_.server, [this](const std::shared_ptr<FrameConnection>& connection) {
        return FrameHandler{.on_frame =
                                [this, connection](uint64_t number, const Bytes& frame) {
                                  return OnFrame(connection, number, frame);
                                },
                            .on_closed = nullptr};
      }) {}

void KafkaListener::Serve() {
  context_ = std::make_unique<KafkaContext>(
      KafkaContext{.node = *node_,
                   .config = config_,
                   .served = served_,
                   .settings = options_.settings,
                   .log_dir = options_.log_dir,
                   .auto_create_topics = options_.auto_create_topics});
  server_.Serve();
}

absl::Status KafkaListener::OnFrame(const std::shared_ptr<FrameConnection>& connection,
                                    uint64_t number, const Bytes& frame) const {
  QUIPU_ASSIGN_OR_RETURN(RequestFrame request, ParseRequest(frame));
  const ApiInfo& api = *request.api;
  const int16_t version = request.version;
  const absl::Span<const KafkaApi> apis = KafkaApis();
  const auto found =
      std::ranges::find_if(apis, [&api](const KafkaApi& row) { return row.key == api.key; });
  const bool served = found != apis.end() && api.Serves(version);
  if (!served && api.key != ApiKey::kApiVersions) {
    return ToStatus(ErrorCode::kUnsupportedVersion,
                    absl::StrCat(api.name, " version ", version, " is not served"));
  }
  const auto call =
      std::make_shared<const KafkaCall>(connection, number, std::move(request), *options_.refusals);
  return found->handle(*context_, call);
}

}  // namespace quipu::kafka
