#include "client/producer.h"

#include <random>

#include "client/producer_impl.h"

namespace quipu {

absl::StatusOr<std::unique_ptr<Producer>> Producer::Create(
    const ConfigMap& config, std::optional<std::pair<ProducerId, ProducerEpoch>> resume,
    ProducerHooks hooks) {
  absl::StatusOr<ProducerSettings> settings = ParseProducerConfig(config);
  if (!settings.ok()) return settings.status();
  settings->core.resume = resume;
  std::random_device device;
  const uint64_t seed = (uint64_t{device()} << 32U) | device();
  return std::unique_ptr<Producer>(
      new Producer(std::make_unique<Impl>(*std::move(settings), std::move(hooks), seed)));
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::~Producer() = default;

void Producer::Send(const ProducerRecord& record, Callback callback) {
  if (!impl_->observer().intercepts()) return impl_->Send(record, std::move(callback));
  std::deque<SendChanges> kept;
  impl_->Send(impl_->observer().BeforeSend(record, kept), std::move(callback));
}

std::future<DeliveryResult> Producer::Send(const ProducerRecord& record) {
  auto promise = std::make_shared<std::promise<DeliveryResult>>();
  std::future<DeliveryResult> future = promise->get_future();
  Send(record, [promise](const DeliveryResult& result) { promise->set_value(result); });
  return future;
}

ErrorCode Producer::TrySend(const ProducerRecord& record, Callback callback) {
  if (!impl_->observer().intercepts()) return impl_->TrySend(record, callback);
  std::deque<SendChanges> kept;
  return impl_->TrySend(impl_->observer().BeforeSend(record, kept), callback);
}

absl::Status Producer::Flush(Duration timeout) { return impl_->Flush(timeout); }
absl::Status Producer::Close(Duration timeout) { return impl_->Close(timeout); }

absl::StatusOr<std::pair<ProducerId, ProducerEpoch>> Producer::WaitForIdentity(Duration timeout) {
  return impl_->WaitForIdentity(timeout);
}

absl::StatusOr<int32_t> Producer::PartitionCount(absl::string_view topic, Duration timeout) {
  return impl_->PartitionCount(topic, timeout);
}

ProducerStats Producer::stats() const { return impl_->stats(); }

}  // namespace quipu
