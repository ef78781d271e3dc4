// Kafka's embedded consumer protocol: what members of classic groups of protocol type "consumer"
// put into their metadata and assignments. Read best effort and with bounds; written for members
// whose partitions the server assigns.
//
// Both start with an int16 version; later versions only append fields, so the first ones are read
// alike whatever the version says. Source: Kafka's ConsumerProtocolSubscription.json and
// ConsumerProtocolAssignment.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace quipu {

inline constexpr char kConsumerProtocolType[] = "consumer";

using TopicNames = std::vector<std::string>;

// The topic names of a ConsumerProtocolSubscription, as they stand there. nullopt: it is none.
std::optional<TopicNames> SubscribedTopicsIn(absl::string_view metadata);

using NamedPartitions = std::vector<std::pair<std::string, std::vector<int32_t>>>;

// What the sender of a ConsumerProtocolSubscription says that it owns (version 1 and later).
// nullopt: it is none.
std::optional<NamedPartitions> OwnedPartitionsIn(absl::string_view metadata);

// Topic names with partitions of a ConsumerProtocolAssignment, as they stand there; empty bytes are
// an assignment of nothing. nullopt: it is none.
std::optional<NamedPartitions> AssignedPartitionsIn(absl::string_view assignment);

// A ConsumerProtocolSubscription of version 2, without user data. `generation`: as of when (KIP-792).
std::string EncodeSubscription(const TopicNames& topics, const NamedPartitions& owned,
                               int32_t generation);
// A ConsumerProtocolAssignment of version 0, which every client reads, without user data.
std::string EncodeAssignment(const NamedPartitions& assigned);

}  // namespace quipu
