#include "tests/simulation/classic/sim_classic.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "broker/group/group_partition.h"
#include "broker/shard/assignment.h"
#include "core/record/record_batch.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

constexpr Duration kFetchTimeout = std::chrono::seconds(3);
constexpr int32_t kFetchBytes = 20000;

}  // namespace

SimClassic::SimClassic(const Ports& ports, int number, ClassicOptions options)
    : ports_(ports), number_(number), options_(std::move(options)) {}

std::unique_ptr<SimClassic> SimClassic::MakeDuplicate(int number) const {
  return std::make_unique<SimClassic>(ports_, number, options_);
}

std::optional<Offset> SimClassic::Position(int32_t index) const {
  const auto reading = readings_.find(index);
  return reading == readings_.end() ? std::nullopt : std::optional(reading->second.next.offset);
}

void SimClassic::Start() {
  QUIPU_CHECK(!running());
  process_ =
      std::make_shared<Process>(ports_.cluster.world(), "classic-" + std::to_string(number_));
  reader_ = ports_.history.NewReader();
  session_ = std::make_unique<ClassicSession>(options_);
  Turn([](Instant, ClassicEffects&) {});
  ReadLater();
}

void SimClassic::Crash() {
  if (!running()) return;
  process_->Kill();
  ports_.cluster.network().BreakNode(node());
  session_.reset();
  readings_.clear();
  timer_at_.reset();
  ending_ = false;
}

void SimClassic::Leave() {
  if (!running()) return;
  const bool by_instance =
      !options_.instance_id.empty() && ports_.cluster.world().rng().Chance(1, 2);
  const ClassicLeaveRequest request = session_->MakeLeave(by_instance);
  const BrokerId coordinator = session_->coordinator();
  Crash();
  const bool says_so = by_instance || !request.members[0].member_id.empty();
  if (coordinator == kNoBroker || !says_so) return;
  // Whoever has gone hears no answer.
  ports_.cluster.Call<ClassicLeaveRequest, ClassicLeaveAnswer>(
      node(), process_, coordinator, request, &BrokerNode::LeaveGroup,
      [](const ClassicLeaveAnswer&) {}, [] {});
}

void SimClassic::Rejoin() {
  if (!running()) return;
  session_->Rejoin();
  Turn([](Instant, ClassicEffects&) {});
}

// ---- membership ------------------------------------------------------------------------------

void SimClassic::Turn(const std::function<void(Instant, ClassicEffects&)>& input) {
  const Instant now = ports_.cluster.world().now();
  ClassicEffects effects;
  input(now, effects);
  bool again = true;
  while (again) {
    session_->Pump(now, effects);
    again = effects.last_commit;
    if (again && session_->MayCommit()) Commit(effects);
    Carry(effects);
    effects = ClassicEffects();
  }
  ScheduleTimer();
  EndWhenTold();
}

void SimClassic::Carry(ClassicEffects& effects) {
  for (const int32_t index : effects.stopped) {
    readings_.erase(index);
    if (ports_.say) Say("stops index " + std::to_string(index));
  }
  for (const auto& [index, start] : effects.started) Begin(index, start);
  for (const ClassicCall& call : effects.calls) Send(call);
}

void SimClassic::Begin(int32_t index, const OffsetAndMetadata& start) {
  const bool is_first = start.offset == kNoOffset;
  ports_.group.OnAssigned(PartitionOf(index), start.offset, known_at_read_.committed);
  if (ports_.say) Say("reads index " + std::to_string(index) + " from " + start.offset.ToString());
  Reading& reading = readings_[index] = Reading{.next = start};
  reading.resets = is_first;
  if (is_first) reading.next.offset = Offset(0);
  ports_.history.OnAssigned(reader_, PartitionIndex(index), reading.next.offset);
}

