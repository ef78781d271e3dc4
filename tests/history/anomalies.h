// Finds anomalies in a history of sends and polls.
//
// The names are those of Jepsen's Kafka checker, so far as they have a meaning without
// transactions:
//
//   lost-write             acknowledged, never read, though a later offset of the partition was
//   unseen                 acknowledged, never read, and nothing later was: the readers are stale
//   duplicate              one value at two places
//   inconsistent-offsets   one place with two values
//   phantom                a value was read that nobody sent
//   G0-realtime            a send began after another was acknowledged, and stands before it
//   G1a                    a value was read whose send failed
//   G1c-realtime           a value was read before its send began, or a send began after a poll
//                          had read a value that stands behind the one sent
//   poll-skip              of two polls of a process, one after the other, the second left out
//                          values that stand between
//   nonmonotonic-poll      ... the second went back
//   int-poll-skip, int-nonmonotonic-poll   the same within one poll
//   nonmonotonic-send      a later send of a process to a partition stands before an earlier one
//   int-send-skip, int-nonmonotonic-send   within one batch: a value between; out of order
//   account-order          a later send of a process for a key stands before an earlier one [I42]
//   written-behind-failure a send of a process for a key failed, and a later one that was sent
//   before
//                          the process was told of it was acknowledged
//   wrong-transfer         a transfer was read that differs from what was sent
//   total-not-conserved    the balances that the readers have do not add up to nothing, or not to
//                          what the transfers that are in the log make them
//   malformed              the history itself is wrong: nothing that follows proves anything
//
// "Between" and "behind" go by the values that are known to stand in a partition, not by the
// numbers of the offsets, as Jepsen does: a log may have offsets without a record. Not there, since
// they need transactions: G0, G1c and G2 over several partitions, precommitted-read.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "tests/history/history.h"

namespace quipu::history {

struct Anomaly {
  std::string name;
  std::string what;  // the first one, in words
  size_t count = 0;  // how many of them
};

struct Options {
  // The readers had all the time they needed to read to the end: what they have not read is unseen.
  bool complete = true;
};

struct Report {
  std::vector<Anomaly> anomalies;  // by name; empty: the history is clean
  // What was there to be judged.
  size_t sends = 0;
  size_t acknowledged = 0;
  size_t failed = 0;
  size_t unknown = 0;
  size_t polls = 0;
  size_t records_read = 0;
  [[nodiscard]] bool Has(const std::string& name) const;
};

// Judges `events`, in any order; those of one process are ordered by time, and by their place in
// the list where times are equal. Memory is linear in the history.
Report FindAnomalies(std::vector<Event> events, const Options& options = {});

}  // namespace quipu::history
