#include "client/consumer_impl.h"

#include <algorithm>
#include <future>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

// How long a coordinator may be too busy before it is told.
constexpr Duration kLimitPatience = std::chrono::seconds(2);

}  // namespace

Consumer::Impl::Impl(ConsumerSettings settings, std::unique_ptr<Admin> admin, ConsumerHooks hooks,
                     uint64_t seed)
    : settings_(std::move(settings)),
      admin_(std::move(admin)),
      observer_(std::move(hooks)),
      core_(settings_.core, Rng(seed)),
      owner_("quipu-consumer", calls_->events()),
      connections_(*calls_, owner_,
                   {.on_produce_response = [](const ServerAddress&, ProduceResponse) {},
                    .on_produce_closed = [](const ServerAddress&, absl::Status) {},
                    .on_fetch_response =
                        [this](const ServerAddress& address, FetchResponse response) {
                          Input([&](ConsumerCore& core, Instant now, ConsumerEffects&) {
                            core.OnFetchResponse(now, address, response);
                          });
                        },
                    .on_fetch_closed =
                        [this](const ServerAddress& address, absl::Status status) {
                          Input([&](ConsumerCore& core, Instant now, ConsumerEffects&) {
                            core.OnFetchStreamClosed(now, address, status);
                          });
                        },
                    .on_answered =
                        [this](CallId id, UnaryResponse response) {
                          Input([&](ConsumerCore& core, Instant now, ConsumerEffects& effects) {
                            core.OnAnswered(now, id, response, effects);
                          });
                        },
                    .on_call_failed =
                        [this](CallId id, absl::Status status) {
                          Input([&](ConsumerCore& core, Instant now, ConsumerEffects& effects) {
                            core.OnCallFailed(now, id, status, effects);
                          });
                        }}) {
  next_auto_commit_ = owner_.GetNow().mono + settings_.auto_commit_interval;
  const bool tells = observer_.wants_statistics() && settings_.statistics_interval > Duration(0);
  if (tells) core_.fetch().MeasureLatencies();
  owner_.Post([this] { Turn(); });
  if (tells) {
    owner_.PostAfter(settings_.statistics_interval, [this] { TellStatistics(); });
  }
}

Consumer::Impl::~Impl() {
  const absl::Status status = Close(Duration(0));
  (void)status;  // nothing was waited for
}

// ---- names -------------------------------------------------------------------------------------

std::optional<TopicPartition> Consumer::Impl::Resolve(const NamedPartition& partition) const {
  const TopicView* topic = core_.metadata().view().FindTopic(partition.topic);
  if (topic == nullptr || partition.partition.value() < 0 ||
      static_cast<size_t>(partition.partition.value()) >= topic->partitions.size()) {
    return std::nullopt;
  }
  return TopicPartition{topic->topic_id, partition.partition};
}

NamedPartition Consumer::Impl::NameOf(const TopicPartition& partition) const {
  const TopicView* topic = core_.metadata().view().FindTopic(partition.topic_id);
  return {topic == nullptr ? partition.topic_id.ToText() : topic->name, partition.partition};
}

