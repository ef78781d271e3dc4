#include "client/producer_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace quipu {

Producer::Impl::Impl(ProducerSettings settings, ProducerHooks hooks, uint64_t seed)
    : settings_(std::move(settings)),
      observer_(std::move(hooks)),
      accumulator_(settings_.core.accumulator, Rng(seed)),
      core_(settings_.core, accumulator_, Rng(seed + 1)),
      owner_("quipu-producer", calls_->events()),
      connections_(*calls_, owner_,
                   {.on_produce_response =
                        [this](const ServerAddress& address, ProduceResponse response) {
                          ProducerEffects effects;
                          core_.OnProduceResponse(owner_.GetNow().mono, address, response, effects);
                          Dispatch(std::move(effects));
                        },
                    .on_produce_closed =
                        [this](const ServerAddress& address, absl::Status status) {
                          ProducerEffects effects;
                          core_.OnProduceStreamClosed(owner_.GetNow().mono, address, status,
                                                      effects);
                          Dispatch(std::move(effects));
                        },
                    .on_fetch_response = [](const ServerAddress&, FetchResponse) {},
                    .on_fetch_closed = [](const ServerAddress&, absl::Status) {},
                    .on_answered =
                        [this](CallId id, UnaryResponse response) {
                          ProducerEffects effects;
                          core_.OnAnswered(owner_.GetNow().mono, id, response, effects);
                          Dispatch(std::move(effects));
                        },
                    .on_call_failed =
                        [this](CallId id, absl::Status status) {
                          ProducerEffects effects;
                          core_.OnCallFailed(owner_.GetNow().mono, id, status, effects);
                          Dispatch(std::move(effects));
                        }}) {
  const bool tells = observer_.wants_statistics() && settings_.statistics_interval > Duration(0);
  if (tells) core_.MeasureLatencies();
  owner_.Post([this] { Turn(); });
  if (tells) {
    owner_.PostAfter(settings_.statistics_interval, [this] { TellStatistics(); });
  }
}

void Producer::Impl::TellStatistics() {
  observer_.Tell(owner_.GetNow().wall, core_.stats(), core_.TakeLatencies());
  owner_.PostAfter(settings_.statistics_interval, [this] { TellStatistics(); });
}

Producer::Impl::~Impl() {
  // Nothing is waited for; every record still gets its report.
  const absl::Status status = Close(Duration(0));
  (void)status;  // the reports say it all
}

// ---- any thread --------------------------------------------------------------------------------

void Producer::Impl::WakeLocked() {
  if (turn_posted_) return;
  turn_posted_ = true;
  owner_.Post([this] { Turn(); });
}

ErrorCode Producer::Impl::AppendLocked(const ProducerRecord& record, Callback& callback,
                                       const Now& now) {
  const RecordInput input{
      .timestamp = record.timestamp == kNoTimestamp ? now.wall : record.timestamp,
      .key = record.key,
      .value = record.value,
      .headers = record.headers};
  const RecordAccumulator::Appended appended =
      accumulator_.Append(record.topic, record.partition, input, now.mono);
  if (appended.error != ErrorCode::kNone) return appended.error;
  std::vector<Callback>& callbacks = waiting_[appended.batch_id].callbacks;
  if (appended.index == 0) callbacks.reserve(callbacks_guess_);
  callbacks.push_back(std::move(callback));
  if (observer_.wants_statistics()) {
    observer_.CountSent((record.key ? record.key->size() : 0) +
                        (record.value ? record.value->size() : 0));
  }
  if (appended.wake) WakeLocked();
  return ErrorCode::kNone;
}

ErrorCode Producer::Impl::TrySend(const ProducerRecord& record, Callback& callback) {
  const Now now = owner_.GetNow();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return ErrorCode::kClosed;
  const ErrorCode error = AppendLocked(record, callback, now);
  if (error == ErrorCode::kBufferFull) MakeRoomLocked();
  if (error == ErrorCode::kUnknownTopicOrPartition && !accumulator_.HasTopic(record.topic)) {
    wanted_topics_.insert(std::string(record.topic));
    WakeLocked();
  }
  return error;
}

