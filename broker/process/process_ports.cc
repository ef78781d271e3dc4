#include "broker/process/process_ports.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/request/log_codec.h"
#include "runtime/grpc/stream_client.h"
#include "runtime/process.h"
#include "runtime/socket/socket_stream.h"
#include "storage/posix/posix_file.h"

namespace quipu {

ProcessPorts::ProcessPorts(BrokerStorage& storage, Ballast& ballast, size_t shards,
                           size_t cold_read_threads, std::unique_ptr<CallThread> calls)
    : storage_(storage),
      ballast_(ballast),
      cold_reads_("cold-read", cold_read_threads),
      calls_(std::move(calls)) {
  for (size_t i = 0; i < shards; ++i) {
    Shard& shard = shards_.emplace_back();
    shard.thread = std::make_unique<ShardThread>(absl::StrCat("shard-", i), shard.sockets);
  }
}

ProcessPorts::~ProcessPorts() { Stop(); }

void ProcessPorts::Stop() {
  cold_reads_.Stop();
  for (const Shard& shard : shards_) shard.thread->Stop();
  control_.Stop();
  calls_.reset();
}

std::vector<std::pair<std::string, size_t>> ProcessPorts::QueueDepths() const {
  std::vector<std::pair<std::string, size_t>> depths;
  for (size_t i = 0; i < shards_.size(); ++i) {
    depths.emplace_back(absl::StrCat("shard-", i), shards_[i].thread->mailbox_size());
  }
  depths.emplace_back("control", control_.mailbox_size());
  depths.emplace_back("cold-read", cold_reads_.queued());
  return depths;
}

std::vector<std::shared_ptr<SocketLoop>> ProcessPorts::socket_loops() const {
  std::vector<std::shared_ptr<SocketLoop>> loops;
  for (const Shard& shard : shards_) loops.push_back(shard.sockets);
  return loops;
}

int64_t ProcessPorts::disk_free_bytes() {
  const absl::StatusOr<int64_t> free_bytes = DiskFreeBytes(storage_.directory->path());
  // What cannot be measured is not called full: a directory that is gone shows at the next write.
  if (!free_bytes.ok()) return std::numeric_limits<int64_t>::max();
  return ballast_.Keep(*free_bytes);
}

std::unique_ptr<MessageSender<message::BrokerToController>> ProcessPorts::OpenControlStream(
    const HostPort& controller, MessageHandler<message::ControllerToBroker> handler) {
  return OpenProtoStream<message::BrokerToController, message::ControllerToBroker>(
      *calls_, {.host = controller.host, .port = controller.port, .method = kControlMethod},
      std::move(handler));
}

std::unique_ptr<MessageSender<ReplicaToLeader>> ProcessPorts::OpenReplicaStream(
    size_t shard, const HostPort& leader, MessageHandler<LeaderToReplica> handler) {
  const StreamOpening opening{.purpose = StreamPurpose::kFollow,
                              .lane = static_cast<uint8_t>(shard)};
  return OpenSocketStream<ReplicaToLeader, LeaderToReplica>(
      shards_[shard].sockets, {.host = leader.host, .port = leader.port, .opening = opening},
      &Encode, &DecodeLeaderToReplica, std::move(handler));
}

uint64_t ProcessPorts::RandomSeed() { return SystemRandomSeed(); }

void ProcessPorts::RequestStop() { RequestTermination(); }

void ProcessPorts::StopProcess(const std::string& reason) { EndProcessNow(reason); }

}  // namespace quipu
