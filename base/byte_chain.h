// A message as a chain of slices, in which large parts are shared instead of copied.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace quipu {

// The slices of one encoded message, in order.
using ByteChain = std::vector<Bytes>;

inline size_t SizeOf(const ByteChain& chain) {
  size_t size = 0;
  for (const Bytes& slice : chain) size += slice.size();
  return size;
}

// A copy in one piece.
inline std::string Joined(const ByteChain& chain) {
  std::string text;
  text.reserve(SizeOf(chain));
  for (const Bytes& slice : chain) text.append(slice.data(), slice.size());
  return text;
}

// Collects small fields in one string, and remembers shared bytes with the place where they belong.
// One owner.
class ByteChainBuilder {
 public:
  // What was appended and not shared. To be appended to; what is there may be overwritten in place.
  std::string& text() { return text_; }
  // `bytes` come next.
  void Share(const Bytes& bytes) {
    if (bytes.empty()) return;
    shared_.emplace_back(text_.size(), bytes);
    shared_bytes_ += bytes.size();
  }
  // All of `other` comes next.
  void Append(const ByteChainBuilder& other) {
    for (const auto& [position, bytes] : other.shared_) {
      shared_.emplace_back(text_.size() + position, bytes);
    }
    text_ += other.text_;
    shared_bytes_ += other.shared_bytes_;
  }
  // Bytes so far, shared ones included.
  [[nodiscard]] size_t size() const { return text_.size() + shared_bytes_; }
  // The message. The builder is empty afterwards.
  ByteChain Finish() {
    ByteChain chain;
    chain.reserve(2 * shared_.size() + 1);
    const Bytes text(std::move(text_));
    size_t position = 0;
    for (auto& [place, bytes] : shared_) {
      if (place > position) chain.push_back(text.Slice(position, place - position));
      chain.push_back(std::move(bytes));
      position = place;
    }
    if (text.size() > position) chain.push_back(text.Slice(position, text.size() - position));
    text_.clear();
    shared_.clear();
    shared_bytes_ = 0;
    return chain;
  }

 private:
  std::string text_;
  // Shared bytes and the position in `text_` that they come before, rising.
  std::vector<std::pair<size_t, Bytes>> shared_;
  size_t shared_bytes_ = 0;
};

}  // namespace quipu
