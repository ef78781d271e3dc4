// Fuzz targets: a voter of the quorum, the quorum, and the controller's brain.
#include <memory>
#include <string>

#include "base/check.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/metadata_invariants.h"
#include "core/raft/message_check.h"
#include "core/raft/raft_core.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu::fuzz {
namespace {

using std::chrono::milliseconds;

constexpr int kStepsMax = 400;

RaftOptions VoterOptions() {
  RaftOptions options;
  options.cluster_id = Uuid(7, 7);
  for (int id = 1; id <= 3; ++id) {
    options.voters.push_back({{ControllerId(id), Uuid(9, static_cast<uint64_t>(id))}});
  }
  options.self = options.voters.front().identity;
  options.snapshot_bytes_max = 4096;
  return options;
}

// Whatever is not for this voter, comes from another cluster, or answers under a directory that is
// no voter's is dropped and changes nothing. (A request of an unknown directory is answered: it may
// be a voter by a newer log, C19.)
void StepFromOutside(message::RaftMessage message, uint32_t kind) {
  switch (kind) {
    case 0:
      message.set_cluster_id(Uuid(8, 8).ToBytes());
      break;
    case 1:
      message.set_from_directory_id(Uuid(9, 99).ToBytes());
      message.set_type(message::RaftMessage::VOTE_RESPONSE);
      break;
    case 2:
      message.set_to_directory_id(Uuid(9, 2).ToBytes());
      break;
    case 3:
      message.set_term(0);
      break;
    default:
      message.set_from(1);
      message.set_from_directory_id(Uuid(9, 1).ToBytes());
      break;
  }
  const Instant now{};
  auto core = RaftCore::Create(VoterOptions(), {}, now);
  QUIPU_CHECK(core.ok());
  RaftEffects effects;
  (*core)->Step(message, now, effects);
  QUIPU_CHECK((*core)->dropped_messages() == 1);
  QUIPU_CHECK((*core)->term() == Term(0));
  QUIPU_CHECK(effects.persists.empty() && effects.messages.empty());
  (*core)->CheckInvariants();
}

// One message of any content under the name of a voter.
void StepFromVoter(message::RaftMessage message) {
  const RaftOptions options = VoterOptions();
  message.set_cluster_id(options.cluster_id.ToBytes());
  message.set_from(2);
  message.set_from_directory_id(options.voters[1].identity.directory_id.ToBytes());
  message.set_to(1);
  message.set_to_directory_id(options.self.directory_id.ToBytes());
  // That more is committed than this voter has: it ends itself, for it must have lost its log (I8).
  if (message.type() == message::RaftMessage::HEARTBEAT) message.set_commit_index(0);
  const Instant now{};
  auto core = RaftCore::Create(options, {}, now);
  QUIPU_CHECK(core.ok());
  RaftEffects effects;
  (*core)->Step(message, now, effects);
  for (size_t i = 0; i < effects.persists.size(); ++i) {
    (*core)->OnPersisted(effects.persists[i].id, now, effects);
  }
  (*core)->CheckInvariants();
  QUIPU_CHECK((*core)->term() <= Term(message.term()));
}

// One step of a schedule. Messages are lost, repeated and reordered; replicas crash and come back.
void StepQuorum(Input& input, RaftCluster& cluster, uint64_t& names) {
  const int id = 1 + static_cast<int>(input.Below(static_cast<uint32_t>(cluster.size())));
  const uint32_t what = input.Below(16);
  if (what < 7 && !cluster.network.empty()) {
    const size_t at = input.Byte() % cluster.network.size();
    const message::RaftMessage message = cluster.network[at];
    if (what != 0) {  // 0: it arrives again
      cluster.network.erase(cluster.network.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (cluster.IsUp(message.to())) cluster.Step(message);
    return;
  }
  if (what == 7 && !cluster.network.empty()) {
    cluster.network.erase(cluster.network.begin());
    return;
  }
  if (what == 8) {
    cluster.now += milliseconds(1 + input.Byte());
    return;
  }
  if (!cluster.IsUp(id)) {
    if (what >= 12) cluster.Restart(id);
    return;
  }
  RaftCluster::Node& node = cluster.node(id);
  if (what == 9 || what == 10) {
    cluster.now = std::max(cluster.now, node.core->deadline());
    cluster.OnTime(id);
  } else if (what == 11 || what == 12) {
    if (!node.disk.under_way().empty()) cluster.CompleteWrite(id);
  } else if (what == 13) {
    (void)cluster.Propose(id, "v" + std::to_string(++names));
  } else if (what == 14) {
    if (input.Chance()) {
      (void)cluster.ReadIndex(id, ++names);
    } else {
      cluster.Compact(id);
    }
  } else {
    cluster.Crash(id, input.Byte() % (node.disk.under_way().size() + 1));
  }
}

// Replays what a command decided, as an active controller does.
class Brain {
 public:
  Brain() : core_(Options(), 1) {
    core_.Activate(MetadataImage(), now_);
    Append(core_.Bootstrap());
  }
  void Run(uint32_t kind, absl::string_view bytes) {
    now_ += milliseconds(100);
    switch (kind) {
      case 0:
        return Decide<message::RegisterBroker>(
            bytes, [this](const auto& request) { return core_.Register(request, now_); });
      case 1:
        return Decide<message::BrokerHeartbeat>(
            bytes, [this](const auto& request) { return core_.Heartbeat(request, now_); });
      case 2:
        return Decide<message::AlterPartitions>(
            bytes, [this](const auto& request) { return core_.AlterPartitions(request); });
      case 3:
        return Decide<message::AllocateProducerIds>(
            bytes, [this](const auto& request) { return core_.AllocateProducerIds(request); });
      case 4:
        return Decide<message::AdminRequest>(
            bytes, [this](const auto& request) { return core_.Admin(request); });
      default:
        Pass(bytes.size());
    }
  }
  void Finish() {
    const MetadataImage& image = core_.image();
    QUIPU_CHECK(MetadataImage::FromSnapshot(image.index(), image.ToSnapshot()) == image);
  }

 private:
  static ControllerCore::Options Options() {
    ControllerCore::Options options;
    options.cluster_id = Uuid(7, 7);
    options.partitions_max = 50;
    options.brokers_max = 8;
    return options;
  }
  template <typename Request, typename Decider>
  void Decide(absl::string_view bytes, Decider decide) {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    Append(decide(request).batch);
  }
  void Pass(size_t tenths) {
    now_ += milliseconds(100 * tenths);
    for (int i = 0; i < 100; ++i) {
      const record::MetadataBatch batch = core_.OnTime(now_);
      if (batch.records_size() == 0) return;
      Append(batch);
    }
  }
  // Through bytes, as the log and the streams carry it.
  void Append(const record::MetadataBatch& batch) {
    if (batch.records_size() == 0) return;
    record::MetadataBatch read;
    QUIPU_CHECK(read.ParseFromString(batch.SerializeAsString()));
    core_.Replay(core_.image().index() + 1, read, now_);
    core_.CheckInvariants();
  }

  Instant now_{};
  ControllerCore core_;
};

}  // namespace

void RaftMessage(absl::string_view bytes) {
  Input input(bytes);
  const uint32_t kind = input.Below(5);
  const absl::string_view body = input.Rest();
  message::RaftMessage message;
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) return;
  StepFromVoter(message);
  if (message.from() == 0) message.set_from(2);
  StepFromOutside(message, kind);
}

void RaftQuorum(absl::string_view bytes) {
  Input input(bytes);
  RaftCluster cluster(input.Chance() ? 3 : 5, [](RaftOptions& options) {
    options.snapshot_chunk_bytes = 16;
    options.append_bytes_max = 100;
    options.in_flight_appends_max = 4;
  });
  uint64_t names = 0;
  for (int step = 0; step < kStepsMax && !input.empty(); ++step) {
    StepQuorum(input, cluster, names);
  }
}

void ControllerCommands(absl::string_view bytes) {
  Input input(bytes);
  Brain brain;
  for (int step = 0; step < kStepsMax && !input.empty(); ++step) {
    const uint32_t kind = input.Below(6);
    brain.Run(kind, input.Block());
  }
  brain.Finish();
}

}  // namespace quipu::fuzz
