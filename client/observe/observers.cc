#include "client/observe/observers.h"

#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "client/producer.h"

namespace quipu {
namespace {

constexpr int64_t kQuietMs = 10000;

size_t SizeOf(const std::optional<absl::string_view>& bytes) { return bytes ? bytes->size() : 0; }

}  // namespace

absl::Status ProducerInterceptor::OnSend(const ProducerRecord& /*record*/,
                                         SendChanges& /*changes*/) noexcept {
  return absl::OkStatus();
}
absl::Status ProducerInterceptor::OnAcknowledgement(absl::string_view /*topic*/,
                                                    const DeliveryResult& /*result*/) noexcept {
  return absl::OkStatus();
}
absl::Status ConsumerInterceptor::OnConsume(
    const std::vector<ConsumerRecord>& /*records*/) noexcept {
  return absl::OkStatus();
}
absl::Status ConsumerInterceptor::OnCommit(const NamedOffsets& /*offsets*/) noexcept {
  return absl::OkStatus();
}

void InterceptorErrors::Note(const char* where, const absl::Status& status) {
  if (status.ok()) return;
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count();
  int64_t until = quiet_until_ms_.load(std::memory_order_relaxed);
  if (now < until || !quiet_until_ms_.compare_exchange_strong(until, now + kQuietMs)) {
    unlogged_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  LogWarn("client.interceptor_failed", {{"where", where},
                                        {"unlogged", std::to_string(unlogged_.exchange(0))},
                                        {"error", std::string(status.message())}});
}

// ---- producer ----------------------------------------------------------------------------------

ProducerObserver::ProducerObserver(ProducerHooks hooks) : hooks_(std::move(hooks)) {
  for (const auto& interceptor : hooks_.interceptors) QUIPU_CHECK(interceptor != nullptr);
}

ProducerRecord ProducerObserver::BeforeSend(const ProducerRecord& record,
                                            std::deque<SendChanges>& kept) {
  ProducerRecord changed = record;
  for (const auto& interceptor : hooks_.interceptors) {
    SendChanges changes;
    const absl::Status status = interceptor->OnSend(changed, changes);
    errors_.Note("on_send", status);
    if (!status.ok()) continue;
    const SendChanges& stays = kept.emplace_back(std::move(changes));
    for (const auto& [key, value] : stays.headers) {
      changed.headers.push_back({.key = key, .value = absl::string_view(value)});
    }
    if (stays.value) changed.value = *stays.value;
  }
  return changed;
}

void ProducerObserver::Acknowledged(absl::string_view topic, const DeliveryResult& result) {
  for (const auto& interceptor : hooks_.interceptors) {
    errors_.Note("on_acknowledgement", interceptor->OnAcknowledgement(topic, result));
  }
}

void ProducerObserver::CountSent(size_t bytes) {
  sent_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void ProducerObserver::CountReport(const std::string& topic, PartitionIndex partition,
                                   uint64_t records, bool ok, Persisted persisted) {
  PartitionProduced& counted = produced_[{topic, partition}];
  uint64_t& count = ok                            ? counted.acknowledged
                    : persisted == Persisted::kNo ? counted.not_stored
                                                  : counted.unknown;
  count += records;
}

void ProducerObserver::Tell(TimestampMs time, const ProducerStats& batches,
                            const ProducerLatencies& latencies) const {
  ProducerStatistics told;
  told.time = time;
  for (const auto& [partition, counted] : produced_) {
    told.partitions.push_back(counted);
    told.partitions.back().partition = partition;
    told.acknowledged += counted.acknowledged;
    told.not_stored += counted.not_stored;
    told.unknown += counted.unknown;
  }
  told.records_sent = sent_.load(std::memory_order_relaxed);
  told.bytes_sent = bytes_.load(std::memory_order_relaxed);
  told.records_refused = refused_.load(std::memory_order_relaxed);
  // Counted as sent before they are reported, and read after.
  told.records_waiting = told.records_sent - told.acknowledged - told.not_stored - told.unknown;
  told.batches = batches;
  told.latencies = latencies;
  hooks_.on_statistics(told);
}

// ---- consumer ----------------------------------------------------------------------------------

ConsumerObserver::ConsumerObserver(ConsumerHooks hooks) : hooks_(std::move(hooks)) {
  for (const auto& interceptor : hooks_.interceptors) QUIPU_CHECK(interceptor != nullptr);
}

void ConsumerObserver::Consumed(const std::vector<ConsumerRecord>& records) {
  for (const auto& interceptor : hooks_.interceptors) {
    errors_.Note("on_consume", interceptor->OnConsume(records));
  }
}

void ConsumerObserver::Committed(const NamedOffsets& offsets) {
  for (const auto& interceptor : hooks_.interceptors) {
    errors_.Note("on_commit", interceptor->OnCommit(offsets));
  }
}

void ConsumerObserver::Count(const std::vector<ConsumerRecord>& records) {
  PartitionConsumed* counted = nullptr;
  for (const ConsumerRecord& record : records) {
    // Records of a partition stand together.
    if (counted == nullptr || counted->partition.partition != record.partition() ||
        counted->partition.topic != record.topic()) {
      const NamedPartition name{record.topic(), record.partition()};
      counted = &consumed_[name];
      counted->partition = name;
    }
    ++counted->records;
    counted->bytes += SizeOf(record.key()) + SizeOf(record.value());
  }
}

ConsumerStatistics ConsumerObserver::Counters() const {
  ConsumerStatistics told;
  told.commits = commits_;
  told.commits_failed = commits_failed_;
  for (const auto& [partition, counted] : consumed_) {
    told.partitions.push_back(counted);
    told.records += counted.records;
    told.bytes += counted.bytes;
  }
  return told;
}

}  // namespace quipu
