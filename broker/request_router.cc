#include "broker/request_router.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/metadata/topic_config.h"

namespace quipu {
namespace {

// A wait or time-out that a client may ask for.
constexpr int32_t kWaitMsMax = 600000;

Duration Millis(int32_t ms) { return std::chrono::milliseconds(std::clamp(ms, 0, kWaitMsMax)); }

}  // namespace

void RequestRouter::Post(size_t shard, std::function<void(BrokerShard&)> work) const {
  ports_.shard_executor(shard).Post([target = shards_->at(shard), work = std::move(work)] {
    if (const auto alive = target.lock()) work(*alive);
  });
}

RequestRouter::Target RequestRouter::Resolve(const MetadataImage* image, TopicId topic,
                                             PartitionIndex partition) {
  if (image == nullptr)
    return {.error = ErrorCode::kLeaderNotAvailable, .uid = {}, .internal = false};
  const TopicImage* found = image->FindTopic(topic);
  if (found == nullptr) return {.error = ErrorCode::kUnknownTopicId, .uid = {}, .internal = false};
  const auto index = static_cast<size_t>(partition.value());
  if (partition.value() < 0 || index >= found->partitions.size()) {
    return {.error = ErrorCode::kUnknownTopicOrPartition, .uid = {}, .internal = false};
  }
  return {.error = ErrorCode::kNone,
          .uid = found->partitions[index],
          .internal = IsInternalTopic(found->name)};
}

// ---- produce ----

ErrorCode RequestRouter::RefuseProduce(const ProduceRequest& request, size_t bytes) {
  if (shared_->closing.load(std::memory_order_relaxed)) return ErrorCode::kBrokerShuttingDown;
  if (request.acks < -1 || request.acks > 1) return ErrorCode::kInvalidRequiredAcks;
  if (shared_->disk_full.load(std::memory_order_relaxed)) return ErrorCode::kDiskFull;
  const size_t before = shared_->in_flight_bytes.fetch_add(bytes, std::memory_order_relaxed);
  if (before > 0 && before + bytes > shared_->in_flight_bytes_max.load(std::memory_order_relaxed)) {
    shared_->in_flight_bytes.fetch_sub(bytes, std::memory_order_relaxed);
    return ErrorCode::kTooManyInFlightBytes;
  }
  return ErrorCode::kNone;
}

void RequestRouter::Produce(ProduceRequest request, ReplyFn<ProduceResponse> reply) {
  size_t bytes = 0;
  for (const ProducePartition& partition : request.partitions) bytes += partition.records.size();
  const ErrorCode refusal = RefuseProduce(request, bytes);
  const Instant arrived = ports_.control_executor().GetNow().mono;
  const MetadataImagePtr image = shared_->image();

  ProduceResponse response;
  response.request_id = request.request_id;
  response.partitions.resize(request.partitions.size());
  absl::btree_map<size_t, std::vector<ProducePart>> by_shard;
  std::optional<size_t> home;
  size_t pending = 0;
  for (size_t i = 0; i < request.partitions.size(); ++i) {
    ProducePartition& wanted = request.partitions[i];
    ProducePartitionResult& result = response.partitions[i];
    result.topic_id = wanted.topic_id;
    result.partition = wanted.partition;
    const Target target = Resolve(image.get(), wanted.topic_id, wanted.partition);
    result.error = refusal != ErrorCode::kNone ? refusal : target.error;
    // Only coordinators write to the cluster's own topics.
    if (target.internal) result.error = ErrorCode::kInvalidTopic;
    if (result.error != ErrorCode::kNone) continue;
    const size_t shard = ShardOf(target.uid);
    if (!home) home = shard;
    ++pending;
    by_shard[shard].push_back({.slot = i,
                               .uid = target.uid,
                               .input = {.acks = request.acks,
                                         .timeout = Millis(request.timeout_ms),
                                         .leader_epoch = wanted.leader_epoch,
                                         .records = std::move(wanted.records)},
                               .arrived = arrived});
  }
  const size_t reserved = refusal == ErrorCode::kNone ? bytes : 0;
  auto finish = [shared = shared_, reserved, reply = std::move(reply)](ProduceResponse answer) {
    shared->in_flight_bytes.fetch_sub(reserved, std::memory_order_relaxed);
    reply(std::move(answer));
  };
  if (pending == 0) {
    ports_.control_executor().Post([finish, response] { finish(response); });
    return;
  }
  auto store = [](ProduceResponse& all, size_t slot, ProducePartitionResult part) {
    part.topic_id = all.partitions[slot].topic_id;
    part.partition = all.partitions[slot].partition;
    all.partitions[slot] = std::move(part);
  };
  auto join = std::make_shared<ProduceJoin>(ports_.shard_executor(*home), *home,
                                            std::move(response), pending, store, finish);
  for (auto& [shard, parts] : by_shard) {
    auto shared_parts = std::make_shared<std::vector<ProducePart>>(std::move(parts));
    Post(shard,
         [join, shared_parts](BrokerShard& at) { at.Produce(std::move(*shared_parts), join); });
  }
}

// ---- fetch ----

ErrorCode RequestRouter::RefuseFetch(size_t partitions) {
  std::atomic<size_t>& under_way = shared_->fetch_partitions;
  const size_t before = under_way.fetch_add(partitions, std::memory_order_relaxed);
  if (before == 0 || before + partitions <= config_->fetch_partitions_max) return ErrorCode::kNone;
  under_way.fetch_sub(partitions, std::memory_order_relaxed);
  return ErrorCode::kLimitReached;
}

void RequestRouter::Fetch(FetchRequest request, ReplyFn<FetchResponse> reply) {
  const size_t partitions = request.partitions.size();
  if (const ErrorCode refusal = RefuseFetch(partitions); refusal != ErrorCode::kNone) {
    ports_.control_executor().Post(
        [reply = std::move(reply), request_id = request.request_id, refusal] {
          reply({.request_id = request_id, .error = refusal, .partitions = {}});
        });
    return;
  }
  const MetadataImagePtr image = shared_->image();
  auto job = std::make_shared<FetchJob>();
  job->bytes_max =
      std::min(static_cast<size_t>(std::max(request.max_bytes, 1)), config_->fetch_bytes_max);
  // More than an answer carries is not waited for.
  job->min_bytes =
      std::min(static_cast<uint64_t>(std::max(request.min_bytes, 0)), uint64_t{job->bytes_max});
  job->wait_max = Millis(request.max_wait_ms);
  job->response.request_id = request.request_id;
  job->reply = [shared = shared_, partitions, reply = std::move(reply)](FetchResponse response) {
    shared->fetch_partitions.fetch_sub(partitions, std::memory_order_relaxed);
    reply(std::move(response));
  };
  const bool closing = shared_->closing.load(std::memory_order_relaxed);
  size_t home = 0;
  bool home_known = false;
  absl::flat_hash_set<PartitionUid> named;
  for (const FetchPartition& wanted : request.partitions) {
    FetchPartitionResult result;
    result.topic_id = wanted.topic_id;
    result.partition = wanted.partition;
    const Target target = Resolve(image.get(), wanted.topic_id, wanted.partition);
    result.error = closing ? ErrorCode::kBrokerShuttingDown : target.error;
    // Each reads, waits and is told of what comes: one partition does so once.
    if (result.error == ErrorCode::kNone && !named.insert(target.uid).second) {
      result.error = ErrorCode::kInvalidRequest;
      result.error_message = "the request names this partition more than once";
    }
    FetchJob::Slot slot{.uid = target.uid,
                        .shard = ShardOf(target.uid),
                        .input = {.fetch_offset = wanted.fetch_offset,
                                  .leader_epoch = wanted.leader_epoch,
                                  .last_fetched_epoch = wanted.last_fetched_epoch},
                        .bytes_max = static_cast<size_t>(std::max(wanted.max_bytes, 1)),
                        .resolved = result.error == ErrorCode::kNone};
    if (slot.resolved && !home_known) {
      home = slot.shard;
      home_known = true;
    }
    job->slots.push_back(slot);
    job->response.partitions.push_back(std::move(result));
  }
  Post(home, [job](BrokerShard& at) { at.StartFetch(std::move(*job)); });
}

// ---- questions about offsets ----

template <typename Q, typename Request, typename Response, typename Run>
void RequestRouter::RouteQuery(const Request& request, ReplyFn<Response> reply, Run run) {
  const MetadataImagePtr image = shared_->image();
  const bool closing = shared_->closing.load(std::memory_order_relaxed);
  Response response;
  absl::btree_map<size_t, typename Q::Items> by_shard;
  std::optional<size_t> home;
  size_t pending = 0;
  for (int i = 0; i < request.partitions_size(); ++i) {
    const auto& wanted = request.partitions(i);
    auto* result = response.add_partitions();
    result->set_topic_id(wanted.topic_id());
    result->set_partition(wanted.partition());
    const std::optional<Uuid> topic = Uuid::FromBytes(wanted.topic_id());
    Target target{.error = ErrorCode::kUnknownTopicId, .uid = {}, .internal = false};
    if (topic) target = Resolve(image.get(), *topic, PartitionIndex(wanted.partition()));
    if (closing) target.error = ErrorCode::kBrokerShuttingDown;
    result->set_error_code(static_cast<int32_t>(target.error));
    if (target.error != ErrorCode::kNone) continue;
    const size_t shard = ShardOf(target.uid);
    if (!home) home = shard;
    ++pending;
    by_shard[shard].push_back(
        {.slot = static_cast<size_t>(i), .uid = target.uid, .request = wanted});
  }
  if (pending == 0) {
    ports_.control_executor().Post([reply, response] { reply(response); });
    return;
  }
  auto join = std::make_shared<typename Q::JoinType>(
      ports_.shard_executor(*home), *home, std::move(response), pending,
      &StorePartition<Response, typename Q::Part>, std::move(reply));
  for (auto& [shard, items] : by_shard) {
    Post(shard, [join, asked = std::move(items), run](BrokerShard& at) { run(at, asked, join); });
  }
}

void RequestRouter::ListOffsets(const message::ListOffsetsRequest& request,
                                ReplyFn<message::ListOffsetsResponse> reply) {
  RouteQuery<ListOffsetsQuery>(
      request, std::move(reply),
      [](BrokerShard& at, const ListOffsetsQuery::Items& items,
         const ListOffsetsQuery::JoinPtr& join) { at.queries().ListOffsets(items, join); });
}

void RequestRouter::EpochEndOffsets(const message::EpochEndOffsetsRequest& request,
                                    ReplyFn<message::EpochEndOffsetsResponse> reply) {
  RouteQuery<EpochEndQuery>(
      request, std::move(reply),
      [](BrokerShard& at, const EpochEndQuery::Items& items, const EpochEndQuery::JoinPtr& join) {
        at.queries().EpochEndOffsets(items, join);
      });
}

void RequestRouter::DeleteRecords(const message::DeleteRecordsRequest& request,
                                  ReplyFn<message::DeleteRecordsResponse> reply) {
  RouteQuery<DeleteRecordsQuery>(
      request, std::move(reply),
      [](BrokerShard& at, const DeleteRecordsQuery::Items& items,
         const DeleteRecordsQuery::JoinPtr& join) { at.DeleteRecords(items, join); });
}

// Fills in what each replica takes, which reads the store, and goes on to `reply`.
ReplyFn<message::DescribePartitionsResponse> RequestRouter::MeasuringLogs(
    ReplyFn<message::DescribePartitionsResponse> reply) {
  return [this, image = shared_->image(),
          reply = std::move(reply)](message::DescribePartitionsResponse described) {
    ports_.RunColdRead([this, image, reply, described = std::move(described)]() mutable {
      const LogStore& logs = ports_.log_store();
      for (auto& partition : *described.mutable_partitions()) {
        const PartitionImage* known =
            image->FindPartition(Uuid::FromBytes(partition.topic_id()).value_or(Uuid()),
                                 PartitionIndex(partition.partition()));
        if (known == nullptr) continue;
        const std::optional<LogId> log = logs.FindLog(known->uid);
        if (log) partition.set_log_bytes(logs.ApproximateBytes(*log));
      }
      ports_.shard_executor(0).Post(
          [reply, described = std::move(described)] { reply(described); });
    });
  };
}

void RequestRouter::Describe(const message::DescribePartitionsRequest& request,
                             ReplyFn<message::DescribePartitionsResponse> reply) {
  DescribeScope scope;
  for (const std::string& bytes : request.topic_ids()) {
    // An id that is none is an unknown topic: it asks for nothing, not for everything.
    scope.topics.push_back(Uuid::FromBytes(bytes).value_or(Uuid()));
  }
  scope.producers_max = std::min(static_cast<size_t>(std::max(request.producers_max(), 0)),
                                 DescribeScope::kProducersMax);
  scope.with_load = request.with_load();
  const bool measures = request.with_log_bytes() && shared_->image() != nullptr;
  if (measures) reply = MeasuringLogs(std::move(reply));
  auto store = [](message::DescribePartitionsResponse& all, size_t /*slot*/,
                  message::DescribePartitionsResponse part) { all.MergeFrom(part); };
  auto join = std::make_shared<DescribeJoin>(ports_.shard_executor(0), 0,
                                             message::DescribePartitionsResponse(),
                                             config_->num_shards, store, std::move(reply));
  for (size_t shard = 0; shard < config_->num_shards; ++shard) {
    Post(shard, [join, scope](BrokerShard& at) { at.queries().Describe(scope, join); });
  }
}

}  // namespace quipu