void SimClassic::ScheduleTimer() {
  const std::optional<Instant> deadline = session_->NextDeadline();
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  World& world = ports_.cluster.world();
  // A deadline that has passed already must not stop the time.
  const Instant at = std::max(*deadline, world.now() + std::chrono::milliseconds(1));
  timer_at_ = at;
  world.At(at, process_, "classic-timer", [this, at] {
    if (timer_at_ != at) return;
    timer_at_.reset();
    Turn([](Instant, ClassicEffects&) {});
  });
}

void SimClassic::EndWhenTold() {
  if (ending_ || session_->phase() != ClassicSession::Phase::kEnded) return;
  ending_ = true;
  const ErrorCode error = session_->ended();
  const bool expected =
      error == ErrorCode::kFencedInstanceId || error == ErrorCode::kInconsistentGroupProtocol;
  Require(expected, "I57", [&] {
    return "a member of a classic group was told " + std::string(ErrorDescription(error));
  });
  if (error == ErrorCode::kFencedInstanceId) ports_.group.OnFenced();
  World& world = ports_.cluster.world();
  world.After(std::chrono::milliseconds(1), nullptr, "ended", [this, life = process_] {
    if (process_ != life) return;
    Crash();
    on_ended();
  });
}

bool SimClassic::IsElected(BrokerId broker) const {
  const MetadataImagePtr& image = ports_.partitions.image();
  const TopicImage* topic = image->FindTopicByName(kOffsetsTopic);
  if (topic == nullptr) return false;
  const PartitionIndex index = GroupPartition(options_.group_id, topic->partitions.size());
  const PartitionUid uid = topic->partitions[static_cast<size_t>(index.value())];
  return image->FindPartition(uid)->leader == broker;
}

template <typename Request, typename Response>
void SimClassic::SendTyped(const ClassicCall& call, const Request& request,
                           void (BrokerNode::*method)(Request, ReplyFn<Response>)) {
  World& world = ports_.cluster.world();
  const Known known{.group = ports_.classic.Ask(),
                    .committed = ports_.group.committed(),
                    .is_elected = IsElected(call.broker)};
  const BrokerId any(static_cast<int32_t>(
      world.rng().Between(1, static_cast<int64_t>(ports_.cluster.brokers().size()))));
  const auto handle = ports_.cluster.Call<Request, Response>(
      node(), process_, call.broker == kNoBroker ? any : call.broker, request, method,
      [this, call, known](Response response) {
        OnAnswer(call, known, ClassicResponse(std::move(response)));
      },
      [this, id = call.id] {
        Turn([&](Instant now, ClassicEffects&) { session_->OnFailed(now, id); });
      });
  // Who waits no longer closes the connection: what has not arrived by then never does.
  world.After(call.timeout, process_, "call-timeout", [handle] { handle->Break(); });
}

void SimClassic::Send(const ClassicCall& call) {
  if (const auto* find = std::get_if<message::FindCoordinatorRequest>(&call.request)) {
    SendTyped(call, *find, &BrokerNode::FindCoordinator);
  } else if (const auto* join = std::get_if<ClassicJoinRequest>(&call.request)) {
    const Indices holds = options_.cooperative ? session_->owned() : Indices();
    ports_.group.ownership().OnClassicSaid(options_.group_id, join->member_id, PartitionsOf(holds));
    SendTyped(call, *join, &BrokerNode::JoinGroup);
  } else if (const auto* sync = std::get_if<ClassicSyncRequest>(&call.request)) {
    ports_.classic.OnSyncSaid(*sync);
    SendTyped(call, *sync, &BrokerNode::SyncGroup);
  } else if (const auto* beat = std::get_if<ClassicHeartbeatRequest>(&call.request)) {
    SendTyped(call, *beat, &BrokerNode::ClassicHeartbeat);
  } else if (const auto* read = std::get_if<message::OffsetFetchRequest>(&call.request)) {
    known_at_read_ = {.group = ports_.classic.Ask(), .committed = ports_.group.committed()};
    SendTyped(call, *read, &BrokerNode::OffsetFetch);
  } else {
    SendTyped(call, std::get<message::OffsetCommitRequest>(call.request),
              &BrokerNode::OffsetCommit);
  }
}