void Producer::Impl::MakeRoomLocked() {
  // While closed batches wait, room comes by itself; closing the open ones then would only send
  // small batches. When everything here is open, a long linger must not block the caller.
  if (accumulator_.has_closed()) return;
  accumulator_.FlushOpen();
  WakeLocked();
}

std::string Producer::Impl::RefusalLocked(const ProducerRecord& record, ErrorCode error) const {
  std::string text = absl::StrCat("topic ", record.topic, ": ");
  const int32_t partitions = accumulator_.PartitionCount(record.topic);
  if (error == ErrorCode::kUnknownTopicOrPartition && partitions > 0 && record.partition) {
    absl::StrAppend(&text, "there is no partition ", record.partition->value(), "; it has ",
                    partitions, ", numbered from 0");
  } else if (error == ErrorCode::kMessageTooLarge) {
    const size_t bytes = RecordBatchBuilder::SizeUpperBound({.timestamp = record.timestamp,
                                                             .key = record.key,
                                                             .value = record.value,
                                                             .headers = record.headers});
    absl::StrAppend(&text, "the record takes up to ", kRecordBatchHeaderBytes + bytes,
                    " bytes with its batch header; max.request.size of the producer is ",
                    settings_.core.accumulator.request_bytes_max);
  } else {
    absl::StrAppend(&text, ErrorDescription(error));
    if (!reachability_.ok()) absl::StrAppend(&text, " ", reachability_.message());
  }
  return text;
}

void Producer::Impl::Send(const ProducerRecord& record, Callback callback) {
  const Now start = owner_.GetNow();
  const bool may_wait = !owner_.IsCurrent();
  std::string message;
  ErrorCode error = ErrorCode::kNone;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    const Instant deadline = start.mono + settings_.max_block;
    while (true) {
      error = closed_ ? ErrorCode::kClosed : AppendLocked(record, callback, start);
      if (error == ErrorCode::kNone) return;
      const bool unknown_topic =
          error == ErrorCode::kUnknownTopicOrPartition && !accumulator_.HasTopic(record.topic);
      if (!may_wait || (error != ErrorCode::kBufferFull && !unknown_topic)) break;
      if (unknown_topic) {
        error = WaitForTopicLocked(lock, record.topic, deadline, message);
        if (error != ErrorCode::kNone) break;
        continue;
      }
      const Duration left = deadline - owner_.GetNow().mono;
      if (left <= Duration(0)) break;
      MakeRoomLocked();
      changed_.wait_for(lock, left);
    }
    if (message.empty()) message = RefusalLocked(record, error);
  }
  const DeliveryResult refused{.error = error,
                               .persisted = Persisted::kNo,
                               .partition = record.partition.value_or(PartitionIndex(-1)),
                               .message = std::move(message)};
  observer_.CountRefused();
  observer_.Acknowledged(record.topic, refused);
  if (callback) callback(refused);
}

ErrorCode Producer::Impl::WaitForTopicLocked(std::unique_lock<std::mutex>& lock,
                                             absl::string_view topic, Instant deadline,
                                             std::string& message) {
  const std::string name(topic);
  topic_errors_.erase(name);
  if (wanted_topics_.insert(name).second) WakeLocked();
  while (true) {
    if (closed_) return ErrorCode::kClosed;
    if (accumulator_.HasTopic(topic)) return ErrorCode::kNone;
    if (fatal_ != ErrorCode::kNone) return fatal_;
    const auto error = topic_errors_.find(name);
    if (error != topic_errors_.end()) {
      message = absl::StrCat("topic ", topic, ": ", ErrorDescription(error->second));
      return error->second;
    }
    const Duration left = deadline - owner_.GetNow().mono;
    if (left <= Duration(0)) {
      if (!reachability_.ok()) {
        message = std::string(reachability_.message());
        return ErrorCode::kNotConnected;
      }
      return ErrorCode::kUnknownTopicOrPartition;
    }
    changed_.wait_for(lock, left);
  }
}

