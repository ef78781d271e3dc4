// What a run's drawn numbers mean to its cluster and its clients.
#pragma once

#include <string>

#include "base/rng.h"
#include "core/client/consumer_options.h"
#include "core/client/producer_core.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/swarm/swarm.h"

namespace quipu::sim {

inline constexpr char kReaders[] = "readers";  // the consumers' group

ClusterOptions OptionsOf(const SwarmOptions& drawn);

// compression.type of the topic, as it is created.
std::string CompressionTypeOf(const SwarmOptions& drawn);

ProducerOptions DrawProducer(Rng& rng, const SwarmOptions& drawn, int64_t number);

ConsumerOptions DrawConsumer(Rng& rng, const SwarmOptions& drawn, int number);

}  // namespace quipu::sim