void SimClassic::OnAnswer(const ClassicCall& call, const Known& known,
                          const ClassicResponse& response) {
  if (const auto* joined = std::get_if<ClassicJoinAnswer>(&response)) {
    ports_.classic.OnJoined(known.group, known.is_elected, *joined);
  } else if (const auto* synced = std::get_if<ClassicSyncAnswer>(&response)) {
    const auto& sync = std::get<ClassicSyncRequest>(call.request);
    ports_.classic.OnSynced(known.group, sync, *synced);
    const auto given = DecodeAssignment(synced->assignment);
    if (synced->error == ErrorCode::kNone && given) {
      ports_.group.ownership().OnClassicTold(sync.group_id, sync.member_id, PartitionsOf(*given));
    }
  } else if (const auto* committed = std::get_if<message::OffsetCommitResponse>(&response)) {
    PartitionOffsets offsets;
    auto error = static_cast<ErrorCode>(committed->error_code());
    for (const auto& partition : committed->partitions()) {
      if (partition.error_code() != 0) error = static_cast<ErrorCode>(partition.error_code());
    }
    for (const auto& partition :
         std::get<message::OffsetCommitRequest>(call.request).partitions()) {
      offsets.emplace_back(PartitionOf(partition.partition()),
                           OffsetAndMetadata{.offset = Offset(partition.offset()),
                                             .leader_epoch = LeaderEpoch(partition.leader_epoch()),
                                             .metadata = partition.metadata()});
    }
    ports_.group.OnCommitAnswered(offsets, known.committed, error);
  }
  if (ports_.say) Say(response);
  Turn([&](Instant now, ClassicEffects& effects) {
    session_->OnAnswered(now, call.id, response, effects);
  });
}

std::vector<TopicPartition> SimClassic::PartitionsOf(const Indices& indices) const {
  std::vector<TopicPartition> partitions;
  for (const int32_t index : indices) partitions.push_back(PartitionOf(index));
  return partitions;
}

void SimClassic::Say(const std::string& text) const {
  ports_.say("K" + std::to_string(number_) + ' ' + text);
}

void SimClassic::Say(const ClassicResponse& response) const {
  if (const auto* joined = std::get_if<ClassicJoinAnswer>(&response)) {
    std::string text = "joined " + std::string(ErrorDescription(joined->error)) + " g" +
                       std::to_string(joined->generation) + " as " + joined->member_id;
    for (const auto& member : joined->members) text += " +" + member.member_id;
    Say(text);
  } else if (const auto* synced = std::get_if<ClassicSyncAnswer>(&response)) {
    std::string text = "synced " + std::string(ErrorDescription(synced->error));
    const auto given = DecodeAssignment(synced->assignment);
    for (const int32_t index : given.value_or(Indices())) text += ' ' + std::to_string(index);
    Say(text);
  } else if (const auto* beat = std::get_if<ClassicHeartbeatAnswer>(&response)) {
    if (beat->error != ErrorCode::kNone) Say("hears " + std::string(ErrorDescription(beat->error)));
  }
}

void SimClassic::Commit(ClassicEffects& effects) {
  IndexOffsets offsets;
  for (const auto& [index, reading] : readings_) {
    if (!reading.resets) offsets[index] = reading.next;
  }
  if (!offsets.empty()) session_->Commit(offsets, effects);
}

// ---- reading ---------------------------------------------------------------------------------

void SimClassic::ReadLater() {
  World& world = ports_.cluster.world();
  const Duration pause =
      world.Between(std::chrono::milliseconds(20), std::chrono::milliseconds(200));
  world.After(pause, process_, "poll", [this] {
    Read();
    if (session_->MayCommit() && ports_.cluster.world().rng().Chance(1, 3)) {
      Turn([this](Instant, ClassicEffects& effects) { Commit(effects); });
    }
    ReadLater();
  });
}

