// What the simulated members of a classic group say to each other through the coordinator, as
// Kafka's embedded consumer protocol has it, and how a leader assigns: "range" and
// "cooperative-sticky". Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/string_view.h"

namespace quipu::sim {

inline constexpr char kRange[] = "range";
inline constexpr char kCooperative[] = "cooperative-sticky";

// Indexes of partitions of the one topic that there is.
using Indices = std::set<int32_t>;

// What a member says that it owns, and since which generation (KIP-792).
struct ClassicClaim {
  Indices owned;
  int32_t generation = -1;
};

// ConsumerProtocolSubscription, version 3; ConsumerProtocolAssignment, version 3. The coordinator
// writes them as versions 2 and 0.
std::string EncodeSubscription(const std::string& topic, const ClassicClaim& claim);
std::string EncodeAssignment(const std::string& topic, const Indices& partitions);
// nullopt: it is none of one topic.
std::optional<ClassicClaim> DecodeSubscription(absl::string_view bytes);
// Empty bytes assign nothing.
std::optional<Indices> DecodeAssignment(absl::string_view bytes);

using ClassicClaims = std::map<std::string, ClassicClaim>;  // by member id
using ClassicPlan = std::map<std::string, Indices>;         // by member id

// By their ids, one block of partitions each.
ClassicPlan PlanRange(const ClassicClaims& members, int32_t partitions);
// Members keep what they have as far as it is fair; what changes hands is given to nobody until its
// owner has said that it owns it no longer (KIP-429).
ClassicPlan PlanCooperative(const ClassicClaims& members, int32_t partitions);

// Whether somebody but `member` may still own the partition, by what all say.
bool IsClaimedByAnother(const ClassicClaims& members, const std::string& member, int32_t partition);

}  // namespace quipu::sim
