// What the consumers know: each account's balance, and the next offset to apply, in one file per
// partition that is replaced as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"

namespace quipu::payments {

// The sum, or nothing when it does not fit.
std::optional<int64_t> AddAmounts(int64_t a, int64_t b);

struct AccountTotal {
  uint64_t payments = 0;
  int64_t sum = 0;
  int64_t final_balance = 0;  // the balance column of the newest payment, else the sum
  friend bool operator==(const AccountTotal&, const AccountTotal&) = default;
};

// One partition's ledger. Since offset and balances are written together, a row is *applied*
// exactly once however often it is delivered. One owner at a time, not thread-safe.
class PartitionLedger {
 public:
  // Loads DIR/partition-N.ledger, or begins an empty one. A damaged file is an error that names it.
  static absl::StatusOr<PartitionLedger> Load(const std::string& directory,
                                              PartitionIndex partition);

  [[nodiscard]] Offset next_offset() const { return next_offset_; }
  [[nodiscard]] const absl::btree_map<std::string, AccountTotal>& accounts() const {
    return accounts_;
  }
  // Applies the payment at `offset`, which must be >= next_offset(). The account's final balance is
  // `balance`, or without one its sum. kOutOfRange, naming the account, when the sum does not fit
  // into 64 bits; nothing is applied then.
  absl::Status Apply(Offset offset, const std::string& account, int64_t amount,
                     std::optional<int64_t> balance);
  // Passes over a record that carries no payment.
  void Skip(Offset offset);
  // Durable on return: written beside, synced, renamed, the directory synced.
  [[nodiscard]] absl::Status Save() const;

 private:
  std::string path_;
  std::string directory_;
  Offset next_offset_{0};
  absl::btree_map<std::string, AccountTotal> accounts_;
};

// Writes `text` to `path` so that after a crash the file is either the old or the new one, whole.
absl::Status WriteFileDurably(const std::string& directory, const std::string& path,
                              const std::string& text);
// The file's bytes; nullopt-like empty status kNotFound when there is none.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace quipu::payments
