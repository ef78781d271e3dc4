// What clients ask of the controller: topics, configs, preferred leaders.
#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/partition_changes.h"
#include "core/metadata/replica_placer.h"

namespace quipu {
namespace {

using AdminDecision = Decision<message::AdminResponse>;

AdminDecision Refuse(TopicRefusal refusal) {
  AdminDecision out;
  out.response.set_error_code(static_cast<int32_t>(refusal.error));
  out.response.set_error_message(std::move(refusal.message));
  return out;
}

std::string Quoted(const std::string& name) { return absl::StrCat("'", name.substr(0, 64), "'"); }

TopicRefusal UnknownTopic(const std::string& name) {
  return {ErrorCode::kUnknownTopicOrPartition, absl::StrCat("there is no topic ", Quoted(name))};
}

void AddConfig(const TopicId& topic, absl::string_view key, absl::string_view value,
               record::MetadataBatch& batch) {
  record::TopicConfig* config = batch.add_records()->mutable_topic_config();
  config->set_topic_id(topic.ToBytes());
  config->set_key(std::string(key));
  config->set_value(std::string(value));
}

AdminDecision CreatedAnswer(const TopicId& id, size_t partitions, size_t replication_factor) {
  AdminDecision out;
  message::CreateTopicResult* result = out.response.mutable_create_topic();
  result->set_topic_id(id.ToBytes());
  result->set_partitions(static_cast<int32_t>(partitions));
  result->set_replication_factor(static_cast<int32_t>(replication_factor));
  return out;
}

// Each list of `given` must have `replication_factor` live brokers, each once.
TopicRefusal CheckAssignments(
    const google::protobuf::RepeatedPtrField<message::ReplicaAssignment>& given,
    int32_t replication_factor, const ReplicaPlacer& placer) {
  const auto refuse = [](std::string message) {
    return TopicRefusal{ErrorCode::kInvalidReplicaAssignment, std::move(message)};
  };
  for (const message::ReplicaAssignment& replicas : given) {
    if (replicas.broker_ids_size() != replication_factor) {
      return refuse(absl::StrCat("each partition must have the same number of replicas: ",
                                 replication_factor, ", not ", replicas.broker_ids_size()));
    }
    absl::btree_set<int32_t> seen;
    for (const int32_t id : replicas.broker_ids()) {
      if (!seen.insert(id).second) {
        return refuse(absl::StrCat("broker ", id, " is there twice for one partition"));
      }
      if (!placer.Has(BrokerId(id))) {
        return refuse(absl::StrCat("broker ", id, " is not live"));
      }
    }
  }
  return {};
}

// Puts what `request` appends to lists and takes from them into its `set`.
TopicRefusal SetLists(const absl::btree_map<std::string, std::string>& own,
                      message::AlterTopicConfig& request) {
  absl::btree_set<std::string> seen;
  const auto change = [&](const message::ConfigEntry& entry, bool append) -> TopicRefusal {
    if (!seen.insert(entry.key()).second) {
      return {ErrorCode::kInvalidConfig, absl::StrCat(entry.key(), " is given twice")};
    }
    message::ConfigEntry& set = *request.add_set();
    set.set_key(entry.key());
    return ChangeListConfig(own, entry.key(), entry.value(), append, *set.mutable_value());
  };
  for (const message::ConfigEntry& entry : request.append()) {
    if (TopicRefusal refusal = change(entry, true); !refusal.ok()) return refusal;
  }
  for (const message::ConfigEntry& entry : request.subtract()) {
    if (TopicRefusal refusal = change(entry, false); !refusal.ok()) return refusal;
  }
  return {};
}

}  // namespace

TopicRefusal ControllerCore::CheckConfigs(
    const google::protobuf::RepeatedPtrField<message::ConfigEntry>& entries) const {
  if (entries.size() > options_.topic_configs_max) {
    return {ErrorCode::kInvalidConfig,
            absl::StrCat("more than ", options_.topic_configs_max, " configs in one request")};
  }
  absl::btree_set<std::string> seen;
  for (const message::ConfigEntry& entry : entries) {
    TopicRefusal refusal = CheckTopicConfig(entry.key(), entry.value());
    if (!refusal.ok()) return refusal;
    if (!seen.insert(entry.key()).second) {
      return {ErrorCode::kInvalidConfig, absl::StrCat(entry.key(), " is given twice")};
    }
  }
  return {};
}

TopicRefusal ControllerCore::CheckCreation(const message::CreateTopic& request, int32_t partitions,
                                           int32_t replication_factor,
                                           const ReplicaPlacer& placer) const {
  TopicRefusal refusal = CheckTopicName(request.name(), request.internal());
  if (!refusal.ok()) return refusal;
  for (const auto& [id, topic] : image_.topics()) {
    if (TopicNamesCollide(topic.name, request.name())) {
      return {ErrorCode::kInvalidTopic,
              absl::StrCat("the name collides with topic ", Quoted(topic.name),
                           ": '.' and '_' are the same in the names of metrics")};
    }
  }
  if (partitions < 1) {
    return {ErrorCode::kInvalidPartitions,
            absl::StrCat("a topic has at least 1 partition, not ", partitions)};
  }
  const auto existing = static_cast<int64_t>(image_.partitions().size());
  if (existing + partitions > options_.partitions_max) {
    return {ErrorCode::kLimitReached,
            absl::StrCat("the cluster has ", existing, " partitions; ", partitions,
                         " more exceed quipu.partitions.max (", options_.partitions_max, ")")};
  }
  if (replication_factor < 1) {
    return {ErrorCode::kInvalidReplicationFactor,
            absl::StrCat("the replication factor is at least 1, not ", replication_factor)};
  }
  if (static_cast<size_t>(replication_factor) > placer.broker_count()) {
    return {ErrorCode::kInvalidReplicationFactor,
            absl::StrCat("replication factor ", replication_factor, " needs as many live brokers; ",
                         placer.broker_count(), " are live")};
  }
  const int given = request.assignments_size();
  if (given > 0 && given != partitions) {
    return {ErrorCode::kInvalidReplicaAssignment,
            absl::StrCat("replicas are given for ", given, " of ", partitions, " partitions")};
  }
  refusal = CheckAssignments(request.assignments(), replication_factor, placer);
  return refusal.ok() ? CheckConfigs(request.configs()) : refusal;
}

AdminDecision ControllerCore::CreateTopic(const message::CreateTopic& request) {
  const TopicImage* known = image_.FindTopicByName(request.name());
  if (known != nullptr) {
    if (!request.if_not_exists()) {
      return Refuse({ErrorCode::kTopicAlreadyExists,
                     absl::StrCat("topic ", Quoted(request.name()), " exists already")});
    }
    const PartitionImage* first = image_.FindPartition(known->id, PartitionIndex(0));
    return CreatedAnswer(known->id, known->partitions.size(), first->replicas.size());
  }
  const Options defaults = Effective();
  const bool given = request.assignments_size() > 0;
  const int32_t partitions = request.partitions() != -1 ? request.partitions()
                             : given                    ? request.assignments_size()
                                                        : defaults.num_partitions;
  const int32_t replication_factor = request.replication_factor() != -1
                                         ? request.replication_factor()
                                     : given ? request.assignments(0).broker_ids_size()
                                             : defaults.replication_factor;
  const ReplicaPlacer placer(image_);
  TopicRefusal refusal = CheckCreation(request, partitions, replication_factor, placer);
  if (!refusal.ok()) return Refuse(std::move(refusal));
  TopicId id = Uuid::Random(rng_);
  while (image_.FindTopic(id) != nullptr) id = Uuid::Random(rng_);

  AdminDecision out =
      CreatedAnswer(id, static_cast<size_t>(partitions), static_cast<size_t>(replication_factor));
  record::TopicCreated* topic = out.batch.add_records()->mutable_topic_created();
  topic->set_topic_id(id.ToBytes());
  topic->set_name(request.name());
  auto& configs = *out.response.mutable_create_topic()->mutable_configs();
  configs = request.configs();
  const bool min_isr_given =
      std::any_of(configs.begin(), configs.end(), [](const message::ConfigEntry& entry) {
        return entry.key() == std::string(kMinInsyncReplicasKey);
      });
  if (!min_isr_given) {
    message::ConfigEntry& min_isr = *configs.Add();
    min_isr.set_key(std::string(kMinInsyncReplicasKey));
    min_isr.set_value(absl::StrCat(defaults.min_insync_replicas));
  }
  for (const message::ConfigEntry& entry : configs) {
    AddConfig(id, entry.key(), entry.value(), out.batch);
  }
  for (int32_t i = 0; i < partitions; ++i) {
    const PartitionUid uid = image_.next_partition_uid() + static_cast<uint64_t>(i);
    AddNewPartition(
        {.topic_id = id,
         .index = PartitionIndex(i),
         .uid = uid,
         .replicas = Replicas(request.assignments(), i, uid, replication_factor, placer)},
        out.batch);
  }
  return out;
}

std::vector<BrokerId> ControllerCore::Replicas(const Assignments& given, int32_t i,
                                               PartitionUid uid, int32_t replication_factor,
                                               const ReplicaPlacer& placer) {
  if (given.empty()) return placer.Place(uid.value(), replication_factor);
  std::vector<BrokerId> replicas;
  for (const int32_t id : given[i].broker_ids()) replicas.emplace_back(id);
  return replicas;
}

void ControllerCore::AddNewPartition(const NewPartition& partition, record::MetadataBatch& batch) {
  record::PartitionState* state = batch.add_records()->mutable_partition();
  state->set_topic_id(partition.topic_id.ToBytes());
  state->set_partition(partition.index.value());
  state->set_partition_uid(partition.uid.value());
  for (const BrokerId replica : partition.replicas) {
    state->add_replicas(replica.value());
    state->add_isr(replica.value());
  }
  state->set_leader(partition.replicas.front().value());
  state->set_last_known_leader(partition.replicas.front().value());
}

TopicRefusal ControllerCore::CheckMorePartitions(const message::CreatePartitions& request,
                                                 const TopicImage& topic,
                                                 const ReplicaPlacer& placer) const {
  const auto present = static_cast<int32_t>(topic.partitions.size());
  if (IsInternalTopic(topic.name)) {
    return {ErrorCode::kInvalidTopic,
            absl::StrCat(topic.name,
                         " is the cluster's own topic: groups are found by its number "
                         "of partitions, which stays")};
  }
  if (request.count() <= present) {
    return {
        ErrorCode::kInvalidPartitions,
        absl::StrCat("it has ", present, " partitions; expected a larger number than that, not ",
                     request.count(), ": partitions are never taken away")};
  }
  const auto existing = static_cast<int64_t>(image_.partitions().size());
  const int64_t more = request.count() - present;
  if (existing + more > options_.partitions_max) {
    return {ErrorCode::kLimitReached,
            absl::StrCat("the cluster has ", existing, " partitions; ", more,
                         " more exceed quipu.partitions.max (", options_.partitions_max, ")")};
  }
  const PartitionImage& first = *image_.FindPartition(topic.partitions.front());
  if (first.replicas.size() > placer.broker_count()) {
    return {ErrorCode::kInvalidReplicationFactor,
            absl::StrCat("replication factor ", first.replicas.size(),
                         " needs as many live brokers; ", placer.broker_count(), " are live")};
  }
  if (request.assignments_size() > 0 && request.assignments_size() != more) {
    return {ErrorCode::kInvalidReplicaAssignment,
            absl::StrCat("replicas are given for ", request.assignments_size(), " of ", more,
                         " new partitions")};
  }
  TopicRefusal refusal =
      CheckAssignments(request.assignments(), static_cast<int32_t>(first.replicas.size()), placer);
  if (!refusal.ok()) return refusal;
  if (!request.allow_key_remap()) {
    return {ErrorCode::kPolicyViolation,
            absl::StrCat("with ", request.count(), " partitions instead of ", present,
                         ", most accounts move to another partition, and the order of an account's "
                         "records across the change is not kept. Stop its producers and let the "
                         "consumers finish first; then allow it (--allow-key-remap)")};
  }
  return {};
}

AdminDecision ControllerCore::CreatePartitions(const message::CreatePartitions& request) const {
  const TopicImage* topic = image_.FindTopicByName(request.topic());
  if (topic == nullptr) return Refuse(UnknownTopic(request.topic()));
  const ReplicaPlacer placer(image_);
  TopicRefusal refusal = CheckMorePartitions(request, *topic, placer);
  if (!refusal.ok()) return Refuse(std::move(refusal));
  AdminDecision out;
  const PartitionImage& first = *image_.FindPartition(topic->partitions.front());
  const auto replication_factor = static_cast<int32_t>(first.replicas.size());
  const auto present = static_cast<int32_t>(topic->partitions.size());
  for (int32_t i = 0; i < request.count() - present; ++i) {
    const PartitionUid uid = image_.next_partition_uid() + static_cast<uint64_t>(i);
    AddNewPartition(
        {.topic_id = topic->id,
         .index = PartitionIndex(present + i),
         .uid = uid,
         .replicas = Replicas(request.assignments(), i, uid, replication_factor, placer)},
        out.batch);
  }
  return out;
}

AdminDecision ControllerCore::DeleteTopic(const message::DeleteTopic& request) const {
  const TopicImage* topic = image_.FindTopicByName(request.name());
  if (topic == nullptr) return Refuse(UnknownTopic(request.name()));
  if (IsInternalTopic(topic->name)) {
    return Refuse({ErrorCode::kInvalidTopic,
                   absl::StrCat("topic ", Quoted(topic->name), " is the cluster's own and stays")});
  }
  if (!request.topic_id().empty() && request.topic_id() != topic->id.ToBytes()) {
    return Refuse({ErrorCode::kUnknownTopicId,
                   absl::StrCat("topic ", Quoted(topic->name), " has been made anew since")});
  }
  AdminDecision out;
  out.batch.add_records()->mutable_topic_removed()->set_topic_id(topic->id.ToBytes());
  return out;
}

AdminDecision ControllerCore::ElectLeaders(const message::ElectLeaders& request) const {
  const LeaderSelector selector(image_);
  std::vector<const PartitionImage*> wanted;
  if (request.topic().empty()) {
    for (const auto& [uid, partition] : image_.partitions()) wanted.push_back(&partition);
  } else {
    const TopicImage* topic = image_.FindTopicByName(request.topic());
    if (topic == nullptr) return Refuse(UnknownTopic(request.topic()));
    const absl::btree_set<int32_t> indexes(request.partitions().begin(),
                                           request.partitions().end());
    for (const int32_t index : indexes) {
      const PartitionImage* partition = image_.FindPartition(topic->id, PartitionIndex(index));
      if (partition == nullptr) {
        return Refuse({ErrorCode::kUnknownTopicOrPartition,
                       absl::StrCat("topic ", Quoted(topic->name), " has no partition ", index)});
      }
      wanted.push_back(partition);
    }
    if (indexes.empty()) {
      for (const PartitionUid uid : topic->partitions) wanted.push_back(image_.FindPartition(uid));
    }
  }
  AdminDecision out;
  message::ElectLeadersResult& result = *out.response.mutable_elect_leaders();
  for (const PartitionImage* partition : wanted) {
    const BrokerId preferred = partition->replicas.front();
    ErrorCode error = ErrorCode::kNone;
    if (WantsPreferredLeader(*partition, selector)) {
      *out.batch.add_records()->mutable_partition_change() = ChangeLeader(*partition, preferred);
    } else {
      error = partition->leader == preferred ? ErrorCode::kElectionNotNeeded
                                             : ErrorCode::kPreferredLeaderNotAvailable;
    }
    if (error == ErrorCode::kElectionNotNeeded && request.topic().empty()) continue;
    auto* told = result.add_partitions();
    told->set_topic(image_.FindTopic(partition->topic_id)->name);
    told->set_partition(partition->index.value());
    told->set_error_code(static_cast<int32_t>(error));
  }
  result.set_elected(out.batch.records_size());
  return out;
}

// PR2: the ELR says who holds all committed records *under the old minimum*, so a new minimum
// empties it in the same batch. Every partition's epoch rises too: an ISR change that its leader
// decided under the old minimum fails its compare and set.
TopicRefusal ControllerCore::ChangeMinIsr(const TopicImage& topic, int32_t min_isr,
                                          record::MetadataBatch& batch) const {
  if (ReadTopicConfigs(topic.configs).min_insync_replicas == min_isr) return {};
  for (const PartitionUid uid : topic.partitions) {
    const PartitionImage& partition = *image_.FindPartition(uid);
    if (partition.isr.empty()) {
      // Emptying this ELR would lose the last who may lead.
      return {ErrorCode::kNotEnoughReplicas,
              absl::StrCat("min.insync.replicas of ", Quoted(topic.name),
                           " cannot change while partition ", partition.index.value(),
                           " has no leader: bring one of its brokers back first")};
    }
    record::PartitionChange* change = batch.add_records()->mutable_partition_change();
    change->set_partition_uid(uid.value());
    change->set_elr_changed(true);
  }
  return {};
}

AdminDecision ControllerCore::AlterTopicConfig(message::AlterTopicConfig request) const {
  const TopicImage* topic = image_.FindTopicByName(request.topic());
  if (topic == nullptr) return Refuse(UnknownTopic(request.topic()));
  TopicRefusal refusal = SetLists(topic->configs, request);
  if (!refusal.ok()) return Refuse(std::move(refusal));
  refusal = CheckConfigs(request.set());
  if (!refusal.ok()) return Refuse(std::move(refusal));
  absl::btree_set<std::string> removed;
  for (const std::string& key : request.remove()) {
    refusal = CheckTopicConfigKey(key);
    if (!refusal.ok()) return Refuse(std::move(refusal));
    removed.insert(key);
  }
  if (request.replace()) {
    for (const auto& [key, value] : topic->configs) removed.insert(key);
    for (const message::ConfigEntry& entry : request.set()) removed.erase(entry.key());
  }
  if (IsInternalTopic(topic->name)) {
    absl::btree_set<std::string> changed = removed;
    for (const message::ConfigEntry& entry : request.set()) changed.insert(entry.key());
    changed.erase(std::string(kMinInsyncReplicasKey));
    if (!changed.empty()) {
      return Refuse({ErrorCode::kInvalidTopic,
                     absl::StrCat(topic->name, " is the cluster's own topic: of its configs only ",
                                  std::string(kMinInsyncReplicasKey), " may be changed")});
    }
  }
  AdminDecision out;
  std::optional<int32_t> min_isr;
  for (const message::ConfigEntry& entry : request.set()) {
    if (removed.contains(entry.key())) {
      return Refuse(
          {ErrorCode::kInvalidConfig, absl::StrCat(entry.key(), " is both set and removed")});
    }
    AddConfig(topic->id, entry.key(), entry.value(), out.batch);
    int32_t number = 0;
    if (entry.key() == std::string(kMinInsyncReplicasKey) &&
        absl::SimpleAtoi(entry.value(), &number)) {
      min_isr = number;
    }
  }
  for (const std::string& key : removed) {
    if (key == std::string(kMinInsyncReplicasKey)) {
      // A topic always carries this one (ReadTopicConfigs).
      min_isr = Effective().min_insync_replicas;
      AddConfig(topic->id, key, absl::StrCat(*min_isr), out.batch);
      continue;
    }
    if (!topic->configs.contains(key)) continue;
    record::TopicConfig* config = out.batch.add_records()->mutable_topic_config();
    config->set_topic_id(topic->id.ToBytes());
    config->set_key(key);
    config->set_removed(true);
  }
  if (min_isr.has_value()) {
    refusal = ChangeMinIsr(*topic, *min_isr, out.batch);
    if (!refusal.ok()) return Refuse(std::move(refusal));
  }
  return out;
}

AdminDecision ControllerCore::Admin(const message::AdminRequest& request) {
  QUIPU_CHECK(active_);
  AdminDecision decision = Decide(request);
  if (request.validate_only()) decision.batch.Clear();
  return decision;
}

AdminDecision ControllerCore::Decide(const message::AdminRequest& request) {
  switch (request.request_case()) {
    case message::AdminRequest::kCreateTopic:
      return CreateTopic(request.create_topic());
    case message::AdminRequest::kDeleteTopic:
      return DeleteTopic(request.delete_topic());
    case message::AdminRequest::kElectLeaders:
      return ElectLeaders(request.elect_leaders());
    case message::AdminRequest::kAlterTopicConfig:
      return AlterTopicConfig(request.alter_topic_config());
    case message::AdminRequest::kRecoverPartition:
      return RecoverPartition(request.recover_partition());
    case message::AdminRequest::kCreatePartitions:
      return CreatePartitions(request.create_partitions());
    case message::AdminRequest::kDrainBroker:
      return DrainBroker(request.drain_broker());
    case message::AdminRequest::kDescribeConfigs:
      return DescribeConfigs(request.describe_configs());
    case message::AdminRequest::kAlterConfigs:
      return AlterConfigs(request.alter_configs());
    case message::AdminRequest::kDescribeQuorum:
    case message::AdminRequest::kReplaceVoter:
    case message::AdminRequest::REQUEST_NOT_SET:
      break;
  }
  return Refuse({ErrorCode::kInvalidRequest, "an admin request of a kind that is not known here"});
}

}  // namespace quipu
