// Persist before speak: the writes on their way to the disk, and what waits for each.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "core/raft/raft_types.h"

namespace quipu {

// Gathers the changes of one input into one RaftWrite, keeps the messages that must not leave
// before it (Raft checklist 1), and knows how much of the log is durable.
//
// The durable index counts an entry only while the entry that was written is still the one in the
// log: a truncation cuts the range that an earlier write still stands for, so its late completion
// acknowledges nothing that has since been overwritten (C10).
class WriteQueue {
 public:
  // `durable_index`: the end of the log as recovered.
  explicit WriteQueue(LogIndex durable_index) : durable_index_(durable_index) {}

  // ---- while an input is being worked on ----
  // The change under construction; empty at the start of each input.
  RaftWrite& current() { return current_; }
  // `message` leaves when everything changed so far, this input included, is durable.
  void HoldMessage(message::RaftMessage message) { held_.push_back(std::move(message)); }
  // The own vote in `term` counts when durable, like anybody's.
  void HoldOwnVote(Term term) { held_vote_ = term; }
  // The log has been cut: `kept` is the last index that is still what was written.
  void OnTruncated(LogIndex kept);
  // The end of the input: gives the write out, or lets the messages go when nothing is pending.
  //   last_index  end of the log that the write makes durable
  void Flush(LogIndex last_index, RaftEffects& effects);

  // ---- completions ----
  struct Completed {
    std::vector<message::RaftMessage> messages;
    std::optional<Term> own_vote;
  };
  // Everything up to write `id` is durable. An id that has been completed before, or was never
  // given out, changes nothing.
  Completed OnPersisted(RaftWriteId id);

  [[nodiscard]] LogIndex durable_index() const { return durable_index_; }
  [[nodiscard]] bool idle() const { return pending_.empty(); }
  [[nodiscard]] RaftWriteId last_id() const { return last_id_; }

 private:
  struct Pending {
    RaftWriteId id = 0;
    LogIndex last_index;  // of the log once this write is durable, as far as it still stands
    std::vector<message::RaftMessage> messages;
    std::optional<Term> own_vote;
  };

  RaftWrite current_;
  std::vector<message::RaftMessage> held_;
  std::optional<Term> held_vote_;
  std::deque<Pending> pending_;
  RaftWriteId last_id_ = 0;
  LogIndex durable_index_;
};

}  // namespace quipu