absl::Status Producer::Impl::Flush(Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (stopped_) return absl::OkStatus();
  const Instant deadline = owner_.GetNow().mono + timeout;
  std::vector<uint64_t> open;
  open.reserve(waiting_.size());
  for (const auto& [batch_id, waiting] : waiting_) open.push_back(batch_id);
  accumulator_.FlushOpen();
  WakeLocked();
  while (true) {
    while (!open.empty() && !waiting_.contains(open.back())) open.pop_back();
    if (open.empty()) return absl::OkStatus();
    const Duration left = deadline - owner_.GetNow().mono;
    if (left <= Duration(0)) {
      return ToStatus(ErrorCode::kRequestTimedOut,
                      absl::StrCat(waiting_.size(), " batches are not acknowledged yet"));
    }
    changed_.wait_for(lock, left);
  }
}

absl::Status Producer::Impl::Close(Duration timeout) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_) return absl::OkStatus();
    closed_ = true;
    changed_.notify_all();
  }
  const absl::Status flushed = timeout > Duration(0) ? Flush(timeout) : absl::OkStatus();
  std::promise<void> done;
  owner_.Post([this, &done] {
    ProducerEffects effects;
    const Instant now = owner_.GetNow().mono;
    core_.Abort(now, ErrorCode::kClosed, effects);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      core_.Pull(now, effects);
    }
    Deliver(effects);
    connections_.CloseAll();
    done.set_value();
  });
  done.get_future().wait();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  owner_.Stop();
  return flushed;
}

absl::StatusOr<std::pair<ProducerId, ProducerEpoch>> Producer::Impl::WaitForIdentity(
    Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Instant deadline = owner_.GetNow().mono + timeout;
  while (!identity_) {
    if (fatal_ != ErrorCode::kNone) return ToStatus(fatal_, "the producer id was refused");
    if (closed_) return ToStatus(ErrorCode::kClosed, "the producer is closed");
    const Duration left = deadline - owner_.GetNow().mono;
    if (left <= Duration(0)) {
      if (!reachability_.ok()) return reachability_;
      return ToStatus(ErrorCode::kRequestTimedOut, "no producer id was given in time");
    }
    changed_.wait_for(lock, left);
  }
  return *identity_;
}

absl::StatusOr<int32_t> Producer::Impl::PartitionCount(absl::string_view topic, Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  std::string message;
  const ErrorCode error = WaitForTopicLocked(lock, topic, owner_.GetNow().mono + timeout, message);
  if (error != ErrorCode::kNone) {
    if (error == ErrorCode::kNotConnected) return reachability_;
    return ToStatus(error, message);
  }
  return accumulator_.PartitionCount(topic);
}

ProducerStats Producer::Impl::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

// ---- owner thread -------------------------------------------------------------------------------

void Producer::Impl::WantTurn() {
  if (turn_wanted_) return;
  turn_wanted_ = true;
  // Behind the events that wait in the mailbox, so that one turn serves them all.
  owner_.Post([this] {
    if (turn_wanted_) Turn();
  });
}

void Producer::Impl::Turn() {
  turn_wanted_ = false;
  const Instant now = owner_.GetNow().mono;
  ProducerEffects effects;
  core_.OnTime(now, effects);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    turn_posted_ = false;
    for (const std::string& topic : wanted_topics_) core_.AddTopic(topic);
    core_.Pull(now, effects);
  }
  core_.Pump(now, effects);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    PublishLocked(now);
    ScheduleLocked(now);
  }
  for (UnaryCall& call : effects.calls) connections_.Call(std::move(call));
  for (ProduceSend& send : effects.produces) connections_.Send(std::move(send));
  for (const ServerAddress& address : effects.resets) connections_.ResetProduce(address);
  Deliver(effects);
}

void Producer::Impl::Dispatch(ProducerEffects effects) {
  // Inputs only report; requests come from the turn.
  for (const ServerAddress& address : effects.resets) connections_.ResetProduce(address);
  Deliver(effects);
  WantTurn();
}

