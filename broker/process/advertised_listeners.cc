#include "broker/process/advertised_listeners.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config/config_spec.h"
#include "base/error_code.h"
#include "runtime/process.h"

namespace quipu {
namespace {

absl::Status Wrong(absl::string_view part, absl::string_view what) {
  return ToStatus(
      ErrorCode::kInvalidConfig,
      absl::StrCat("advertised.listeners: \"", ShownConfigValue(part), "\" ", what,
                   "; expected NAME://HOST:PORT joined by commas, NAME being CLIENT, PEER or "
                   "KAFKA"));
}

}  // namespace

absl::StatusOr<AdvertisedListeners> ParseAdvertisedListeners(absl::string_view text) {
  AdvertisedListeners listeners;
  if (absl::StripAsciiWhitespace(text).empty()) return listeners;
  for (const absl::string_view raw : absl::StrSplit(text, ',')) {
    const absl::string_view part = absl::StripAsciiWhitespace(raw);
    const size_t end = part.find("://");
    if (end == absl::string_view::npos) return Wrong(part, "has no NAME://");
    const std::string name = absl::AsciiStrToUpper(part.substr(0, end));
    HostPort* listener = name == "CLIENT"  ? &listeners.client
                         : name == "PEER"  ? &listeners.peer
                         : name == "KAFKA" ? &listeners.kafka
                                           : nullptr;
    if (listener == nullptr) return Wrong(part, "names no listener");
    if (!listener->host.empty()) return Wrong(part, "names a listener for the second time");
    const bool parsed = ParseEndpoint(part.substr(end + 3), &listener->host, &listener->port);
    if (!parsed || listener->host.empty()) return Wrong(part, "has no address");
    if (listener->port == 0 || IsWildcardHost(listener->host)) {
      return Wrong(part, "is no address that others can connect to");
    }
  }
  return listeners;
}

}  // namespace quipu
