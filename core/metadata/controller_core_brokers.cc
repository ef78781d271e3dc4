// What brokers ask of the controller.
#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/isr_change.h"
#include "core/metadata/partition_changes.h"

namespace quipu {
namespace {

constexpr size_t kTextBytesMax = 255;  // host names, racks, versions

bool IsEndpoint(const record::Endpoint& endpoint) {
  return !endpoint.host().empty() && endpoint.host().size() <= kTextBytesMax &&
         endpoint.port() >= 1 && endpoint.port() <= 65535;
}

TopicRefusal Malformed(absl::string_view what) {
  return {ErrorCode::kInvalidRequest, absl::StrCat("broker registration: ", what)};
}

TopicRefusal CheckForm(const message::RegisterBroker& request) {
  if (request.broker_id() < 0) return Malformed("the broker id is negative");
  const std::optional<Uuid> directory = Uuid::FromBytes(request.directory_id());
  if (!directory.has_value() || directory->IsZero()) return Malformed("no directory id");
  const std::optional<Uuid> incarnation = Uuid::FromBytes(request.incarnation_id());
  if (!incarnation.has_value() || incarnation->IsZero()) return Malformed("no incarnation id");
  if (!IsEndpoint(request.client_endpoint())) return Malformed("client endpoint: no host or port");
  if (!IsEndpoint(request.peer_endpoint())) return Malformed("peer endpoint: no host or port");
  if (request.has_kafka_endpoint() && !IsEndpoint(request.kafka_endpoint())) {
    return Malformed("kafka endpoint: no host or port");
  }
  if (request.rack().size() > kTextBytesMax) return Malformed("the rack's name is too long");
  if (request.version().size() > kTextBytesMax) return Malformed("the version is too long");
  return {};
}

bool IsSameProcess(const message::RegisterBroker& request, const BrokerImage& known) {
  return known.incarnation_id.ToBytes() == request.incarnation_id() &&
         known.directory_id.ToBytes() == request.directory_id();
}

}  // namespace

ErrorCode ControllerCore::CheckBroker(int32_t broker_id, int64_t broker_epoch) const {
  const BrokerImage* broker = image_.FindBroker(BrokerId(broker_id));
  if (broker == nullptr) return ErrorCode::kBrokerIdNotRegistered;
  return broker->epoch == BrokerEpoch(broker_epoch) ? ErrorCode::kNone
                                                    : ErrorCode::kStaleBrokerEpoch;
}

// A known broker id. Whoever comes with another log than the one that was last heard may register,
// but not stay eligible (UncleanReason); refused is only what would be two brokers under one id, or
// an epoch from nowhere.
TopicRefusal ControllerCore::CheckKnownDirectory(const message::RegisterBroker& request,
                                                 const BrokerImage& known, Instant now) const {
  const DirectoryId directory = *Uuid::FromBytes(request.directory_id());
  const std::string name = absl::StrCat("broker ", known.id.value());
  if (directory != known.directory_id && liveness_.IsLive(known.id, now)) {
    return {ErrorCode::kDuplicateBrokerRegistration,
            absl::StrCat(name, " is known with directory ", known.directory_id.ToText(), ", not ",
                         directory.ToText(),
                         ", and its session is alive: another process uses this broker id, or did "
                         "until a moment ago")};
  }
  const BrokerEpoch claimed(request.last_broker_epoch());
  if (claimed > known.epoch) {
    return {ErrorCode::kUnprovenDirectory,
            absl::StrCat("the data directory of ", name, " knows broker epoch ", claimed.value(),
                         ", which these controllers never granted: were their directories "
                         "replaced? Start them with their former directories")};
  }
  return {};
}

BrokerEpoch ControllerCore::HeardEpoch(const BrokerImage& broker) const {
  return std::max(broker.heard_epoch, liveness_.HeardEpoch(broker.id));
}

// Only the directory that holds the broker's log, at least as new as when it was last heard, may
// keep what the broker was eligible for. Anything else would put an incomplete log into ISR or ELR
// (R13, S14, S15).
std::string ControllerCore::UncleanReason(const message::RegisterBroker& request,
                                          const BrokerImage& known) const {
  if (request.unclean() && !IsPlanted(PlantedBug::kUncleanRegistersClean)) {
    return "the broker cannot show that its log is complete";
  }
  const DirectoryId directory = *Uuid::FromBytes(request.directory_id());
  if (directory != known.directory_id) {
    if (IsPlanted(PlantedBug::kEmptyDiskRegistersClean)) return "";
    return absl::StrCat("its data directory is ", directory.ToText(), ", formerly ",
                        known.directory_id.ToText());
  }
  const BrokerEpoch claimed(request.last_broker_epoch());
  const BrokerEpoch heard = HeardEpoch(known);
  if (claimed < heard && !IsPlanted(PlantedBug::kRolledBackRegistersClean)) {
    return absl::StrCat("its data directory knows broker epoch ", claimed.value(),
                        ", but the broker was heard under epoch ", heard.value(),
                        ": the disk was rolled back");
  }
  return "";
}

TopicRefusal ControllerCore::CheckRegistration(const message::RegisterBroker& request,
                                               Instant now) const {
  if (request.cluster_id() != options_.cluster_id.ToBytes()) {
    return {ErrorCode::kInconsistentClusterId,
            absl::StrCat("this is cluster ", options_.cluster_id.ToText(),
                         "; the broker's directory was formatted for another one: start the broker "
                         "with that cluster's controllers, or with a directory of this cluster")};
  }
  TopicRefusal form = CheckForm(request);
  if (!form.ok()) return form;
  const BrokerId id(request.broker_id());
  for (const auto& [other, broker] : image_.brokers()) {
    if (other != id && broker.directory_id.ToBytes() == request.directory_id()) {
      return {ErrorCode::kDuplicateBrokerRegistration,
              absl::StrCat("directory ", broker.directory_id.ToText(), " belongs to broker ",
                           other.value(), ": a copied directory is not a broker of its own")};
    }
  }
  const BrokerImage* known = image_.FindBroker(id);
  if (known != nullptr) return CheckKnownDirectory(request, *known, now);
  if (request.last_broker_epoch() > 0) {
    return {ErrorCode::kUnprovenDirectory,
            absl::StrCat("the data directory of broker ", id.value(), " knows broker epoch ",
                         request.last_broker_epoch(),
                         ", but these controllers do not know the broker: were their directories "
                         "replaced? Start them with their former directories, or format an empty "
                         "directory for the broker")};
  }
  if (static_cast<int32_t>(image_.brokers().size()) >= options_.brokers_max) {
    return {ErrorCode::kLimitReached, absl::StrCat("quipu.brokers.max is ", options_.brokers_max)};
  }
  return {};
}

Decision<message::RegisterBrokerResponse> ControllerCore::Register(
    const message::RegisterBroker& request, Instant now) const {
  QUIPU_CHECK(active_);
  Decision<message::RegisterBrokerResponse> out;
  const TopicRefusal refusal = CheckRegistration(request, now);
  out.response.set_error_code(static_cast<int32_t>(refusal.error));
  out.response.set_error_message(refusal.message);
  if (!refusal.ok()) return out;
  out.response.set_heartbeat_interval_ms(
      static_cast<int32_t>(ToMillis(options_.heartbeat_interval)));
  out.response.set_session_timeout_ms(static_cast<int32_t>(ToMillis(options_.session_timeout)));
  const BrokerImage* known = image_.FindBroker(BrokerId(request.broker_id()));
  if (known != nullptr && IsSameProcess(request, *known)) {
    // The answer was lost on its way and the same process asks again: nothing was restarted.
    out.response.set_broker_epoch(known->epoch.value());
    if (known->unclean) out.response.set_unclean_reason("it has registered as unclean");
    return out;
  }
  record::BrokerRegistered* record = out.batch.add_records()->mutable_broker_registered();
  record->set_broker_id(request.broker_id());
  record->set_directory_id(request.directory_id());
  record->set_incarnation_id(request.incarnation_id());
  *record->mutable_client_endpoint() = request.client_endpoint();
  *record->mutable_peer_endpoint() = request.peer_endpoint();
  if (request.has_kafka_endpoint()) {
    *record->mutable_kafka_endpoint() = request.kafka_endpoint();
  }
  record->set_rack(request.rack());
  record->set_version(request.version());
  record->set_fenced(true);
  if (known != nullptr && known->drain == record::DRAIN_MAINTENANCE) {
    record->set_drain(known->drain);
  }
  if (known == nullptr) {
    record->set_unclean(request.unclean());
    return out;
  }
  const BrokerEpoch heard = HeardEpoch(*known);
  if (heard != kNoBrokerEpoch) record->set_heard_broker_epoch(heard.value());
  if (IsPlanted(PlantedBug::kSameEpochAfterRestart) && !known->fenced) {
    record->set_fenced(false);
    return out;
  }
  const std::string unclean = UncleanReason(request, *known);
  record->set_unclean(!unclean.empty());
  out.response.set_unclean_reason(unclean);
  RemoveFromIsrs(known->id, /*lost=*/!unclean.empty(), out.batch);
  return out;
}

void ControllerCore::FillEpoch(LogIndex index, message::RegisterBrokerResponse& response) {
  if (response.error_code() == 0 && response.broker_epoch() == 0) {
    response.set_broker_epoch(static_cast<int64_t>(index.value()));
  }
}

Decision<message::BrokerHeartbeatResponse> ControllerCore::Heartbeat(
    const message::BrokerHeartbeat& request, Instant now) {
  QUIPU_CHECK(active_);
  Decision<message::BrokerHeartbeatResponse> out;
  const ErrorCode error = CheckBroker(request.broker_id(), request.broker_epoch());
  out.response.set_error_code(static_cast<int32_t>(error));
  if (error != ErrorCode::kNone) {
    out.response.set_fenced(true);
    return out;
  }
  const BrokerImage& broker = *image_.FindBroker(BrokerId(request.broker_id()));
  liveness_.Touch(broker.id, broker.epoch, now);
  const bool caught_up = request.metadata_index() >= static_cast<uint64_t>(broker.epoch.value());
  // One that stops takes no part any more, unless the ISRs need it until others have caught up.
  const bool held_up =
      request.want_shutdown() && !broker.in_controlled_shutdown && IsHeldUp(broker.id);
  const bool shutting_down = broker.in_controlled_shutdown || (request.want_shutdown() && !held_up);
  const bool unfence = broker.fenced && caught_up && !shutting_down && !request.want_shutdown();
  const bool begin_drain = held_up && !broker.draining();
  const bool begin_shutdown = shutting_down && !broker.in_controlled_shutdown;
  const bool stall_begins = request.disk_stalled() && !broker.disk_stalled;
  const bool stall_ends = !request.disk_stalled() && broker.disk_stalled;
  if (unfence || begin_drain || begin_shutdown || stall_begins || stall_ends) {
    record::BrokerFencing* fencing = out.batch.add_records()->mutable_broker_fencing();
    CopyFencing(broker, *fencing);
    fencing->set_fenced(broker.fenced && !unfence);
    fencing->set_in_controlled_shutdown(shutting_down);
    fencing->set_disk_stalled(request.disk_stalled());
    if (begin_drain) fencing->set_drain(record::DRAIN_SHUTDOWN);
    if (unfence) ElectOnReturn(broker.id, out.batch);
    if (begin_shutdown) {
      RemoveFromIsrs(broker.id, /*lost=*/false, out.batch);
    } else if (stall_begins) {
      ShedLeaders(broker.id, out.batch);
    } else if (begin_drain) {
      ShedDraining(broker.id, out.batch);
    }
  }
  out.response.set_fenced(broker.fenced && !unfence);
  // A broker in controlled shutdown is in no ISR, so it leads nothing (I31).
  out.response.set_may_shut_down(shutting_down);
  out.response.set_shall_stop(broker.drain == record::DRAIN_STOP &&
                              (!IsInAnIsr(broker.id) || IsPlanted(PlantedBug::kToldToStopInIsr)));
  return out;
}

Decision<message::AlterPartitionsResponse> ControllerCore::AlterPartitions(
    const message::AlterPartitions& request) const {
  QUIPU_CHECK(active_);
  Decision<message::AlterPartitionsResponse> out;
  const ErrorCode error = CheckBroker(request.broker_id(), request.broker_epoch());
  out.response.set_error_code(static_cast<int32_t>(error));
  if (error != ErrorCode::kNone) return out;
  const LeaderSelector selector(image_);
  absl::btree_set<PartitionUid> seen;
  for (const message::IsrChange& change : request.changes()) {
    const PartitionUid uid(change.partition_uid());
    const PartitionImage* partition = image_.FindPartition(uid);
    ErrorCode refusal =
        CheckIsrChange(image_, selector, partition, BrokerId(request.broker_id()), change);
    // A second change in one request cannot know the epoch that the first one makes.
    if (refusal == ErrorCode::kNone && !seen.insert(uid).second) {
      refusal = ErrorCode::kInvalidUpdateVersion;
    }
    message::IsrChangeResult* result = out.response.add_results();
    result->set_partition_uid(uid.value());
    result->set_error_code(static_cast<int32_t>(refusal));
    if (partition != nullptr) result->set_partition_epoch(partition->partition_epoch.value());
    if (refusal != ErrorCode::kNone) continue;
    std::vector<BrokerId> isr;
    for (const BrokerId replica : partition->replicas) {
      const bool member = std::any_of(
          change.new_isr().begin(), change.new_isr().end(),
          [&](const message::IsrMember& m) { return BrokerId(m.broker_id()) == replica; });
      if (member) isr.push_back(replica);
    }
    std::optional<record::PartitionChange> record =
        ChangeIsr(*partition, isr, MinIsr(*partition), selector);
    if (!record.has_value()) continue;  // it is so already
    result->set_partition_epoch((partition->partition_epoch + 1).value());
    *out.batch.add_records()->mutable_partition_change() = *std::move(record);
  }
  return out;
}

Decision<message::AllocateProducerIdsResponse> ControllerCore::AllocateProducerIds(
    const message::AllocateProducerIds& request) const {
  QUIPU_CHECK(active_);
  Decision<message::AllocateProducerIdsResponse> out;
  ErrorCode error = CheckBroker(request.broker_id(), request.broker_epoch());
  const int64_t first = image_.next_producer_id().value();
  if (error == ErrorCode::kNone &&
      first > std::numeric_limits<int64_t>::max() - options_.producer_id_block) {
    error = ErrorCode::kLimitReached;
  }
  out.response.set_error_code(static_cast<int32_t>(error));
  if (error != ErrorCode::kNone) return out;
  record::ProducerIdsGranted* grant = out.batch.add_records()->mutable_producer_ids_granted();
  grant->set_broker_id(request.broker_id());
  grant->set_broker_epoch(request.broker_epoch());
  grant->set_next_producer_id(first + options_.producer_id_block);
  out.response.set_first(first);
  out.response.set_count(options_.producer_id_block);
  return out;
}

}  // namespace quipu
