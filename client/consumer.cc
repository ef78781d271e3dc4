#include "client/consumer.h"

#include <random>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "client/admin.h"
#include "client/consumer_impl.h"

namespace quipu {

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Create(const ConfigMap& config,
                                                           ConsumerHooks hooks) {
  absl::StatusOr<ConsumerSettings> settings = ParseConsumerConfig(config);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<std::unique_ptr<Admin>> admin = Admin::Create(
      {{"bootstrap.servers", config.at("bootstrap.servers")},
       {"default.api.timeout.ms", std::to_string(ToMillis(settings->default_api_timeout))}});
  if (!admin.ok()) return admin.status();
  std::random_device device;
  const uint64_t seed = (uint64_t{device()} << 32U) | device();
  return std::unique_ptr<Consumer>(new Consumer(
      std::make_unique<Impl>(*std::move(settings), *std::move(admin), std::move(hooks), seed)));
}

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::~Consumer() = default;

absl::Status Consumer::Subscribe(std::vector<std::string> topics, RebalanceListener listener) {
  return impl_->Subscribe(std::move(topics), std::move(listener));
}
absl::Status Consumer::Assign(const std::vector<NamedPartition>& partitions) {
  return impl_->Assign(partitions);
}
std::vector<NamedPartition> Consumer::Assignment() const { return impl_->Assignment(); }

absl::StatusOr<std::vector<ConsumerRecord>> Consumer::Poll(Duration timeout) {
  absl::StatusOr<std::vector<ConsumerRecord>> records = impl_->Poll(timeout);
  if (records.ok() && !records->empty()) impl_->observer().Consumed(*records);
  return records;
}

absl::Status Consumer::Seek(const NamedPartition& partition, Offset offset,
                            LeaderEpoch leader_epoch) {
  if (offset < Offset(0)) return quipu::ToStatus(ErrorCode::kInvalidRequest, "negative offset");
  return impl_->WithPartition(partition, [&](FetchCore& fetch, const TopicPartition& id) {
    return fetch.Seek(id, {.offset = offset, .leader_epoch = leader_epoch, .metadata = {}});
  });
}
absl::Status Consumer::SeekToBeginning(const NamedPartition& partition) {
  return impl_->WithPartition(partition, [](FetchCore& fetch, const TopicPartition& id) {
    return fetch.SeekToReset(id, OffsetReset::kEarliest);
  });
}
absl::Status Consumer::SeekToEnd(const NamedPartition& partition) {
  return impl_->WithPartition(partition, [](FetchCore& fetch, const TopicPartition& id) {
    return fetch.SeekToReset(id, OffsetReset::kLatest);
  });
}
absl::Status Consumer::Pause(const NamedPartition& partition) {
  return impl_->WithPartition(
      partition, [](FetchCore& fetch, const TopicPartition& id) { return fetch.Pause(id, true); });
}
absl::Status Consumer::Resume(const NamedPartition& partition) {
  return impl_->WithPartition(
      partition, [](FetchCore& fetch, const TopicPartition& id) { return fetch.Pause(id, false); });
}
std::vector<NamedPartition> Consumer::Paused() const { return impl_->Paused(); }
absl::StatusOr<OffsetAndMetadata> Consumer::Position(const NamedPartition& partition) const {
  return impl_->Position(partition);
}
absl::StatusOr<Offset> Consumer::HighWatermark(const NamedPartition& partition) const {
  return impl_->HighWatermark(partition);
}

absl::Status Consumer::CommitSync() {
  return impl_->CommitAndWait(impl_->Positions(), impl_->api_timeout());
}
absl::Status Consumer::CommitSync(const NamedOffsets& offsets) {
  return impl_->CommitAndWait(offsets, impl_->api_timeout());
}
void Consumer::CommitAsync(CommitCallback done) {
  impl_->Commit(impl_->Positions(), impl_->api_timeout(), std::move(done));
}
void Consumer::CommitAsync(const NamedOffsets& offsets, CommitCallback done) {
  impl_->Commit(offsets, impl_->api_timeout(), std::move(done));
}
absl::StatusOr<NamedOffsets> Consumer::Committed(const std::vector<NamedPartition>& partitions) {
  return impl_->Committed(partitions, impl_->api_timeout());
}

absl::StatusOr<NamedOffsets> Consumer::BeginningOffsets(
    const std::vector<NamedPartition>& partitions) {
  return impl_->admin().ListOffsets(partitions, kEarliestTimestamp);
}
absl::StatusOr<NamedOffsets> Consumer::EndOffsets(const std::vector<NamedPartition>& partitions) {
  return impl_->admin().ListOffsets(partitions, kLatestTimestamp);
}
absl::StatusOr<NamedTimes> Consumer::OffsetsForTimes(
    const std::map<NamedPartition, TimestampMs>& timestamps) {
  return impl_->admin().OffsetsForTimes(timestamps);
}

absl::StatusOr<std::vector<NamedPartition>> Consumer::PartitionsOf(const std::string& topic) {
  return impl_->PartitionsOf(topic);
}
absl::Status Consumer::ConnectionStatus() const { return impl_->ConnectionStatus(); }
std::string Consumer::member_id() const { return impl_->member_id(); }
absl::Status Consumer::Close(Duration timeout) { return impl_->Close(timeout); }

}  // namespace quipu
