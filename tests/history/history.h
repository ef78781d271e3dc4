// What clients did and saw, as a list of events: the input of the anomaly checker.
//
// A history is recorded by a test, in the simulator or over real processes, and judged afterwards
// from outside: nothing here knows brokers, replicas or epochs. Names follow Jepsen's Kafka
// checker (jepsen/tests/kafka.clj). docs/testing.md has the same form as lines of JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace quipu::history {

enum class EventType {
  kInvoke,  // the client begins
  kOk,      // it happened
  kFail,    // it did not happen and never will
  kInfo,    // unknown: it may have happened, or happen later
};

enum class EventKind {
  kSend,
  kPoll,
  kAssign,    // a consumer begins to read a partition at `offset`, whatever it had read before
  kTransfer,  // a send whose record moves `amount` from one account to another
};

inline constexpr int64_t kNone = -1;

// A transfer of money, as the record says.
struct Transfer {
  std::string from;
  std::string to;
  int64_t amount = 0;
  friend bool operator==(const Transfer&, const Transfer&) = default;
};

// One record of a poll or of a batch that was sent.
struct Record {
  int64_t offset = kNone;
  int64_t value = kNone;
  bool has_transfer = false;
  Transfer transfer;
};

// One event. A send has an invoke event and at most one other, joined by the value, which is
// unique in the history: a client may have many sends under way. A batch that is sent as one has
// its values in `records`. A poll is one kOk event for each partition that it gave records of.
struct Event {
  int64_t process = 0;  // the client; the order of its events is the order of its doings
  int64_t time_ns = 0;  // of one clock for the whole history
  EventType type = EventType::kInvoke;
  EventKind kind = EventKind::kSend;
  int64_t partition = kNone;
  std::string key;  // the account whose records must keep their order
  int64_t value = kNone;
  int64_t offset = kNone;  // kOk of a send; kAssign
  Transfer transfer;       // kTransfer
  std::vector<Record> records;
};

}  // namespace quipu::history
