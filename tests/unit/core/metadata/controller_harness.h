// Drives a ControllerCore as an active controller does, with every proposal replayed at once and
// the invariants checked after each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/metadata/controller_core.h"
#include "core/metadata/metadata_invariants.h"

namespace quipu {

class ControllerHarness {
 public:
  static ControllerCore::Options DefaultOptions() {
    ControllerCore::Options options;
    options.cluster_id = Uuid(7, 7);
    return options;
  }

  explicit ControllerHarness(ControllerCore::Options options = DefaultOptions())
      : options_(options), core_(options, 1) {
    core_.Activate(MetadataImage(), now_);
    Append(core_.Bootstrap());
  }

  // ---- requests as a sound broker sends them ----
  static message::RegisterBroker Registration(int32_t id, int64_t last_epoch,
                                              uint64_t incarnation) {
    message::RegisterBroker request;
    request.set_cluster_id(Uuid(7, 7).ToBytes());
    request.set_broker_id(id);
    request.set_directory_id(Uuid(100, static_cast<uint64_t>(id)).ToBytes());
    request.set_incarnation_id(Uuid(200, incarnation).ToBytes());
    request.set_last_broker_epoch(last_epoch);
    request.mutable_client_endpoint()->set_host("127.0.0.1");
    request.mutable_client_endpoint()->set_port(static_cast<uint32_t>(9000 + id));
    request.mutable_peer_endpoint()->set_host("127.0.0.1");
    request.mutable_peer_endpoint()->set_port(static_cast<uint32_t>(9500 + id));
    return request;
  }

  message::RegisterBrokerResponse Register(const message::RegisterBroker& request) {
    auto decision = core_.Register(request, now_);
    const LogIndex index = Append(decision.batch);
    ControllerCore::FillEpoch(index, decision.response);
    return decision.response;
  }
  // A process start of broker `id`; returns its epoch. Its directory knows its newest epoch.
  int64_t Restart(int32_t id) {
    const BrokerImage* known = image().FindBroker(BrokerId(id));
    const int64_t last = known == nullptr ? -1 : known->epoch.value();
    return Register(Registration(id, last, ++incarnations_)).broker_epoch();
  }
  message::BrokerHeartbeatResponse Heartbeat(int32_t id, bool want_shutdown = false) {
    return HeartbeatAt(id, image().index().value(), want_shutdown);
  }
  message::BrokerHeartbeatResponse HeartbeatAt(int32_t id, uint64_t metadata_index,
                                               bool want_shutdown = false,
                                               bool disk_stalled = false) {
    message::BrokerHeartbeat request;
    request.set_broker_id(id);
    request.set_broker_epoch(Epoch(id));
    request.set_metadata_index(metadata_index);
    request.set_want_shutdown(want_shutdown);
    request.set_disk_stalled(disk_stalled);
    auto decision = core_.Heartbeat(request, now_);
    Append(decision.batch);
    return decision.response;
  }
  // A heartbeat that says whether the disk stalls.
  void ReportDisk(int32_t id, bool stalled) {
    HeartbeatAt(id, image().index().value(), false, stalled);
  }
  // Registers brokers 1 to `count` and unfences them.
  void StartBrokers(int32_t count) {
    for (int32_t id = 1; id <= count; ++id) {
      Restart(id);
      Heartbeat(id);
    }
  }
  void Fence(int32_t id) { Append(core_.FenceBroker(BrokerId(id), BrokerEpoch(Epoch(id)))); }

