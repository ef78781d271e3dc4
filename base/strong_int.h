// A number that mixes with no other number.
//
// StrongInt<Tag, Rep> wraps an integer so that an offset cannot be passed where an epoch is meant.
// It compares, hashes, prints, counts up and down, and adds or subtracts a plain Rep; it never
// converts by itself. `value()` gives the plain number. The default is zero.
#pragma once

#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <utility>

namespace quipu {

template <typename Tag, typename Rep>
class StrongInt {
 public:
  using ValueType = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  [[nodiscard]] constexpr Rep value() const { return value_; }
  static constexpr StrongInt Max() { return StrongInt(std::numeric_limits<Rep>::max()); }

  friend constexpr bool operator==(StrongInt a, StrongInt b) = default;
  friend constexpr auto operator<=>(StrongInt a, StrongInt b) = default;

  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }
  constexpr StrongInt& operator+=(Rep delta) {
    value_ = static_cast<Rep>(value_ + delta);
    return *this;
  }
  friend constexpr StrongInt operator+(StrongInt a, Rep delta) {
    return StrongInt(static_cast<Rep>(a.value_ + delta));
  }
  friend constexpr StrongInt operator-(StrongInt a, Rep delta) {
    return StrongInt(static_cast<Rep>(a.value_ - delta));
  }
  // The distance from b to a.
  friend constexpr Rep operator-(StrongInt a, StrongInt b) {
    return static_cast<Rep>(a.value_ - b.value_);
  }

  template <typename H>
  friend H AbslHashValue(H h, StrongInt v) {
    return H::combine(std::move(h), v.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, StrongInt v) { return out << +v.value_; }
  [[nodiscard]] std::string ToString() const { return std::to_string(value_); }

 private:
  Rep value_ = 0;
};

}  // namespace quipu