absl::Status Consumer::Impl::WaitForTopic(std::unique_lock<std::mutex>& lock,
                                          const std::string& topic) {
  core_.AddTopic(topic);
  WakeLocked();
  const Instant deadline = owner_.GetNow().mono + settings_.default_api_timeout;
  while (core_.metadata().view().FindTopic(topic) == nullptr) {
    const Instant now = owner_.GetNow().mono;
    const std::optional<Duration> unknown = core_.metadata().UnknownFor(topic, now);
    if (unknown && *unknown >= kUnknownTopicPatience) {
      return ToStatus(core_.metadata().view().TopicError(topic),
                      absl::StrCat("there is no topic ", topic));
    }
    if (closed_) return ToStatus(ErrorCode::kClosed, "the consumer is closed");
    if (now >= deadline) {
      QUIPU_RETURN_IF_ERROR(core_.metadata().Reachability());
      return ToStatus(ErrorCode::kRequestTimedOut, absl::StrCat("no metadata of topic ", topic));
    }
    changed_.wait_for(lock, deadline - now);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamedPartition>> Consumer::Impl::PartitionsOf(const std::string& topic) {
  std::unique_lock<std::mutex> lock(mutex_);
  QUIPU_RETURN_IF_ERROR(WaitForTopic(lock, topic));
  const size_t count = core_.metadata().view().FindTopic(topic)->partitions.size();
  std::vector<NamedPartition> partitions;
  for (size_t i = 0; i < count; ++i) {
    partitions.push_back({topic, PartitionIndex(static_cast<int32_t>(i))});
  }
  return partitions;
}

// ---- assignment --------------------------------------------------------------------------------

absl::Status Consumer::Impl::Subscribe(std::vector<std::string> topics,
                                       RebalanceListener listener) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (settings_.core.group_id.empty()) {
    return ToStatus(ErrorCode::kInvalidConfig, "group.id: is needed to subscribe");
  }
  if (assigned_by_hand_) {
    return ToStatus(ErrorCode::kInvalidConfig, "partitions were assigned by hand before");
  }
  if (closed_) return ToStatus(ErrorCode::kClosed, "the consumer is closed");
  if (topics.empty()) {
    if (!subscribed_.empty()) Unsubscribe(lock);
  } else {
    core_.Subscribe(topics);
  }
  listener_ = std::move(listener);
  subscribed_ = std::move(topics);
  WakeLocked();
  return absl::OkStatus();
}

absl::Status Consumer::Impl::Assign(const std::vector<NamedPartition>& partitions) {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!subscribed_.empty()) {
      return ToStatus(ErrorCode::kInvalidConfig, "the consumer is subscribed to topics");
    }
    assigned_by_hand_ = true;
    for (const NamedPartition& partition : partitions) {
      QUIPU_RETURN_IF_ERROR(WaitForTopic(lock, partition.topic));
      if (Resolve(partition)) continue;
      return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                      absl::StrCat("topic ", partition.topic, " has no partition ",
                                   partition.partition.value()));
    }
  }
  NamedOffsets committed;
  if (!settings_.core.group_id.empty() && !partitions.empty()) {
    QUIPU_ASSIGN_OR_RETURN(committed, Committed(partitions, settings_.default_api_timeout));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const TopicPartition& old : core_.fetch().Assigned()) core_.Unassign(old);
  topics_by_hand_.clear();
  for (const NamedPartition& partition : partitions) {
    std::optional<OffsetAndMetadata> start;
    for (const auto& [name, offset] : committed) {
      if (name == partition && offset.offset != kNoOffset) start = offset;
    }
    const std::optional<TopicPartition> id = Resolve(partition);
    if (!id) continue;
    core_.Assign(*id, start);
    topics_by_hand_[partition.topic] = id->topic_id;
  }
  WakeLocked();
  return absl::OkStatus();
}

std::vector<NamedPartition> Consumer::Impl::Assignment() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<NamedPartition> names;
  for (const TopicPartition& id : core_.fetch().Assigned()) names.push_back(NameOf(id));
  return names;
}

std::vector<NamedPartition> Consumer::Impl::Paused() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<NamedPartition> names;
  for (const TopicPartition& id : core_.fetch().Paused()) names.push_back(NameOf(id));
  return names;
}

absl::Status Consumer::Impl::WithPartition(const NamedPartition& partition,
                                           const PartitionAction& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::optional<TopicPartition> id = Resolve(partition);
  if (!id || !action(core_.fetch(), *id)) {
    return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                    absl::StrCat("topic ", partition.topic, " partition ",
                                 partition.partition.value(), " is not assigned"));
  }
  WakeLocked();
  return absl::OkStatus();
}

absl::StatusOr<OffsetAndMetadata> Consumer::Impl::Position(const NamedPartition& partition) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::optional<TopicPartition> id = Resolve(partition);
  const std::optional<OffsetAndMetadata> position = id ? core_.fetch().Position(*id) : std::nullopt;
  if (!position) {
    return ToStatus(ErrorCode::kUnknownTopicOrPartition, "the partition is not assigned");
  }
  return *position;
}

absl::StatusOr<Offset> Consumer::Impl::HighWatermark(const NamedPartition& partition) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::optional<TopicPartition> id = Resolve(partition);
  const std::optional<Offset> offset = id ? core_.fetch().HighWatermark(*id) : std::nullopt;
  if (!offset) {
    return ToStatus(ErrorCode::kUnknownTopicOrPartition, "the partition is not assigned");
  }
  return *offset;
}

