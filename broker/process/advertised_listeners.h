// advertised.listeners: the addresses by which others reach a broker's listeners.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

// One address for each listener; without a host: what the listener is bound to is told.
struct AdvertisedListeners {
  HostPort client;
  HostPort peer;
  HostPort kafka;
  friend bool operator==(const AdvertisedListeners&, const AdvertisedListeners&) = default;
};

// Reads NAME://HOST:PORT joined by commas, as Kafka's key of this name; names are CLIENT, PEER and
// KAFKA, in any case. kInvalidConfig: an unknown name, one given twice, an address without host or
// port, or one that nobody can connect to (0.0.0.0, ::, port 0). Empty text: none.
absl::StatusOr<AdvertisedListeners> ParseAdvertisedListeners(absl::string_view text);

}  // namespace quipu
