#include "client/examples/payments/payment_producer.h"

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/examples/payments/event_log.h"
#include "client/examples/payments/log_reader.h"
#include "client/examples/payments/producer_state.h"
#include "client/producer.h"
#include "core/client/partitioner.h"

namespace quipu::payments {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kStartTimeout = std::chrono::seconds(30);
constexpr auto kFlushTimeout = std::chrono::seconds(150);
constexpr auto kFlushSlice = std::chrono::milliseconds(50);
constexpr int kReadPatienceMs = 30000;

// Holds the sender back so that rows leave evenly.
class Pace {
 public:
  explicit Pace(int64_t rows_per_second) : rate_(rows_per_second), start_(Clock::now()) {}
  void WaitForTurn() {
    if (rate_ <= 0) return;
    const auto due = start_ + std::chrono::nanoseconds(sent_++ * 1000000000 / rate_);
    // Sleeping shorter than this costs more than it evens out.
    if (due - Clock::now() > std::chrono::milliseconds(1)) std::this_thread::sleep_until(due);
  }

 private:
  int64_t rate_;
  Clock::time_point start_;
  int64_t sent_ = 0;
};

// One life of the producing program.
class PaymentProducer {
 public:
  explicit PaymentProducer(const ProduceOptions& options) : options_(options) {}

  absl::StatusOr<ProduceSummary> Run() {
    QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<PaymentInput> input, PaymentInput::Open(options_.input));
    QUIPU_RETURN_IF_ERROR(Begin());
    if (summary_.resumed) QUIPU_RETURN_IF_ERROR(LearnWhatIsThere());
    const absl::Status sent = SendAll(*input);
    // After a failure too: what other partitions still hold need not be sent again.
    const absl::Status drained = Drain();
    const absl::Status closed = producer_->Close(Duration(0));
    QUIPU_RETURN_IF_ERROR(sent);
    QUIPU_RETURN_IF_ERROR(FirstFailure());
    QUIPU_RETURN_IF_ERROR(drained);
    QUIPU_RETURN_IF_ERROR(closed);
    summary_.acknowledged = events_->acked() - summary_.already_there;
    summary_.bad_rows = input->bad_rows();
    return summary_;
  }

 private:
  // Takes up or gets a producer id and makes it durable before anything is sent.
  absl::Status Begin() {
    QUIPU_ASSIGN_OR_RETURN(const auto former, LoadProducerState(options_.state_directory));
    summary_.resumed = former.has_value();
    QUIPU_ASSIGN_OR_RETURN(
        producer_, Producer::Create({{"bootstrap.servers", options_.bootstrap_servers}}, former));
    QUIPU_ASSIGN_OR_RETURN(const ProducerIdentityPair identity,
                           producer_->WaitForIdentity(kStartTimeout));
    QUIPU_RETURN_IF_ERROR(SaveProducerState(options_.state_directory, identity));
    QUIPU_ASSIGN_OR_RETURN(partitions_, producer_->PartitionCount(options_.topic, kStartTimeout));
    QUIPU_ASSIGN_OR_RETURN(events_, EventLog::Open(options_.events_path, partitions_));
    return absl::OkStatus();
  }

  absl::Status LearnWhatIsThere() {
    std::vector<std::future<DeliveryResult>> markers;
    for (int32_t partition = 0; partition < partitions_; ++partition) {
      ProducerRecord marker;
      marker.topic = options_.topic;
      marker.partition = PartitionIndex(partition);
      marker.value = "";
      marker.headers = {RecordHeader{.key = kResumeHeader, .value = std::nullopt}};
      markers.push_back(producer_->Send(marker));
    }
    PartitionEnds ends;
    for (std::future<DeliveryResult>& marker : markers) {
      const DeliveryResult result = marker.get();
      if (!result.ok()) {
        return ToStatus(result.error, absl::StrCat("the resume marker was not acknowledged: ",
                                                   result.message, "; start again to go on"));
      }
      // Without a place there is nothing to read up to, and guessing could double a payment.
      if (result.offset == kNoOffset) {
        return absl::AbortedError("a resume marker's offset is not known; start again to go on");
      }
      ends[result.partition] = result.offset;
    }
    absl::Status bad = absl::OkStatus();
    QUIPU_RETURN_IF_ERROR(ReadPartitions(options_.bootstrap_servers, options_.topic, ends,
                                         kReadPatienceMs, [&](const ReadRecord& record) {
                                           const auto payment =
                                               DecodePayment(record.key, record.value);
                                           if (payment.ok()) {
                                             there_.insert(payment->row);
                                           } else {
                                             bad = payment.status();
                                           }
                                         }));
    QUIPU_RETURN_IF_ERROR(bad);
    summary_.already_there = there_.size();
    events_->AlreadyThere(there_.size());
    return absl::OkStatus();
  }

