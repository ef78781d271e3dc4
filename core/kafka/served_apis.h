// Which APIs a listener has handlers for: what ApiVersions tells, and what is let in.
#pragma once

#include <array>

#include "absl/types/span.h"
#include "base/error_code.h"
#include "core/kafka/admin/api_versions.h"
#include "core/kafka/api.h"

namespace quipu::kafka {

// Value type. Clients turn features on by what is advertised, so an API belongs here when all of it
// works, and not before.
class ServedApis {
 public:
  explicit ServedApis(absl::Span<const ApiKey> keys);
  [[nodiscard]] bool Has(ApiKey key) const { return served_[static_cast<size_t>(key)]; }
  // The answer to ApiVersions, by rising key. With kUnsupportedVersion it is what a client whose
  // ApiVersions is newer than ours gets, encoded as version 0: it chooses again by the table
  // (KIP-511).
  [[nodiscard]] ApiVersionsResponse Answer(ErrorCode error) const;

 private:
  static constexpr size_t kKeysMax = 128;
  std::array<bool, kKeysMax> served_{};
};

}  // namespace quipu::kafka
