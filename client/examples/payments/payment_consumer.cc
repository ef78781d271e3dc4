#include "client/examples/payments/payment_consumer.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/consumer.h"
#include "client/examples/payments/ledger.h"
#include "client/examples/payments/payment_input.h"

namespace quipu::payments {
namespace {

using Clock = std::chrono::steady_clock;

// The ledgers of all partitions; one mutex, since a partition moves between members.
class Ledgers {
 public:
  explicit Ledgers(std::string directory) : directory_(std::move(directory)) {}

  // Applies the records of one poll and saves every ledger that changed.
  absl::Status Apply(const std::vector<ConsumerRecord>& records) {
    const std::lock_guard<std::mutex> lock(mutex_);
    absl::btree_set<PartitionIndex> changed;
    for (const ConsumerRecord& record : records) {
      QUIPU_RETURN_IF_ERROR(ApplyOne(record, changed));
    }
    for (const PartitionIndex partition : changed) {
      QUIPU_RETURN_IF_ERROR(ledgers_.at(partition).Save());
    }
    return absl::OkStatus();
  }
  // Where the ledger of a newly assigned partition goes on.
  absl::StatusOr<Offset> Assigned(PartitionIndex partition) {
    const std::lock_guard<std::mutex> lock(mutex_);
    QUIPU_ASSIGN_OR_RETURN(const PartitionLedger* ledger, Find(partition));
    return ledger->next_offset();
  }
  void Rebalanced() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++summary_.rebalances;
  }
  // Loads the ledgers of a former run.
  absl::Status LoadAll(int partitions) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (int i = 0; i < partitions; ++i) QUIPU_RETURN_IF_ERROR(Find(PartitionIndex(i)).status());
    return absl::OkStatus();
  }
  [[nodiscard]] ConsumeSummary summary() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return summary_;
  }

 private:
  absl::StatusOr<PartitionLedger*> Find(PartitionIndex partition) {
    const auto found = ledgers_.find(partition);
    if (found != ledgers_.end()) return &found->second;
    QUIPU_ASSIGN_OR_RETURN(PartitionLedger ledger, PartitionLedger::Load(directory_, partition));
    for (const auto& [account, total] : ledger.accounts()) summary_.applied += total.payments;
    return &ledgers_.emplace(partition, std::move(ledger)).first->second;
  }

  absl::Status ApplyOne(const ConsumerRecord& record, absl::btree_set<PartitionIndex>& changed) {
    QUIPU_ASSIGN_OR_RETURN(PartitionLedger * ledger, Find(record.partition()));
    if (record.offset() < ledger->next_offset()) {
      ++summary_.redelivered;
      return absl::OkStatus();
    }
    changed.insert(record.partition());
    for (const RecordHeader& header : record.headers()) {
      if (header.key != kResumeHeader) continue;
      ledger->Skip(record.offset());
      ++summary_.markers;
      return absl::OkStatus();
    }
    absl::StatusOr<Payment> payment = DecodePayment(record.key().value_or(absl::string_view()),
                                                    record.value().value_or(absl::string_view()));
    if (!payment.ok()) {
      return absl::DataLossError(absl::StrCat("partition ", record.partition().value(), " offset ",
                                              record.offset().value(), ": ",
                                              payment.status().message()));
    }
    const absl::Status applied =
        ledger->Apply(record.offset(), payment->key, payment->amount, payment->balance);
    if (!applied.ok()) {
      return absl::OutOfRangeError(absl::StrCat("partition ", record.partition().value(),
                                                " offset ", record.offset().value(), ": ",
                                                applied.message()));
    }
    ++summary_.applied;
    return absl::OkStatus();
  }

  const std::string directory_;
  mutable std::mutex mutex_;
  absl::btree_map<PartitionIndex, PartitionLedger> ledgers_;
  ConsumeSummary summary_;
};

// What the members share.
struct Shared {
  explicit Shared(const ConsumeOptions& given) : options(given), ledgers(given.ledger_directory) {}
  const ConsumeOptions& options;
  Ledgers ledgers;
  std::atomic<bool> stop{false};
  std::atomic<int64_t> last_record_ns{Clock::now().time_since_epoch().count()};
};

// The ledger says what is applied, and the group's offset nothing: it may be older, of a lost
// commit, or newer, of a ledger that is gone.
absl::Status SeekToLedger(Ledgers& ledgers, Consumer& consumer, const NamedPartition& partition) {
  QUIPU_ASSIGN_OR_RETURN(const Offset next, ledgers.Assigned(partition.partition));
  if (next == Offset(0)) return consumer.SeekToBeginning(partition);
  return consumer.Seek(partition, next);
}

absl::Status RunMember(Shared& shared) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer,
                         Consumer::Create({{"bootstrap.servers", shared.options.bootstrap_servers},
                                           {"group.id", shared.options.group},
                                           {"auto.offset.reset", "earliest"},
                                           {"max.poll.records", "2000"}}));
  absl::Status sought;
  RebalanceListener listener;
  listener.on_assigned = [&](const NamedOffsets& assigned) {
    shared.ledgers.Rebalanced();
    for (const auto& [partition, committed] : assigned) {
      const absl::Status status = SeekToLedger(shared.ledgers, *consumer, partition);
      if (sought.ok()) sought = status;
    }
  };
  QUIPU_RETURN_IF_ERROR(consumer->Subscribe({shared.options.topic}, listener));
  while (!shared.stop) {
    QUIPU_ASSIGN_OR_RETURN(const std::vector<ConsumerRecord> records,
                           consumer->Poll(std::chrono::milliseconds(200)));
    QUIPU_RETURN_IF_ERROR(sought);
    if (records.empty()) continue;
    shared.last_record_ns = Clock::now().time_since_epoch().count();
    QUIPU_RETURN_IF_ERROR(shared.ledgers.Apply(records));
    // For whoever watches the group's lag; where to read is the ledger's to say.
    consumer->CommitAsync();
  }
  return consumer->Close();
}

bool IsDone(const Shared& shared) {
  const ConsumeOptions& options = shared.options;
  if (options.rows > 0 && shared.ledgers.summary().applied >= options.rows) return true;
  const auto idle = Clock::now().time_since_epoch().count() - shared.last_record_ns;
  return options.idle_seconds > 0 && idle > int64_t{options.idle_seconds} * 1000000000;
}

}  // namespace

absl::StatusOr<ConsumeSummary> ConsumePayments(const ConsumeOptions& options) {
  Shared shared(options);
  {
    QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> probe,
                           Consumer::Create({{"bootstrap.servers", options.bootstrap_servers}}));
    QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> partitions,
                           probe->PartitionsOf(options.topic));
    QUIPU_RETURN_IF_ERROR(shared.ledgers.LoadAll(static_cast<int>(partitions.size())));
  }
  std::mutex mutex;
  absl::Status failure;
  std::vector<std::thread> members;
  for (int i = 0; i < options.members; ++i) {
    members.emplace_back([&] {
      const absl::Status status = RunMember(shared);
      const std::lock_guard<std::mutex> lock(mutex);
      // One member's error ends the program: its partitions would stand still otherwise.
      if (!status.ok() && failure.ok()) failure = status;
      if (!status.ok()) shared.stop = true;
    });
  }
  while (!shared.stop && !IsDone(shared))
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  shared.stop = true;
  for (std::thread& member : members) member.join();
  QUIPU_RETURN_IF_ERROR(failure);
  return shared.ledgers.summary();
}

}  // namespace quipu::payments