void Producer::Impl::PublishLocked(Instant now) {
  const ClientMetadata& metadata = core_.metadata();
  for (auto it = wanted_topics_.begin(); it != wanted_topics_.end();) {
    if (metadata.view().FindTopic(*it) != nullptr) {
      it = wanted_topics_.erase(it);
      continue;
    }
    const ErrorCode error = metadata.view().TopicError(*it);
    const bool patient =
        metadata.UnknownFor(*it, now).value_or(Duration(0)) < kUnknownTopicPatience;
    if (error == ErrorCode::kNone || (patient && error != ErrorCode::kInvalidTopic)) {
      ++it;
      continue;
    }
    topic_errors_[*it] = error;
    it = wanted_topics_.erase(it);
  }
  if (core_.identity().ready()) identity_.emplace(core_.identity().id(), core_.identity().epoch());
  fatal_ = core_.fatal();
  reachability_ = metadata.Reachability();
  stats_ = core_.stats();
  changed_.notify_all();
}

void Producer::Impl::ScheduleLocked(Instant now) {
  const std::optional<Instant> next = core_.NextDeadline();
  if (!next || (timer_ && *timer_ <= *next && *timer_ > now)) return;
  const Instant due = *next;
  timer_ = due;
  owner_.PostAfter(std::max(due - now, Duration(0)), [this, due] {
    if (timer_ == due) timer_.reset();
    WantTurn();
  });
}

void Producer::Impl::Deliver(ProducerEffects& effects) {
  size_t told = 0;
  bool failure = false;
  // A failure takes along what was sent until it was told, and that is known only when the callback
  // has returned: a sender may still be sending while the callback waits for the sender's lock. So
  // there is a second round for what came in meanwhile. Nothing was taken to be sent in between:
  // turns are this thread's.
  for (int round = 0; round < 2 && (round == 0 || failure); ++round) {
    failure |= TellDeliveries(effects, told);
    told = effects.deliveries.size();
  }
  if (told == 0) return;
  // Only now: flush promises that the callbacks have run.
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const DeliveryReport& report : effects.deliveries) waiting_.erase(report.batch_id);
  changed_.notify_all();
}

bool Producer::Impl::TellDeliveries(ProducerEffects& effects, size_t first) {
  const std::vector<DeliveryReport>& reports = effects.deliveries;
  if (reports.empty()) return false;
  std::vector<Waiting> waiting;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const size_t before = reports.size();
    core_.FailQueued(effects);
    if (reports.size() != before) WantTurn();  // which gives their memory back
    waiting.reserve(reports.size() - first);
    for (size_t i = first; i < reports.size(); ++i) {
      const auto found = waiting_.find(reports[i].batch_id);
      waiting.push_back(std::move(found->second));
      callbacks_guess_ = waiting.back().callbacks.size();
    }
  }
  bool failure = false;
  for (size_t i = first; i < reports.size(); ++i) {
    const DeliveryReport& report = reports[i];
    failure |= report.fails_queued;
    DeliveryResult result{.error = report.error,
                          .persisted = report.persisted,
                          .partition = report.partition.partition,
                          .offset = kNoOffset,
                          .log_append_time = report.log_append_time,
                          .message = report.message};
    if (report.error != ErrorCode::kNone) {
      result.message = absl::StrCat("topic ", report.topic, " partition ",
                                    report.partition.partition.value(), ": ", report.message);
    }
    if (observer_.wants_statistics()) {
      observer_.CountReport(report.topic, report.partition.partition,
                            waiting[i - first].callbacks.size(), result.ok(), report.persisted);
    }
    int64_t place = 0;
    for (const Callback& callback : waiting[i - first].callbacks) {
      if (report.base_offset != kNoOffset) result.offset = report.base_offset + place;
      ++place;
      if (observer_.intercepts()) observer_.Acknowledged(report.topic, result);
      if (callback) callback(result);
    }
  }
  return failure;
}

}  // namespace quipu
