// The SDK's producer.
//
//   auto producer = quipu::Producer::Create({{"bootstrap.servers", "127.0.0.1:9092"}});
//   (*producer)->Send({.topic = "payments", .key = "account-7", .value = "..."},
//                     [](const quipu::DeliveryResult& result) { ... });
//   (*producer)->Flush(std::chrono::seconds(30));
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "base/time.h"
#include "client/config_map.h"
#include "client/observe/interceptors.h"
#include "core/client/client_types.h"
#include "core/record/record_batch.h"

namespace quipu {

// A record to send. The views need to live only during Send.
struct ProducerRecord {
  absl::string_view topic;
  std::optional<PartitionIndex> partition{};  // nullopt: by key, or sticky without a key
  std::optional<absl::string_view> key{};     // nullopt: null
  std::optional<absl::string_view> value{};   // nullopt: null
  std::vector<RecordHeader> headers{};
  TimestampMs timestamp = kNoTimestamp;  // kNoTimestamp: now
};

// What became of one record.
struct DeliveryResult {
  ErrorCode error = ErrorCode::kNone;
  // Whether the record is in the log. kUnknown must not be sent again by the application under
  // another producer id without reading back first (P12).
  Persisted persisted = Persisted::kYes;
  PartitionIndex partition{-1};
  // kNoOffset with an error, and for a retry whose first attempt had been stored so long ago that
  // the broker no longer knows where.
  Offset offset = kNoOffset;
  TimestampMs log_append_time = kNoTimestamp;  // kNoTimestamp: the topic keeps the sender's
  std::string message;                         // with an error: what, where, what to do

  [[nodiscard]] bool ok() const { return error == ErrorCode::kNone; }
  [[nodiscard]] absl::Status ToStatus() const { return quipu::ToStatus(error, message); }
};

// An idempotent producer with acks=all. Finds leaders, batches, retries and keeps the order of each
// partition by itself. Thread-safe; it has a thread of its own.
class Producer {
 public:
  // Runs on a thread of the producer, in the order of sending per partition; must not block. It may
  // call Send, which then never waits. When Send itself refuses the record, it runs in the caller.
  using Callback = std::function<void(const DeliveryResult&)>;

  // kInvalidConfig names key and value. Does not connect yet. `resume` takes up the id of a former
  // producer with its epoch raised by one, which fences that one. It has to be the last epoch that
  // was used, and a producer raises its own after a record that it gave up: one that is too low
  // comes again, and what is sent under it is taken for a repeat. Keep a margin, as the payments
  // example does. `hooks`: interceptors and the statistics callback; what they hold must outlive
  // the producer.
  static absl::StatusOr<std::unique_ptr<Producer>> Create(
      const ConfigMap& config,
      std::optional<std::pair<ProducerId, ProducerEpoch>> resume = std::nullopt,
      ProducerHooks hooks = {});
  // As Close without waiting.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Takes the record over, waiting up to max.block.ms for buffer.memory or the topic's metadata.
  // The result comes exactly once. An empty callback is allowed. When a record fails, all that was
  // sent after it to its partition, until its callback has returned, fails as well
  // (kOperationNotAttempted, persisted=no), unless the broker had it already. Refusals, all
  // persisted=no:
  //   kUnknownTopicOrPartition, kMessageTooLarge, kBufferFull, kNotConnected (names the servers
  //   tried), kProducerFenced, kClosed
  void Send(const ProducerRecord& record, Callback callback);
  std::future<DeliveryResult> Send(const ProducerRecord& record);
  // As Send, but never waits. kNone: taken over, and the result comes exactly once, to the
  // callback. Anything else: not taken over (persisted=no), and the callback is not run:
  //   kBufferFull               try again later
  //   kUnknownTopicOrPartition  the topic is not known yet and its metadata are asked for: try
  //   again
  //                             later; or it has no such partition, which is final
  //   others                    final, as of Send, which says why in words
  ErrorCode TrySend(const ProducerRecord& record, Callback callback);

  // Sends without waiting for linger and returns when everything sent before is reported.
  // kRequestTimedOut when that takes longer than `timeout`.
  absl::Status Flush(Duration timeout);
  // Refuses new records, flushes for up to `timeout`, reports what is left with kClosed, and ends
  // the threads. OK when nothing was left. A second call does nothing. Not from a callback.
  absl::Status Close(Duration timeout);

  // Waits until the producer id is known: kNotConnected or kProducerFenced otherwise.
  absl::StatusOr<std::pair<ProducerId, ProducerEpoch>> WaitForIdentity(Duration timeout);
  // The number of partitions of `topic`, waiting for its metadata; errors as Send.
  absl::StatusOr<int32_t> PartitionCount(absl::string_view topic, Duration timeout);
  // For metrics.
  [[nodiscard]] ProducerStats stats() const;

 private:
  class Impl;
  explicit Producer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quipu
