// A snapshot on its way from a leader to a follower, in chunks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/time.h"
#include "core/raft/raft_types.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// The leader's side: one chunk at a time, the next one when the follower has it. Goes on with the
// snapshot that it began with even if the leader has compacted again, or a slow follower would
// never see the end of one.
class SnapshotSender {
 public:
  SnapshotSender(std::shared_ptr<const RaftSnapshot> snapshot, size_t chunk_bytes);

  [[nodiscard]] LogIndex last_index() const { return snapshot_->last_index; }
  // The chunk at the present position; marks it as sent at `now`.
  message::SnapshotChunk NextChunk(Instant now);
  // The follower has everything below `position`. True when there is a new chunk to send; false
  // for a late or repeated answer.
  bool OnReceived(uint64_t position);
  // The follower asks to go on from `position`, having lost what it had (a restart, a bad CRC).
  void Rewind(uint64_t position);
  // When the present chunk was sent last.
  [[nodiscard]] Instant sent_at() const { return sent_at_; }

 private:
  std::shared_ptr<const RaftSnapshot> snapshot_;
  size_t chunk_bytes_;
  uint32_t crc_;
  uint64_t position_ = 0;
  Instant sent_at_{};
};

// The follower's side: gathers the chunks of one snapshot and checks the whole before it is used
// (Raft checklist 8).
class SnapshotReceiver {
 public:
  explicit SnapshotReceiver(size_t bytes_max) : bytes_max_(bytes_max) {}

  enum class Result {
    kMore,      // taken, or known already; go on at position()
    kRestart,   // cannot be used: go on at position(), which is 0 unless a middle part is missing
    kComplete,  // Take() gives the snapshot
  };
  // A chunk of the leader of this term. Memory grows by what has arrived, never by what a message
  // says will come (PR9).
  Result Add(const message::SnapshotChunk& chunk);
  [[nodiscard]] uint64_t position() const { return data_.size(); }
  RaftSnapshot Take();

 private:
  [[nodiscard]] bool IsOfPresent(const message::SnapshotChunk& chunk) const;
  void Clear();

  size_t bytes_max_;
  LogIndex last_index_;
  Term last_term_;
  std::string voters_;
  uint64_t total_bytes_ = 0;
  std::string data_;
};

}  // namespace quipu
