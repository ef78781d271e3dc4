// Code of the application's that sees every record on its way (KIP-42): for tracing, auditing,
// metrics.
//
// An interceptor never stops the way: what it returns besides OK is logged, at most once in 10 s
// for each client, and the record, acknowledgement or commit goes on as if it was not there. Its
// functions are noexcept: an exception that leaves one ends the process. The client shares the
// ownership; the same interceptor may serve several clients if it is thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/named_partition.h"
#include "client/observe/statistics.h"
#include "core/client/consumer_types.h"

namespace quipu {

struct ProducerRecord;
struct DeliveryResult;

// What an interceptor does to a record. Topic, key and partition stay: the order of an account
// rests on them.
struct SendChanges {
  std::vector<std::pair<std::string, std::string>> headers;  // put behind those of the record
  std::optional<std::string> value;                          // in place of the record's
};

class ProducerInterceptor {
 public:
  virtual ~ProducerInterceptor() = default;
  // Before a record is taken over, in the thread that calls Send or TrySend: at the same time in as
  // many threads as send. Sees what the interceptors before it have changed. With an error its
  // changes are dropped. A TrySend that is refused and tried again is seen again.
  virtual absl::Status OnSend(const ProducerRecord& record, SendChanges& changes) noexcept;
  // Once for each record, before its callback: on the owner thread, or for a record that Send
  // refuses in the caller's. Must not block.
  virtual absl::Status OnAcknowledgement(absl::string_view topic,
                                         const DeliveryResult& result) noexcept;
};

class ConsumerInterceptor {
 public:
  virtual ~ConsumerInterceptor() = default;
  // Before Poll returns these records, in its thread.
  virtual absl::Status OnConsume(const std::vector<ConsumerRecord>& records) noexcept;
  // When the coordinator has acknowledged these offsets, auto-commits too, before the callback: on
  // the owner thread. Must not block.
  virtual absl::Status OnCommit(const NamedOffsets& offsets) noexcept;
};

// In order; nullptr is not allowed. Statistics need statistics.interval.ms as well.
struct ProducerHooks {
  std::vector<std::shared_ptr<ProducerInterceptor>> interceptors{};
  ProducerStatisticsFn on_statistics{};
};
struct ConsumerHooks {
  std::vector<std::shared_ptr<ConsumerInterceptor>> interceptors{};
  ConsumerStatisticsFn on_statistics{};
};

}  // namespace quipu
