#include "runtime/metrics/metrics_settings.h"

#include "absl/strings/str_cat.h"
#include "runtime/process.h"

namespace quipu {

MetricsSettings ReadMetricsSettings(ConfigReader& reader, bool of_broker) {
  MetricsSettings settings;
  reader.Endpoint("metrics.listener", &settings.host, &settings.port);
  reader.Number("metrics.partitions.max", &settings.partitions_max);
  reader.Millis("metrics.scrape.timeout.ms", &settings.scrape_timeout);
  if (of_broker) reader.Millis("metrics.lag.interval.ms", &settings.lag_interval);
  return settings;
}

void CheckMetricsListener(ConfigReader& reader, const MetricsSettings& settings,
                          bool unsafe_plaintext_network) {
  if (!settings.on() || unsafe_plaintext_network || IsLoopbackHost(settings.host)) return;
  reader.Refuse(absl::StrCat("metrics.listener=", settings.host, ":", settings.port,
                             " can be reached from other machines, and nothing is encrypted or "
                             "authenticated; expected an address such as 127.0.0.1, or "
                             "quipu.unsafe.plaintext.network=true on a network that you trust"));
}

}  // namespace quipu
