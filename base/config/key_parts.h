// What the tables of settings share.
#pragma once

#include <cstdint>
#include <limits>

#include "base/config/config_spec.h"

namespace quipu {

inline constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kMiB = int64_t{1} << 20;
inline constexpr int64_t kGiB = int64_t{1} << 30;
inline constexpr int64_t kTiB = int64_t{1} << 40;
inline constexpr int64_t kPiB = int64_t{1} << 50;
inline constexpr int64_t kHourMs = int64_t{3600} * 1000;
inline constexpr int64_t kDayMs = 24 * kHourMs;

// Rows that the servers have in common.
inline constexpr ConfigSpec kLogLevelKey = {.name = "log.level",
                                            .type = ConfigType::kChoice,
                                            .fallback = "info",
                                            .words = "debug, info, warn, error",
                                            .doc = "log lines below it are not written"};
inline constexpr ConfigSpec kLogFormatKey = {.name = "log.format",
                                             .type = ConfigType::kChoice,
                                             .fallback = "logfmt",
                                             .words = "logfmt, json",
                                             .doc = "form of the log lines"};
inline constexpr ConfigSpec kLogLinesKey = {
    .name = "log.event.lines.max",
    .type = ConfigType::kNumber,
    .fallback = "100",
    .low = 1,
    .high = 1000000,
    .unit = "lines",
    .doc = "lines of one event in ten seconds; more are counted and not written"};
inline constexpr ConfigSpec kMetricsListenerKey = {
    .name = "metrics.listener",
    .type = ConfigType::kEndpoint,
    .doc = "where Prometheus scrapes /metrics; port 0 takes a free one; by default there is none"};
inline constexpr ConfigSpec kMetricsPartitionsKey = {
    .name = "metrics.partitions.max",
    .type = ConfigType::kNumber,
    .fallback = "20000",
    .high = 1000000,
    .unit = "partitions",
    .doc = "partitions, and partitions of groups, that one process exports metrics of"};
inline constexpr ConfigSpec kMetricsScrapeKey = {
    .name = "metrics.scrape.timeout.ms",
    .type = ConfigType::kNumber,
    .fallback = "1000",
    .low = 1,
    .high = 60000,
    .unit = "ms",
    .doc = "a thread that has not answered a scrape by then is told as it was before"};
inline constexpr ConfigSpec kPlaintextKey = {
    .name = "quipu.unsafe.plaintext.network",
    .type = ConfigType::kBool,
    .fallback = "false",
    .doc =
        "allows listeners beyond this machine, although nothing is encrypted, authenticated or "
        "authorised",
    .unsafe = true};

}  // namespace quipu
