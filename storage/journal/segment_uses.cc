#include "storage/journal/segment_uses.h"

#include <algorithm>

namespace quipu {
namespace {

constexpr size_t kUseBytes = 32;  // of one log
constexpr size_t kUseFrameBytes = 16;

}  // namespace

void SegmentUses::Add(uint64_t segment, LogId log_id, Offset last_offset, uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [log, fresh] = uses_[segment].try_emplace(
      log_id, SegmentLogUse{.first_offset = last_offset, .last_offset = last_offset, .bytes = 0});
  log->second.first_offset = std::min(log->second.first_offset, last_offset);
  log->second.last_offset = std::max(log->second.last_offset, last_offset);
  log->second.bytes += bytes;
}

void SegmentUses::AddUnknown(uint64_t segment) { Add(segment, kUnknown, Offset{0}, 0); }

void SegmentUses::Merge(uint64_t segment, const SegmentUse& use) {
  const std::lock_guard<std::mutex> lock(mutex_);
  SegmentUse& known = uses_[segment];
  for (const auto& [log_id, log] : use) {
    const auto [there, fresh] = known.try_emplace(log_id, log);
    if (fresh) continue;
    there->second.first_offset = std::min(there->second.first_offset, log.first_offset);
    there->second.last_offset = std::max(there->second.last_offset, log.last_offset);
    there->second.bytes = std::max(there->second.bytes, log.bytes);
  }
}

void SegmentUses::Remove(const std::vector<uint64_t>& segments) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const uint64_t segment : segments) uses_.erase(segment);
}

SegmentUse SegmentUses::Get(uint64_t segment) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = uses_.find(segment);
  return found == uses_.end() ? SegmentUse{} : found->second;
}

size_t SegmentUses::EncodedBytes(uint64_t segment) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = uses_.find(segment);
  return kUseFrameBytes + (found == uses_.end() ? 0 : found->second.size() * kUseBytes);
}

std::set<uint64_t> SegmentUses::Segments() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::set<uint64_t> segments;
  for (const auto& [segment, use] : uses_) segments.insert(segment);
  return segments;
}

}  // namespace quipu
