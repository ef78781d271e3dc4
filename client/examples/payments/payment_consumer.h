// Applies payments to account balances with a consumer group.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quipu::payments {

struct ConsumeOptions {
  std::string bootstrap_servers;
  std::string topic;
  std::string group;
  int members = 3;
  std::string ledger_directory;  // must exist
  uint64_t rows = 0;             // ends when so many rows are applied; 0: at idle_seconds only
  int idle_seconds = 0;          // ends after so long without a record; 0: never
};

struct ConsumeSummary {
  uint64_t applied = 0;      // rows in the ledgers
  uint64_t redelivered = 0;  // delivered again and left out, since the ledger had them
  uint64_t markers = 0;
  uint64_t rebalances = 0;
};

// Each member applies what it is given to the ledger of the partition, which stores the next offset
// with the balances in one file write; the group's committed offset follows behind. So each row is
// applied exactly once, and a row that is delivered again (after a rebalance or a crash) is
// counted.
absl::StatusOr<ConsumeSummary> ConsumePayments(const ConsumeOptions& options);

}  // namespace quipu::payments
