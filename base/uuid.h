// A random 128-bit identity: topics, data directories, clusters, process incarnations.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace quipu {

class Rng;

// Value type. All zero means "none". Text form: 32 lower-case hexadecimal digits. Wire form: 16
// bytes, most significant first.
class Uuid {
 public:
  static constexpr size_t kBytes = 16;

  constexpr Uuid() = default;
  constexpr Uuid(uint64_t high, uint64_t low) : high_(high), low_(low) {}

  // A new identity from `rng`; never the zero one.
  static Uuid Random(Rng& rng);
  // Parses 32 hexadecimal digits (dashes are skipped). nullopt when the text is anything else.
  static std::optional<Uuid> FromText(absl::string_view text);
  // Parses exactly 16 bytes. nullopt for another length.
  static std::optional<Uuid> FromBytes(absl::string_view bytes);

  [[nodiscard]] std::string ToText() const;
  [[nodiscard]] std::string ToBytes() const;
  [[nodiscard]] constexpr bool IsZero() const { return high_ == 0 && low_ == 0; }
  [[nodiscard]] constexpr uint64_t high() const { return high_; }
  [[nodiscard]] constexpr uint64_t low() const { return low_; }

  friend constexpr bool operator==(const Uuid& a, const Uuid& b) = default;
  friend constexpr auto operator<=>(const Uuid& a, const Uuid& b) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine(std::move(h), id.high_, id.low_);
  }
  friend std::ostream& operator<<(std::ostream& out, const Uuid& id) { return out << id.ToText(); }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

}  // namespace quipu