// ---- poll --------------------------------------------------------------------------------------

absl::Status Consumer::Impl::TopicTrouble(const std::string& topic, Instant now) const {
  const std::optional<Duration> unknown = core_.metadata().UnknownFor(topic, now);
  if (unknown.value_or(Duration(0)) < kUnknownTopicPatience) return absl::OkStatus();
  return ToStatus(core_.metadata().view().TopicError(topic),
                  absl::StrCat("there is no topic ", topic));
}

// Told once for each default.api.timeout.ms without a broker; in between the consumer tries on.
absl::Status Consumer::Impl::ConnectionTrouble(Instant now) {
  const absl::Status reach = core_.metadata().Reachability();
  if (reach.ok()) {
    unreachable_since_.reset();
    return reach;
  }
  if (!unreachable_since_) unreachable_since_ = now;
  if (now - *unreachable_since_ < settings_.default_api_timeout) return absl::OkStatus();
  unreachable_since_ = now;
  return reach;
}

absl::Status Consumer::Impl::Trouble(Instant now) {
  if (closed_) return ToStatus(ErrorCode::kClosed, "the consumer is closed");
  if (core_.group().fatal() != ErrorCode::kNone) {
    return ToStatus(core_.group().fatal(), absl::StrCat("group ", settings_.core.group_id, ": ",
                                                        core_.group().fatal_message()));
  }
  if (core_.group().LimitReachedFor(now).value_or(Duration(0)) >= kLimitPatience) {
    return ToStatus(
        ErrorCode::kLimitReached,
        absl::StrCat("group ", settings_.core.group_id,
                     ": its coordinator takes no more groups (quipu.groups.max), or not "
                     "so many partitions in one; it is tried on"));
  }
  for (const std::string& topic : subscribed_) QUIPU_RETURN_IF_ERROR(TopicTrouble(topic, now));
  for (const auto& [topic, topic_id] : topics_by_hand_) {
    QUIPU_RETURN_IF_ERROR(TopicTrouble(topic, now));
    const TopicView* known = core_.metadata().view().FindTopic(topic);
    if (known != nullptr && known->topic_id != topic_id) {
      return ToStatus(ErrorCode::kUnknownTopicId,
                      absl::StrCat("topic ", topic, " was deleted and made anew; assign its ",
                                   "partitions again to read it from the start"));
    }
  }
  return ConnectionTrouble(now);
}

absl::StatusOr<std::vector<ConsumerRecord>> Consumer::Impl::Poll(Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Instant deadline = owner_.GetNow().mono + timeout;
  std::vector<ConsumerRecord> records;
  while (true) {
    RunRebalances(lock);
    const Instant now = owner_.GetNow().mono;
    AutoCommit(now);
    std::vector<PartitionError> errors;
    core_.Poll(now, records, errors);
    if (!records.empty()) {
      WakeLocked();  // there is room to fetch more
      if (observer_.wants_statistics()) observer_.Count(records);
      return records;
    }
    if (!errors.empty()) {
      const PartitionError& first = errors.front();
      return ToStatus(first.error,
                      absl::StrCat("topic ", first.topic, " partition ",
                                   first.partition.partition.value(), ": ", first.message));
    }
    QUIPU_RETURN_IF_ERROR(Trouble(now));
    if (now >= deadline) return records;
    changed_.wait_for(lock, deadline - now);
  }
}

absl::Status Consumer::Impl::ConnectionStatus() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return core_.metadata().Reachability();
}

std::string Consumer::Impl::member_id() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return core_.group().member_id();
}

