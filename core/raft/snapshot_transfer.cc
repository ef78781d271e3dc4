#include "core/raft/snapshot_transfer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"

namespace quipu {

SnapshotSender::SnapshotSender(std::shared_ptr<const RaftSnapshot> snapshot, size_t chunk_bytes)
    : snapshot_(std::move(snapshot)), chunk_bytes_(std::max<size_t>(chunk_bytes, 1)) {
  QUIPU_CHECK(snapshot_ != nullptr);
  crc_ = Crc32cExtend(Crc32c(snapshot_->data), snapshot_->voters);
}

message::SnapshotChunk SnapshotSender::NextChunk(Instant now) {
  const std::string& data = snapshot_->data;
  QUIPU_CHECK(position_ <= data.size());
  const size_t length = std::min<size_t>(chunk_bytes_, data.size() - position_);
  message::SnapshotChunk chunk;
  chunk.set_last_index(snapshot_->last_index.value());
  chunk.set_last_term(snapshot_->last_term.value());
  chunk.set_position(position_);
  chunk.set_data(data.substr(position_, length));
  chunk.set_total_bytes(data.size());
  chunk.set_voters(snapshot_->voters);
  chunk.set_done(position_ + length == data.size());
  if (chunk.done()) chunk.set_crc32c(crc_);
  sent_at_ = now;
  return chunk;
}

bool SnapshotSender::OnReceived(uint64_t position) {
  if (position <= position_ || position > snapshot_->data.size()) return false;
  position_ = position;
  return true;
}

void SnapshotSender::Rewind(uint64_t position) {
  // A follower never has more than was sent; an old answer may still say so.
  position_ = std::min(position, position_);
}

SnapshotReceiver::Result SnapshotReceiver::Add(const message::SnapshotChunk& chunk) {
  if (!IsOfPresent(chunk)) {
    Clear();
    last_index_ = LogIndex(chunk.last_index());
    last_term_ = Term(chunk.last_term());
    voters_ = chunk.voters();
    total_bytes_ = chunk.total_bytes();
  }
  if (chunk.total_bytes() > bytes_max_ || chunk.position() > chunk.total_bytes() ||
      chunk.data().size() > chunk.total_bytes() - chunk.position()) {
    Clear();
    return Result::kRestart;
  }
  if (chunk.position() > data_.size()) return Result::kRestart;  // a middle part is missing
  if (chunk.position() < data_.size()) return Result::kMore;     // a chunk once more
  data_.append(chunk.data());
  if (!chunk.done()) return Result::kMore;
  if (data_.size() != total_bytes_ || Crc32cExtend(Crc32c(data_), voters_) != chunk.crc32c()) {
    Clear();
    return Result::kRestart;
  }
  return Result::kComplete;
}

RaftSnapshot SnapshotReceiver::Take() {
  RaftSnapshot snapshot{last_index_, last_term_, std::move(data_), std::move(voters_)};
  Clear();
  return snapshot;
}

bool SnapshotReceiver::IsOfPresent(const message::SnapshotChunk& chunk) const {
  return chunk.last_index() == last_index_.value() && chunk.last_term() == last_term_.value() &&
         chunk.voters() == voters_ && chunk.total_bytes() == total_bytes_;
}

void SnapshotReceiver::Clear() {
  data_ = std::string();
  voters_ = std::string();
  last_index_ = LogIndex(0);
  last_term_ = Term(0);
  total_bytes_ = 0;
}

}  // namespace quipu
