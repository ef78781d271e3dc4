#include "core/kafka/served_apis.h"

#include "base/check.h"

namespace quipu::kafka {

ServedApis::ServedApis(absl::Span<const ApiKey> keys) {
  for (const ApiKey key : keys) {
    QUIPU_CHECK(static_cast<size_t>(InfoOf(key).key) < kKeysMax);
    served_[static_cast<size_t>(key)] = true;
  }
}

ApiVersionsResponse ServedApis::Answer(ErrorCode error) const {
  ApiVersionsResponse answer{.error_code = error};
  for (const ApiInfo& api : Apis()) {
    if (!Has(api.key)) continue;
    answer.api_keys.push_back({.api_key = static_cast<int16_t>(api.key),
                               .min_version = api.advertised_min,
                               .max_version = api.version_max});
  }
  return answer;
}

}  // namespace quipu::kafka
