// A hash of the whole state of a machine, for explorers that ask whether they were here before.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/time.h"

namespace quipu {

// Takes in values one after another; equal sequences give equal values, others (in 2^128) hardly
// ever do. Not for secrets, not kept anywhere: the value may change with the code. One owner.
//
// Time has no beginning for a machine, so an Instant counts as one of four: more than `grain` ago,
// past or now, within `grain`, later. States that differ in times alone, and not in these, are
// taken for one.
class Fingerprint {
 public:
  Fingerprint(Instant now, Duration grain) : now_(now), grain_(grain) {}

  template <typename... Values>
  void Add(const Values&... values) {
    (AddOne(values), ...);
  }
  [[nodiscard]] std::pair<uint64_t, uint64_t> value() const { return {a_, b_}; }
  // From here on instants are compared with another clock.
  void SetNow(Instant now) { now_ = now; }

 private:
  template <typename T>
    requires std::integral<T> || std::is_enum_v<T>
  void AddOne(T value) {
    Mix(static_cast<uint64_t>(value));
  }
  template <typename Tag, typename Rep>
  void AddOne(StrongInt<Tag, Rep> value) {
    Mix(static_cast<uint64_t>(value.value()));
  }
  void AddOne(Instant value) {
    const Duration distance = value - now_;
    const Duration none = Duration::zero();
    Mix(distance > grain_ ? 3u : distance > none ? 2u : distance > none - grain_ ? 1u : 0u);
  }
  void AddOne(absl::string_view text) {
    Mix(text.size());
    uint64_t word = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      word = word << 8 | static_cast<unsigned char>(text[i]);
      if (i % 8 == 7) Mix(std::exchange(word, 0));
    }
    Mix(word);
  }
  template <typename T>
  void AddOne(const std::vector<T>& values) {
    Mix(values.size());
    for (const T& value : values) AddOne(value);
  }
  template <typename T>
  void AddOne(const std::optional<T>& value) {
    Mix(value.has_value());
    if (value.has_value()) AddOne(*value);
  }
  template <typename A, typename B>
  void AddOne(const std::pair<A, B>& value) {
    Add(value.first, value.second);
  }
  // Anything that says itself what its state is.
  template <typename T>
    requires requires(const T& value, Fingerprint& to) { value.AddTo(to); }
  void AddOne(const T& value) {
    value.AddTo(*this);
  }

  void Mix(uint64_t value) {
    a_ = Scramble(a_ ^ value);
    b_ = Scramble(b_ + value * 0x9E3779B97F4A7C15u);
  }
  // The finalizer of splitmix64: every bit of the input moves every bit of the output.
  static uint64_t Scramble(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }

  Instant now_;
  Duration grain_;
  uint64_t a_ = 1;
  uint64_t b_ = 2;
};

}  // namespace quipu
