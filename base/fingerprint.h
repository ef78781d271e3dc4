// A hash of the whole state of a machine, for explorers that ask whether they were here before.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/time.h"

namespace quipu {

// Epochs are only ever compared, so what counts of them is which are equal and which is greater. A
// Fingerprint that is given one of these adds, instead of an epoch, its place in here; whoever
// asked for it adds how they are ordered. "None" (-1) counts as itself.
struct EpochNames {
  template <typename Epoch>
  using List = absl::InlinedVector<Epoch, 8>;
  List<LeaderEpoch> leader;
  List<PartitionEpoch> partition;
  List<BrokerEpoch> broker;

  void Clear() {
    leader.clear();
    partition.clear();
    broker.clear();
  }
};

// Takes in values one after another; equal sequences give equal values, others (in 2^128) hardly
// ever do. Not for secrets, not kept anywhere: the value may change with the code. One owner.
//
// Time has no beginning for a machine, so an Instant counts as one of four: more than `grain` ago,
// past or now, within `grain`, later. States that differ in times alone, and not in these, are
// taken for one.
class Fingerprint {
 public:
  // `names`, if given, must outlive this object.
  Fingerprint(Instant now, Duration grain, EpochNames* names = nullptr)
      : now_(now), grain_(grain), names_(names) {}

  template <typename... Values>
  void Add(const Values&... values) {
    (AddOne(values), ...);
  }
  [[nodiscard]] std::pair<uint64_t, uint64_t> value() const { return {a_, b_}; }
  // From here on instants are compared with another clock.
  void SetNow(Instant now) { now_ = now; }
  // From here on no instant counts: for machines whose time stands still from now on.
  void IgnoreTime() { counts_time_ = false; }
  [[nodiscard]] bool counts_time() const { return counts_time_; }

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
  void AddOne(LeaderEpoch value) { AddEpoch(value, names_ ? &names_->leader : nullptr); }
  void AddOne(PartitionEpoch value) { AddEpoch(value, names_ ? &names_->partition : nullptr); }
  void AddOne(BrokerEpoch value) { AddEpoch(value, names_ ? &names_->broker : nullptr); }
  template <typename Epoch>
  void AddEpoch(Epoch value, EpochNames::List<Epoch>* names) {
    if (names == nullptr || value.value() < 0) return Mix(static_cast<uint64_t>(value.value()));
    const auto found = std::find(names->begin(), names->end(), value);
    Mix(static_cast<uint64_t>(found - names->begin()));
    if (found == names->end()) names->push_back(value);
  }
  void AddOne(Instant value) {
    if (!counts_time_) return;
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
  EpochNames* names_;
  bool counts_time_ = true;
  uint64_t a_ = 1;
  uint64_t b_ = 2;
};

}  // namespace quipu
