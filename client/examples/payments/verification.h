// Checks what the partitions hold against the input: nothing lost, doubled or out of order within
// an account, every balance following from the one before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "client/examples/payments/ledger.h"
#include "client/examples/payments/payment_input.h"

namespace quipu::payments {

// Which columns of the expected table mean what; empty: not there.
struct ExpectedTableColumns {
  std::string key;
  std::string count;
  std::string sum;
  std::string balance;
};

// Feed it the input, then each partition's records in offset order, then ask Finish. Keeps the
// whole input in memory. One owner, not thread-safe.
class PaymentVerification {
 public:
  struct Options {
    // Largest allowed difference between a row's balance and the one that follows from the row
    // before, in the amount's unit.
    int64_t balance_tolerance = 0;
    size_t findings_shown_max = 20;
  };
  explicit PaymentVerification(Options options) : options_(options) {}

  // The next row of the input.
  void Expect(Payment payment);
  // The next record of `partition`, resume markers left out by the caller.
  void OnRecord(PartitionIndex partition, Offset offset, absl::string_view key,
                absl::string_view value);
  // After the last record: rows that never came.
  void Finish();
  // Compares the final table with one from a file (plain or .xz). Columns are found by their usual
  // names where not given.
  absl::Status CompareTable(const std::string& path, ExpectedTableColumns columns);
  // Compares the final table with what consumers applied.
  void CompareLedger(const PartitionLedger& ledger);
  void FinishLedgers();

  [[nodiscard]] uint64_t rows() const { return expected_.size(); }
  [[nodiscard]] uint64_t records() const { return records_; }
  [[nodiscard]] uint64_t accounts() const { return totals_.size(); }
  [[nodiscard]] const absl::btree_map<std::string, AccountTotal>& totals() const { return totals_; }
  // Findings by kind; empty when all is well.
  [[nodiscard]] const absl::btree_map<std::string, uint64_t>& findings() const { return findings_; }
  // The first few, in words.
  [[nodiscard]] const std::vector<std::string>& shown() const { return shown_; }

 private:
  struct ExpectedRow {
    Payment payment;
    bool seen = false;
  };
  struct AccountState {
    std::optional<uint64_t> last_row;
    std::optional<int64_t> last_balance;
    PartitionIndex partition;
  };
  void Find(const char* kind, const std::string& text);
  void CheckBalance(const Payment& payment, AccountState& state, const std::string& where);

  Options options_;
  // By row number; rows skipped as bad have no entry.
  absl::flat_hash_map<uint64_t, ExpectedRow> expected_;
  std::vector<uint64_t> expected_order_;
  absl::flat_hash_map<std::string, AccountState> states_;
  absl::btree_map<std::string, AccountTotal> totals_;
  absl::btree_map<std::string, AccountTotal> ledger_totals_;
  uint64_t records_ = 0;
  absl::btree_map<std::string, uint64_t> findings_;
  std::vector<std::string> shown_;
};

}  // namespace quipu::payments