void SimClassic::Read() {
  std::map<BrokerId, std::vector<FetchPartition>> by_leader;
  for (auto& [index, reading] : readings_) {
    const PartitionImage* image =
        ports_.partitions.image()->FindPartition(options_.topic_id, PartitionIndex(index));
    if (reading.asked || image == nullptr || image->leader == kNoBroker) continue;
    reading.asked = true;
    by_leader[image->leader].push_back({.topic_id = options_.topic_id,
                                        .partition = PartitionIndex(index),
                                        .fetch_offset = reading.next.offset,
                                        .leader_epoch = image->leader_epoch,
                                        .max_bytes = kFetchBytes});
  }
  for (auto& [leader, partitions] : by_leader) Fetch(leader, std::move(partitions));
}

void SimClassic::Fetch(BrokerId leader, std::vector<FetchPartition> partitions) {
  World& world = ports_.cluster.world();
  FetchRequest request;
  request.max_wait_ms = 300;
  request.max_bytes = kFetchBytes;
  request.partitions = partitions;
  // What was given up and taken anew meanwhile asks for itself.
  const auto each = [this, partitions](const auto& take) {
    for (const FetchPartition& asked : partitions) {
      const auto reading = readings_.find(asked.partition.value());
      if (reading == readings_.end() || reading->second.next.offset != asked.fetch_offset) continue;
      reading->second.asked = false;
      take(asked);
    }
  };
  const auto handle = ports_.cluster.Call<FetchRequest, FetchResponse>(
      node(), process_, leader, request, &BrokerNode::Fetch,
      [this, each](const FetchResponse& response) {
        ports_.history.OnPollBegins();
        each([&](const FetchPartition& asked) {
          for (const FetchPartitionResult& result : response.partitions) {
            if (result.partition == asked.partition) OnFetched(asked, result);
          }
        });
      },
      [each] { each([](const FetchPartition&) {}); });
  world.After(kFetchTimeout, process_, "call-timeout", [handle] { handle->Break(); });
}

void SimClassic::OnFetched(const FetchPartition& asked, const FetchPartitionResult& result) {
  Reading& reading = readings_.at(asked.partition.value());
  const TopicPartition partition = PartitionOf(asked.partition.value());
  if (result.error == ErrorCode::kOffsetOutOfRange) {
    // What it was to read next is deleted: it goes on with what is left.
    const bool deleted = asked.fetch_offset < ports_.group.DeletedEnd(partition);
    if (!deleted) {
      ports_.group.OnError({.partition = partition,
                            .topic = options_.topic,
                            .error = result.error,
                            .message = "offset " + asked.fetch_offset.ToString() +
                                       " is out of range for a member of a classic group"});
    }
    ports_.group.OnReset();
    reading.resets = true;
    reading.next = {.offset = std::max(result.log_start_offset, asked.fetch_offset),
                    .metadata = {}};
    return;
  }
  if (result.error != ErrorCode::kNone) return;  // asked again
  for (const Bytes& bytes : result.batches) OnBatch(reading, asked, bytes);
}

void SimClassic::OnBatch(Reading& reading, const FetchPartition& asked, const Bytes& bytes) {
  const auto batch = RecordBatchView::Parse(bytes);
  Require(batch.ok() && batch->CrcMatches(), "I62", [&] {
    return "a damaged batch of partition index " + asked.partition.ToString() + " was served";
  });
  const auto decoded = DecodedBatch::Decode(*batch);
  Require(decoded.ok(), "I62", [] { return std::string("a batch that was served is unreadable"); });
  const TopicPartition partition = PartitionOf(asked.partition.value());
  for (const RecordView& record : decoded->records()) {
    if (record.offset < reading.next.offset) continue;
    const bool resets = std::exchange(reading.resets, false);
    ports_.group.OnRead(partition, record.offset, *record.value);
    ports_.group.OnPosition(partition, reading.next.offset, record.offset, resets);
    if (resets) ports_.history.OnAssigned(reader_, partition.partition, record.offset);
    reading.next = {
        .offset = record.offset + 1, .leader_epoch = batch->leader_epoch(), .metadata = {}};
    ports_.history.OnRead(reader_, partition.partition, record.offset, *record.key, *record.value);
  }
}

}  // namespace quipu::sim
