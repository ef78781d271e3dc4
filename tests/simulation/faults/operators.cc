// Nemesis: what operators do to a cluster that works.
#include <string>
#include <utility>

#include "core/metadata/topic_config.h"
#include "tests/simulation/nemesis.h"

namespace quipu::sim {
namespace {

constexpr NodeId kOperatorNode = ClientNodeId(91);
constexpr Duration kEndDrainsInterval = std::chrono::milliseconds(500);

}  // namespace

const ProcessPtr& Nemesis::Operator() {
  if (operator_ == nullptr) operator_ = std::make_shared<Process>(world_, "operator");
  return operator_;
}

void Nemesis::Ask(const message::AdminRequest& request, std::optional<Fault> done) {
  // Whoever it is that is asked may be down: then nothing comes of it.
  cluster_.Call<message::AdminRequest, message::AdminResponse>(
      kOperatorNode, Operator(), Pick(cluster_.brokers()).id(), request, &BrokerNode::Admin,
      [this, done](const message::AdminResponse& response) {
        if (response.error_code() == 0 && done.has_value()) Count(*done);
      },
      [] {});
}

void Nemesis::AskDrain(BrokerId broker, record::Drain drain) {
  if (!std::exchange(ends_drains_, true)) EndDrains();
  message::AdminRequest request;
  request.mutable_drain_broker()->set_broker_id(broker.value());
  request.mutable_drain_broker()->set_drain(drain);
  Ask(request, drain == record::DRAIN_NONE ? std::nullopt : std::optional(Fault::kDrain));
}

void Nemesis::Drain() {
  SimBroker& broker = Pick(cluster_.brokers());
  const BrokerId id = broker.id();
  switch (world_.rng().Below(3)) {
    case 0:
      if (!broker.running()) return;
      Count(Fault::kDrain);
      world_.Note("stop broker " + id.ToString() + " in order");
      return broker.StopInOrder(
          world_.Between(std::chrono::milliseconds(200), std::chrono::seconds(5)));
    case 1:
      world_.Note("drain broker " + id.ToString() + " and stop it");
      return AskDrain(id, record::DRAIN_STOP);
    default:
      world_.Note("drain broker " + id.ToString());
      AskDrain(id, record::DRAIN_MAINTENANCE);
      // As often as not another one dies meanwhile, and the minimum needs this one.
      if (world_.rng().Chance(1, 2)) {
        Later(world_.Between(Duration(0), std::chrono::seconds(1)), "crash-beside-drain",
              [this, id] {
                SimBroker& other = Pick(cluster_.brokers());
                if (other.id() != id) CrashBroker(other, kDownMax);
              });
      }
      Later(world_.Between(std::chrono::milliseconds(200), std::chrono::seconds(6)), "undrain",
            [this, id] { AskDrain(id, record::DRAIN_NONE); });
  }
}

void Nemesis::EndDrains() {
  world_.After(kEndDrainsInterval, nullptr, "operator", [this] {
    for (auto& broker : cluster_.brokers()) {
      if (*active_ || !broker->running()) continue;
      const MetadataImagePtr image = broker->node()->inspector().image();
      if (image == nullptr) continue;
      for (const auto& [id, known] : image->brokers()) {
        const bool asked_for =
            known.drain == record::DRAIN_MAINTENANCE || known.drain == record::DRAIN_STOP;
        if (asked_for && !known.in_controlled_shutdown) AskDrain(id, record::DRAIN_NONE);
      }
      break;
    }
    EndDrains();
  });
}

void Nemesis::DeleteRecords() {
  if (consumers_.empty() || world_.rng().Chance(1, 2)) return DeleteRecordsNow();
  // A group keeps up as a rule: one of its members is behind by then.
  PauseConsumer();
  Later(world_.Between(std::chrono::milliseconds(300), std::chrono::seconds(3)), "delete",
        [this] { DeleteRecordsNow(); });
}

void Nemesis::DeleteRecordsNow() {
  SimBroker& leader = Pick(cluster_.brokers());
  if (!leader.running()) return;
  const BrokerNode::Inspector& inspector = leader.node()->inspector();
  std::vector<PartitionUid> led;
  for (const PartitionUid uid : inspector.partitions()) {
    const PartitionCore* core = inspector.FindPartition(uid);
    if (core != nullptr && core->role() == PartitionRole::kLeader && !core->identity().internal &&
        core->high_watermark() > archive_.End(uid)) {
      led.push_back(uid);
    }
  }
  if (led.empty()) return;
  const PartitionUid uid = led[world_.rng().Below(led.size())];
  const PartitionCore& core = *inspector.FindPartition(uid);
  const Offset from = archive_.End(uid);
  // As often as not all that is committed, of which a member of the group may have read nothing
  // yet.
  const Offset to = world_.rng().Chance(1, 2)
                        ? core.high_watermark()
                        : from + world_.rng().Between(1, core.high_watermark() - from);
  const LogStore& store = leader.disk().store();
  const std::optional<LogId> log = store.FindLog(uid);
  if (!log.has_value()) return;
  auto batches = store.Read(*log, from, to, size_t{1} << 40);
  if (!batches.ok()) return;  // a disk that fails has other observers
  std::erase_if(*batches, [&](const StoredBatch& batch) { return batch.last_offset >= to; });
  if (batches->empty()) return;
  archive_.Take(uid, *batches);
  damage_.OnDeletionAsked(uid, archive_.End(uid));
  world_.Note("delete records of partition " + uid.ToString() + " below " +
              archive_.End(uid).ToString());
  message::DeleteRecordsRequest request;
  auto* partition = request.add_partitions();
  partition->set_topic_id(core.identity().topic_id.ToBytes());
  partition->set_partition(core.identity().index.value());
  partition->set_before_offset(archive_.End(uid).value());
  cluster_.Call<message::DeleteRecordsRequest, message::DeleteRecordsResponse>(
      kOperatorNode, Operator(), leader.id(), request, &BrokerNode::DeleteRecords,
      [this](const message::DeleteRecordsResponse& response) {
        if (response.partitions(0).error_code() == 0) Count(Fault::kDeleteRecords);
      },
      [] {});
}

void Nemesis::AlterConfig() {
  static constexpr const char* kValues[] = {"producer", "uncompressed", "gzip",
                                            "snappy",   "lz4",          "zstd"};
  const std::string value = kValues[world_.rng().Below(std::size(kValues))];
  world_.Note("alter compression.type to " + value);
  compression_types_.insert(value);
  message::AdminRequest request;
  request.mutable_alter_topic_config()->set_topic(options_.topic);
  auto* config = request.mutable_alter_topic_config()->add_set();
  config->set_key(std::string(kCompressionTypeKey));
  config->set_value(value);
  Ask(request, Fault::kAlterConfig);
}

}  // namespace quipu::sim