  absl::Status SendAll(PaymentInput& input) {
    Pace pace(options_.rate);
    while (true) {
      QUIPU_ASSIGN_OR_RETURN(const std::optional<Payment> payment, input.Next());
      if (!payment.has_value()) break;
      ++summary_.rows;
      if (there_.contains(payment->row)) continue;
      pace.WaitForTurn();
      QUIPU_RETURN_IF_ERROR(SendOne(*payment));
    }
    return absl::OkStatus();
  }

  // Waits until everything sent is reported.
  absl::Status Drain() {
    const Clock::time_point deadline = Clock::now() + kFlushTimeout;
    while (true) {
      const absl::Status flushed = producer_->Flush(kFlushSlice);
      if (flushed.ok() || Clock::now() >= deadline) return flushed;
      QUIPU_RETURN_IF_ERROR(CheckEpoch());
    }
  }

  // The epoch must not leave the range that the state file provides for.
  absl::Status CheckEpoch() {
    if (producer_->stats().epoch_bumps < static_cast<uint64_t>(kEpochBumpsStop)) {
      return absl::OkStatus();
    }
    return absl::AbortedError("the producer epoch was raised too often; start again to go on");
  }

  // Waits while the producer's memory is used up; fails once any row has failed. Looking and
  // sending are one step under the lock that the callback takes: what is sent before a failure is
  // told fails with it, and nothing is sent after it, so no row gets ahead of a failed one of its
  // account.
  absl::Status SendOne(const Payment& payment) {
    const std::string value = EncodePayment(payment);
    const PartitionIndex partition = PartitionForKey(payment.key, partitions_);
    ProducerRecord record;
    record.topic = options_.topic;
    record.partition = partition;
    record.key = payment.key;
    record.value = value;
    events_->Sent(partition);
    const Producer::Callback callback = [this, partition,
                                         row = payment.row](const DeliveryResult& result) {
      if (result.ok()) {
        events_->Acked(partition);
        return;
      }
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_.ok()) return;
      failure_ = ToStatus(result.error,
                          absl::StrCat("row ", row, " was not acknowledged (persisted: ",
                                       PersistedName(result.persisted), "): ", result.message,
                                       "; start again to go on from there"));
    };
    while (true) {
      QUIPU_RETURN_IF_ERROR(CheckEpoch());
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        QUIPU_RETURN_IF_ERROR(failure_);
        const ErrorCode error = producer_->TrySend(record, callback);
        if (error == ErrorCode::kNone) return absl::OkStatus();
        if (error != ErrorCode::kBufferFull) break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // ends with delivery.timeout.ms
    }
    const DeliveryResult refused = producer_->Send(record).get();  // which says why
    return ToStatus(refused.error, absl::StrCat("row ", payment.row, " (line ", payment.line,
                                                ") was refused: ", refused.message));
  }

  absl::Status FirstFailure() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return failure_;
  }

  const ProduceOptions& options_;
  ProduceSummary summary_;
  int32_t partitions_ = 0;
  absl::flat_hash_set<uint64_t> there_;
  std::mutex mutex_;
  absl::Status failure_;
  // The producer's callbacks use the event log: it must outlive the producer.
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<Producer> producer_;
};

}  // namespace

absl::StatusOr<ProduceSummary> ProducePayments(const ProduceOptions& options) {
  return PaymentProducer(options).Run();
}

}  // namespace quipu::payments
