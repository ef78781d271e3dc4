// The beginning of a SmallWorld, its controller, and what makes copies cheap.
#include "tests/explore/small_world.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "broker/shard/assignment.h"

namespace quipu::explore {
namespace {

const ClusterId kCluster(7, 7);

ControllerCore::Options ControllerOptions() {
  ControllerCore::Options options;
  options.cluster_id = kCluster;
  options.auto_leader_rebalance = false;
  return options;
}

message::RegisterBroker Registration(BrokerId id, BrokerEpoch last, uint64_t incarnation) {
  message::RegisterBroker request;
  request.set_cluster_id(kCluster.ToBytes());
  request.set_broker_id(id.value());
  request.set_directory_id(Uuid(100, static_cast<uint64_t>(id.value())).ToBytes());
  request.set_incarnation_id(Uuid(200, incarnation).ToBytes());
  request.set_last_broker_epoch(last.value());
  for (record::Endpoint* end :
       {request.mutable_client_endpoint(), request.mutable_peer_endpoint()}) {
    end->set_host("127.0.0.1");
    end->set_port(static_cast<uint32_t>(9000 + id.value()));
  }
  return request;
}

// Whether nobody else has it, so that it may be changed.
template <typename T>
bool IsOwn(const std::shared_ptr<T>& shared) {
  if (shared.use_count() > 1) return false;
  std::atomic_thread_fence(std::memory_order_acquire);  // who let go of it last has read it
  return true;
}

}  // namespace

// ---- shared until changed ---------------------------------------------------------------------

SmallWorld::Broker& SmallWorld::Change(int id) {
  std::shared_ptr<Broker>& broker = brokers_[static_cast<size_t>(id - 1)];
  if (!IsOwn(broker)) broker = std::make_shared<Broker>(*broker);
  broker->counted = false;
  return *broker;
}

PartitionCore& SmallWorld::Core(Broker& broker) {
  if (!IsOwn(broker.core)) broker.core = broker.core->Clone();
  return *broker.core;
}

ControllerCore& SmallWorld::ChangeController() {
  if (!IsOwn(controller_)) controller_ = std::make_shared<ControllerCore>(*controller_);
  return *controller_;
}

// ---- setup ------------------------------------------------------------------------------------

SmallWorld::SmallWorld(const Bounds& bounds) : bounds_(bounds) { Setup(); }

void SmallWorld::Setup() {
  controller_ = std::make_shared<ControllerCore>(ControllerOptions(), 1);
  controller_->Activate(MetadataImage(), kStart);
  Append(controller_->Bootstrap());
  for (int id = 1; id <= kBrokers; ++id) {
    brokers_[static_cast<size_t>(id - 1)] = std::make_shared<Broker>();
    Change(id).id = BrokerId(id);
    Register(Change(id));
    Heartbeat(At(id));
  }
  message::AdminRequest request;
  message::CreateTopic* create = request.mutable_create_topic();
  create->set_name("t");
  create->set_partitions(1);
  create->set_replication_factor(kBrokers);
  message::ConfigEntry* entry = create->add_configs();
  entry->set_key("min.insync.replicas");
  entry->set_value(absl::StrCat(bounds_.min_insync_replicas));
  auto decision = controller_->Admin(request);
  QUIPU_CHECK_MSG(decision.response.error_code() == 0, decision.response.error_message());
  Append(decision.batch);
  acknowledged_.resize(static_cast<size_t>(bounds_.records), kNoOffset);
  committed_at_ = acknowledged_;
  for (int id = 1; id <= kBrokers; ++id) {
    Change(id).unheard = {newest_};
    Boot(Change(id));
  }
  TellImages();
  const Bounds given = bounds_;
  Rest();
  for (int i = 0; i < given.settled; ++i) {
    Take({ActionKind::kSend, static_cast<uint8_t>(partition().leader.value())});
    Rest();
  }
  bounds_ = given;
  for (int id = 1; id <= kBrokers; ++id) {
    Broker& broker = Change(id);
    SyncSilent(broker, SilentWrites(broker));
    QUIPU_CHECK(broker.disk.idle());
    Count(broker);
  }
}

// ---- the controller ---------------------------------------------------------------------------

LogIndex SmallWorld::Append(const record::MetadataBatch& batch) {
  const LogIndex index = image().index() + 1;
  if (batch.records_size() == 0) return index;
  ControllerCore& controller = ChangeController();
  controller.Replay(index, batch, kStart);
  controller.CheckInvariants();
  if (image().FindPartition(PartitionUid(1)) != nullptr) NoteImage();
  return index;
}

void SmallWorld::NoteImage() {
  PartitionAssignment assignment = AssignmentOf(image(), partition());
  if (newest_ != nullptr && SameAssignment(*newest_, assignment)) return;
  newest_ = std::make_shared<const PartitionAssignment>(std::move(assignment));
  for (int id = 1; id <= kBrokers; ++id) {
    if (At(id).up) Change(id).unheard.push_back(newest_);
  }
  if (bounds_.reductions) DropStaleProposals();
}

void SmallWorld::Register(Broker& broker) {
  auto decision = controller_->Register(
      Registration(broker.id, broker.epoch == BrokerEpoch(0) ? kNoBrokerEpoch : broker.epoch,
                   ++incarnations_),
      kStart);
  QUIPU_CHECK_MSG(decision.response.error_code() == 0, decision.response.error_message());
  const LogIndex index = Append(decision.batch);
  ControllerCore::FillEpoch(index, decision.response);
  broker.epoch = BrokerEpoch(decision.response.broker_epoch());
  granted_.emplace_back(broker.epoch, broker.id.value());
  if (newest_ != nullptr) broker.unheard = {newest_};
}

void SmallWorld::Heartbeat(const Broker& broker) {
  message::BrokerHeartbeat request;
  request.set_broker_id(broker.id.value());
  request.set_broker_epoch(broker.epoch.value());
  request.set_metadata_index(static_cast<uint64_t>(broker.epoch.value()));
  Append(ChangeController().Heartbeat(request, kStart).batch);
}

void SmallWorld::Fence(const Broker& broker) {
  Append(controller_->FenceBroker(broker.id, image().FindBroker(broker.id)->epoch));
}

Decision<message::AlterPartitionsResponse> SmallWorld::Ask(const Proposal& asked) const {
  message::AlterPartitions request;
  request.set_broker_id(asked.by.value());
  request.set_broker_epoch(asked.epoch.value());
  message::IsrChange* change = request.add_changes();
  change->set_partition_uid(asked.proposal.uid.value());
  change->set_leader_epoch(asked.proposal.leader_epoch.value());
  change->set_partition_epoch(asked.proposal.partition_epoch.value());
  for (const auto& [member, epoch] : asked.proposal.new_isr) {
    message::IsrMember* added = change->add_new_isr();
    added->set_broker_id(member.value());
    added->set_broker_epoch(epoch.value());
  }
  return controller_->AlterPartitions(request);
}

void SmallWorld::Decide(Broker& broker) {
  const Proposal asked = std::move(broker.proposals.front());
  broker.proposals.erase(broker.proposals.begin());
  const auto decision = Ask(asked);
  Append(decision.batch);
  TellImages();
  if (!broker.up || asked.epoch != broker.epoch) return;  // nobody waits any more
  int32_t error = decision.response.error_code() != 0 ? decision.response.error_code()
                                                      : decision.response.results(0).error_code();
  if (broker.deaf) error = static_cast<int32_t>(ErrorCode::kRequestTimedOut);
  AnswerIsrResult(broker, asked.proposal.partition_epoch, static_cast<ErrorCode>(error));
}

void SmallWorld::DropStaleProposals() {
  const auto stale = [&](const Proposal& asked) {
    const bool old = asked.proposal.partition_epoch < newest_->partition_epoch ||
                     image().FindBroker(asked.by)->epoch != asked.epoch;
    return old && Ask(asked).batch.records_size() == 0;
  };
  for (int id = 1; id <= kBrokers; ++id) {
    const std::vector<Proposal>& proposals = At(id).proposals;
    if (std::none_of(proposals.begin(), proposals.end(), stale)) continue;
    std::erase_if(Change(id).proposals, stale);
  }
}

}  // namespace quipu::explore
