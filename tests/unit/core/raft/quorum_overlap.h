// Whether two configurations could decide at one moment without knowing of each other (I11).
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "core/raft/raft_types.h"
#include "core/raft/voters/voter_set.h"

namespace quipu {

// A machine as an election sees it: its identity, the end of its log, and the configuration that it
// would count votes by (empty: it stands for no election).
struct QuorumMember {
  RaftIdentity identity;
  Term last_term;
  LogIndex last_index;
  VoterSet voters;
};

// A configuration may decide when its holder could be elected in it: a majority of it are machines
// whose logs are not more up to date than its own. Terms, time and the network are left out, since
// they only delay. Of two that may decide, every quorum of one must share a voter with every quorum
// of the other. Empty: so it is; else a sentence about two that do not.
std::string FindDisjointQuorums(const std::vector<QuorumMember>& members);

}  // namespace quipu
