// Every setting of the product, one table for each kind. docs/configuration.md is made of them.
//
// To add a setting: a row in its table (broker_keys.cc, controller_keys.cc, topic_keys.cc,
// client_keys.cc), a line where that kind is read (LoadBrokerSettings, LoadControllerSettings,
// CheckTopicConfig needs none, ParseProducerConfig and its like), and `quipu-docs --write .`. A row
// that nobody reads, and a default that differs from the variable's, end the first test that loads
// settings.
#pragma once

#include "base/config/config_spec.h"

namespace quipu {

enum class ConfigScope { kBroker, kController, kTopic, kProducer, kConsumer, kAdmin };

inline constexpr ConfigScope kConfigScopes[] = {ConfigScope::kBroker,   ConfigScope::kController,
                                                ConfigScope::kTopic,    ConfigScope::kProducer,
                                                ConfigScope::kConsumer, ConfigScope::kAdmin};

// Rows in the order of the documentation.
ConfigTable ConfigTableOf(ConfigScope scope);
// "broker", "controller", "topic", "producer", "consumer", "admin".
absl::string_view ConfigScopeName(ConfigScope scope);

// Their rows, for ConfigTableOf.
ConfigTable BrokerConfigTable();
ConfigTable ControllerConfigTable();
ConfigTable TopicConfigTable();
ConfigTable ProducerConfigTable();
ConfigTable ConsumerConfigTable();
ConfigTable AdminConfigTable();

// The last three together, each key once: its type and range are the same for all that have it, its
// default may not be.
ConfigTable ClientConfigTable();

}  // namespace quipu
