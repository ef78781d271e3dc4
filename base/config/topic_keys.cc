// The settings of a topic, sorted by name. What they mean: core/metadata/topic_config.h.
#include "base/config/config_tables.h"
#include "base/config/key_parts.h"

namespace quipu {
namespace {

using enum ConfigType;
using enum ConfigEffect;

constexpr ConfigSpec kTopicKeys[] = {
    {.name = "compression.type",
     .type = kChoice,
     .fallback = "producer",
     .words = "producer, uncompressed, gzip, snappy, lz4, zstd",
     .doc = "producer: batches stay as they were sent; else the leader stores them so",
     .effect = kDynamic},
    // A batch header alone takes 61 bytes.
    {.name = "max.message.bytes",
     .type = kNumber,
     .fallback = "1048588",
     .low = 100,
     .high = 8 * kMiB,
     .unit = "bytes",
     .doc = "largest batch, with its header",
     .effect = kDynamic},
    {.name = "message.timestamp.type",
     .type = kChoice,
     .fallback = "CreateTime",
     .words = "CreateTime, LogAppendTime",
     .doc = "whose clock a record's time is: the producer's or the leader's",
     .effect = kDynamic},
    {.name = "min.insync.replicas",
     .type = kNumber,
     .low = 1,
     .high = 32767,
     .unit = "replicas",
     .doc = "replicas that must hold a record before it is acknowledged; capped by the replication "
            "factor",
     .fallback_note = "the controllers' when the topic is made",
     .effect = kDynamic},
    {.name = "retention.bytes",
     .type = kNumber,
     .fallback = "-1",
     .low = -1,
     .high = kConfigHighMax,
     .unit = "bytes",
     .doc = "of each partition; older records are removed beyond it; -1: no limit",
     .effect = kDynamic},
    {.name = "retention.ms",
     .type = kNumber,
     .fallback = "-1",
     .low = -1,
     .high = kConfigHighMax,
     .unit = "ms",
     .doc = "older records are removed; -1: kept for ever",
     .effect = kDynamic},
};

}  // namespace

ConfigTable TopicConfigTable() { return kTopicKeys; }

}  // namespace quipu
