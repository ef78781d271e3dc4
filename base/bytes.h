// Immutable bytes that are shared, never copied.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace quipu {

// A view into memory that it keeps alive: the record bytes of a batch on their way from socket to
// store to socket. Copying a Bytes copies a pointer. The bytes must not change once wrapped.
// Thread-safe to copy and read.
class Bytes {
 public:
  Bytes() = default;
  // Takes over `text`.
  explicit Bytes(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    data_ = owner->data();
    size_ = owner->size();
    owner_ = std::move(owner);
  }
  // Memory kept alive by `owner`; `view` must stay valid and unchanged as long as it lives.
  Bytes(std::shared_ptr<const void> owner, absl::string_view view)
      : owner_(std::move(owner)), data_(view.data()), size_(view.size()) {}

  static Bytes CopyOf(absl::string_view view) { return Bytes(std::string(view)); }

  [[nodiscard]] absl::string_view view() const { return {data_, size_}; }
  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string ToString() const { return std::string(data_, size_); }

  // The part [position, position + length), cut at the end; shares the owner.
  [[nodiscard]] Bytes Slice(size_t position, size_t length) const {
    return Bytes(owner_, view().substr(position, length));
  }
  // What keeps the bytes alive.
  [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view() == b.view(); }

 private:
  std::shared_ptr<const void> owner_;
  const char* data_ = "";
  size_t size_ = 0;
};

}  // namespace quipu
