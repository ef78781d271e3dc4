// The listener for clients of the Kafka protocol (listener.kafka).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/kafka/api_handlers.h"
#include "runtime/socket/frame_server.h"

namespace quipu::kafka {

// Frames in, handlers, frames out. A connection whose bytes are no request, or that asks for an API
// or a version which is not served, is ended, as Kafka does: no answer could be read. The exception
// is ApiVersions, by which a client finds out.
class KafkaListener {
 public:
  struct Options {
    FrameServerOptions server;
    bool auto_create_topics = false;
    std::vector<ConfigValue> settings;  // every one of the broker's, as it was started
    std::string log_dir;                // where the replicas are
    std::shared_ptr<Refusals> refusals = std::make_shared<Refusals>();  // of all calls
  };
  // A listener must be bound before the node is made, which has to know its port: `node` refers to
  // where the node will be, from Serve until after Shutdown. `config` must outlive the listener.
  KafkaListener(Options options, const std::unique_ptr<BrokerNode>& node,
                const BrokerConfig& config);

  // See FrameServer.
  absl::Status Bind() { return server_.Bind(); }
  void Serve();
  void Shutdown(Duration grace) { server_.Shutdown(grace); }
  [[nodiscard]] uint16_t port() const { return server_.port(); }
  [[nodiscard]] FrameServerCounts counts() const { return server_.counts(); }

 private:
  [[nodiscard]] absl::Status OnFrame(const std::shared_ptr<FrameConnection>& connection,
                                     uint64_t number, const Bytes& frame) const;

  const Options options_;
  const std::unique_ptr<BrokerNode>& node_;
  const BrokerConfig& config_;
  const ServedApis served_;
  std::unique_ptr<KafkaContext> context_;  // from Serve on
  FrameServer server_;                     // last: its threads use the others
};

}  // namespace quipu::kafka
