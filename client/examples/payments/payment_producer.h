// Produces the payments of a CSV file, keyed by account, so that each is in the log exactly once,
// also when the program is killed and started again.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/examples/payments/payment_input.h"

namespace quipu::payments {

struct ProduceOptions {
  std::string bootstrap_servers;
  std::string topic;
  PaymentInput::Options input;
  std::string state_directory;  // must exist
  int64_t rate = 3000;          // rows per second; 0: as fast as it goes
  std::string events_path;      // empty: none
};

struct ProduceSummary {
  uint64_t rows = 0;           // of the input
  uint64_t already_there = 0;  // found in the log after a restart
  uint64_t acknowledged = 0;   // by this life of the program
  uint64_t bad_rows = 0;
  bool resumed = false;
};

// How it goes on after a kill: the producer id is taken up with a higher epoch, a marker (null key,
// header quipu.resume) is written to every partition. Once a marker is acknowledged, batches of
// the old epoch are fenced on its partition, so what stands below it is all that there will ever be
// of the former life; those rows are read back and left out.
absl::StatusOr<ProduceSummary> ProducePayments(const ProduceOptions& options);

}  // namespace quipu::payments
