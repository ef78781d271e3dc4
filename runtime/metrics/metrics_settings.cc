#include "runtime/metrics/metrics_settings.h"

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "runtime/process.h"

namespace quipu {

void AddMetricsKeys(ConfigKeys& keys, MetricsSettings& settings, bool of_broker) {
  keys.AddParsed("metrics.listener", "", "HOST:PORT, or nothing",
                 "where Prometheus scrapes /metrics; port 0 takes a free one; by default there is "
                 "no such listener",
                 [&settings](absl::string_view text) {
                   settings.host.clear();
                   settings.port = 0;
                   return text.empty() || ParseEndpoint(text, &settings.host, &settings.port);
                 });
  keys.Add<size_t>("metrics.partitions.max", &settings.partitions_max, 0, 1000000,
                   "partitions, and partitions of groups, that one process exports metrics of");
  keys.AddMillis("metrics.scrape.timeout.ms", &settings.scrape_timeout, 1, 60000,
                 "a thread that has not answered a scrape by then is told as it was before");
  if (!of_broker) return;
  keys.AddMillis("metrics.lag.interval.ms", &settings.lag_interval, 10, 3600000,
                 "how often the lag of groups is looked at; ten looks decide on a group's state");
}

absl::Status CheckMetricsListener(const MetricsSettings& settings, bool unsafe_plaintext_network) {
  if (!settings.on() || unsafe_plaintext_network || IsLoopbackHost(settings.host)) {
    return absl::OkStatus();
  }
  return ToStatus(ErrorCode::kInvalidConfig,
                  absl::StrCat("metrics.listener=", settings.host, ":", settings.port,
                               " can be reached from other machines, and nothing is encrypted or "
                               "authenticated; expected an address such as 127.0.0.1, or "
                               "quipu.unsafe.plaintext.network=true on a network that you trust"));
}

}  // namespace quipu