  message::AdminResponse Admin(const message::AdminRequest& request) {
    auto decision = core_.Admin(request);
    Append(decision.batch);
    return decision.response;
  }
  message::AdminResponse CreateTopic(
      const std::string& name, int32_t partitions, int32_t replication_factor,
      const std::vector<std::pair<std::string, std::string>>& configs = {}) {
    message::AdminRequest request;
    message::CreateTopic* create = request.mutable_create_topic();
    create->set_name(name);
    create->set_partitions(partitions);
    create->set_replication_factor(replication_factor);
    for (const auto& [key, value] : configs) {
      message::ConfigEntry* entry = create->add_configs();
      entry->set_key(key);
      entry->set_value(value);
    }
    return Admin(request);
  }
  message::AdminResponse SetConfig(const std::string& topic, const std::string& key,
                                   const std::string& value) {
    message::AdminRequest request;
    request.mutable_alter_topic_config()->set_topic(topic);
    message::ConfigEntry* entry = request.mutable_alter_topic_config()->add_set();
    entry->set_key(key);
    entry->set_value(value);
    return Admin(request);
  }

  // The change that the leader of `partition` would ask for now.
  message::AlterPartitions IsrRequest(const PartitionImage& partition,
                                      const std::vector<int32_t>& isr) const {
    message::AlterPartitions request;
    request.set_broker_id(partition.leader.value());
    request.set_broker_epoch(Epoch(partition.leader.value()));
    message::IsrChange* change = request.add_changes();
    change->set_partition_uid(partition.uid.value());
    change->set_leader_epoch(partition.leader_epoch.value());
    change->set_partition_epoch(partition.partition_epoch.value());
    for (const int32_t id : isr) {
      message::IsrMember* member = change->add_new_isr();
      member->set_broker_id(id);
      member->set_broker_epoch(Epoch(id));
    }
    return request;
  }
  message::AlterPartitionsResponse Alter(const message::AlterPartitions& request) {
    auto decision = core_.AlterPartitions(request);
    Append(decision.batch);
    return decision.response;
  }
  // Error of the only change in the request.
  ErrorCode AlterOne(const message::AlterPartitions& request) {
    const message::AlterPartitionsResponse response = Alter(request);
    const int32_t code =
        response.error_code() != 0 ? response.error_code() : response.results(0).error_code();
    return static_cast<ErrorCode>(code);
  }
  ErrorCode ChangeIsr(PartitionUid uid, const std::vector<int32_t>& isr) {
    return AlterOne(IsrRequest(*image().FindPartition(uid), isr));
  }

  // Lets time pass in ticks of 100 ms; brokers in `alive` beat every tick.
  void Pass(Duration time, const std::vector<int32_t>& alive) {
    const Instant end = now_ + time;
    while (now_ < end) {
      now_ += std::chrono::milliseconds(100);
      for (const int32_t id : alive) Heartbeat(id);
      while (true) {
        const record::MetadataBatch batch = core_.OnTime(now_);
        if (batch.records_size() == 0) break;
        Append(batch);
      }
    }
  }

  // The controller fails over: another core goes on from what is committed.
  void FailOver() {
    const MetadataImage committed = image();
    core_.Deactivate();
    core_.Activate(committed, now_);
  }

  LogIndex Append(const record::MetadataBatch& batch) {
    if (batch.records_size() == 0) return image().index();
    const LogIndex index = image().index() + 1;
    core_.Replay(index, batch, now_);
    core_.CheckInvariants();
    return index;
  }

  [[nodiscard]] const MetadataImage& image() const { return core_.image(); }
  [[nodiscard]] ControllerCore& core() { return core_; }
  [[nodiscard]] int64_t Epoch(int32_t id) const {
    const BrokerImage* broker = image().FindBroker(BrokerId(id));
    return broker == nullptr ? -1 : broker->epoch.value();
  }
  [[nodiscard]] const PartitionImage& Partition(const std::string& topic, int32_t index = 0) const {
    return *image().FindPartition(image().FindTopicByName(topic)->id, PartitionIndex(index));
  }
  Instant now_{std::chrono::seconds(1000)};

 private:
  ControllerCore::Options options_;
  ControllerCore core_;
  uint64_t incarnations_ = 0;
};

inline std::vector<int32_t> Ids(const std::vector<BrokerId>& brokers) {
  std::vector<int32_t> out;
  for (const BrokerId id : brokers) out.push_back(id.value());
  return out;
}

}  // namespace quipu