absl::Status Consumer::Impl::Close(Duration timeout) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return absl::OkStatus();
  }
  const Instant deadline = owner_.GetNow().mono + timeout;
  absl::Status status;
  if (settings_.auto_commit && timeout > Duration(0)) status = CommitAndWait(Positions(), timeout);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (timeout > Duration(0)) RevokeAll(lock, deadline - owner_.GetNow().mono);
    closed_ = true;
    core_.Subscribe({});
    WakeLocked();
    while (timeout > Duration(0) && !core_.group().has_left() &&
           core_.group().fatal() == ErrorCode::kNone) {
      const Duration left = deadline - owner_.GetNow().mono;
      if (left <= Duration(0)) {
        status = ToStatus(ErrorCode::kRequestTimedOut, "the coordinator did not confirm leaving");
        break;
      }
      changed_.wait_for(lock, left);
    }
  }
  std::promise<void> done;
  owner_.Post([this, &done] {
    connections_.CloseAll();
    done.set_value();
  });
  done.get_future().wait();
  owner_.Stop();
  std::map<uint64_t, ResultFn> left;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    left.swap(waiting_);
    changed_.notify_all();
  }
  for (const auto& [token, result_fn] : left) {
    result_fn({.token = token,
               .error = ErrorCode::kClosed,
               .message = "the consumer was closed before an answer came",
               .refused = {},
               .offsets = {}});
  }
  return status;
}

// ---- owner thread ------------------------------------------------------------------------------

void Consumer::Impl::WakeLocked() {
  if (turn_posted_) return;
  turn_posted_ = true;
  owner_.Post([this] { Turn(); });
}

void Consumer::Impl::WantTurn() {
  if (turn_wanted_) return;
  turn_wanted_ = true;
  owner_.Post([this] {
    if (turn_wanted_) Turn();
  });
}

void Consumer::Impl::Input(
    const std::function<void(ConsumerCore&, Instant, ConsumerEffects&)>& input) {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ConsumerEffects effects;
    input(core_, owner_.GetNow().mono, effects);
    callbacks = TakeEventsLocked(effects);
  }
  for (const auto& callback : callbacks) callback();
  WantTurn();
}

void Consumer::Impl::Turn() {
  turn_wanted_ = false;
  const Instant now = owner_.GetNow().mono;
  ConsumerEffects effects;
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    turn_posted_ = false;
    core_.Pump(now, effects);
    callbacks = TakeEventsLocked(effects);
    ScheduleLocked(now);
    changed_.notify_all();
  }
  for (UnaryCall& call : effects.calls) connections_.Call(std::move(call));
  for (FetchSend& send : effects.fetches) connections_.Send(std::move(send));
  for (const ServerAddress& address : effects.fetch_resets) connections_.ResetFetch(address);
  for (const auto& callback : callbacks) callback();
}

std::vector<std::function<void()>> Consumer::Impl::TakeEventsLocked(ConsumerEffects& effects) {
  Rebalance rebalance;
  for (const TopicPartition& id : effects.revoked) rebalance.revoked.push_back(NameOf(id));
  for (const TopicPartition& id : effects.lost) rebalance.lost.push_back(NameOf(id));
  for (const auto& [id, offset] : effects.assigned) {
    rebalance.assigned.emplace_back(NameOf(id), offset);
  }
  if (!rebalance.lost.empty()) {
    // A revocation that was not yet told is overtaken.
    for (Rebalance& waiting : rebalances_) waiting.revoked.clear();
  }
  if (!rebalance.revoked.empty() || !rebalance.lost.empty() || !rebalance.assigned.empty()) {
    rebalances_.push_back(std::move(rebalance));
  }
  std::vector<std::function<void()>> callbacks;
  for (OffsetOpResult& result : effects.results) {
    const auto found = waiting_.find(result.token);
    if (found == waiting_.end()) continue;
    if (result.refused) {
      const NamedPartition name = NameOf(*result.refused);
      result.message = absl::StrCat("topic ", name.topic, " partition ", name.partition.value(),
                                    ": ", result.message);
    }
    callbacks.emplace_back(
        [run = std::move(found->second), answer = std::move(result)] { run(answer); });
    waiting_.erase(found);
  }
  effects.results.clear();
  return callbacks;
}

void Consumer::Impl::ScheduleLocked(Instant now) {
  const std::optional<Instant> next = core_.NextDeadline();
  if (!next || (timer_ && *timer_ <= *next && *timer_ > now)) return;
  const Instant due = *next;
  timer_ = due;
  owner_.PostAfter(std::max(due - now, Duration(0)), [this, due] {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (timer_ == due) timer_.reset();
    }
    WantTurn();
  });
}

}  // namespace quipu
