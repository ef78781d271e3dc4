// What the roles of a replica have in common.
#pragma once

namespace quipu {

// What a role wants the replica to be after an input. The facade makes the change.
//
//   kFollower --election timeout--> kPreCandidate --majority would vote--> kCandidate
//       ^                                |   ^                                |    |
//       |<---- majority would not -------|   |<------ election timeout -------|    |
//       |<---- leader of this term, or a higher term, heard by anybody ------------|
//       |                                                                          |
//       |<-- higher term, or no contact with a majority -- kLeader <-- majority --|
enum class Transition { kStay, kToFollower, kToPreCandidate, kToCandidate, kToLeader };

}  // namespace quipu
