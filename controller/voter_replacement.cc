#include "controller/voter_replacement.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/logging.h"
#include "core/raft/raft_core.h"

namespace quipu {
namespace {

constexpr Duration kTimeoutMin = std::chrono::seconds(1);
constexpr Duration kTimeoutMax = std::chrono::hours(1);

std::string NameOf(const RaftVoter& voter) {
  return absl::StrCat("controller ", voter.identity.id.value(), " with directory ",
                      voter.identity.directory_id.ToText());
}

VoterReplacement::Begun Refused(ErrorCode error, std::string message) {
  return {.error = error, .message = std::move(message), .index = std::nullopt};
}

}  // namespace

std::optional<HostPort> ParseHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &port) || port == 0 || port > 65535) {
    return std::nullopt;
  }
  return HostPort{.host = text.substr(0, colon), .port = static_cast<uint16_t>(port)};
}

void VoterReplacement::Activate() {
  active_since_ = Now();
  deadline_ = active_since_ + config_.replace_timeout;
}

std::optional<VoterReplacement::Wanted> VoterReplacement::Parse(
    const message::ReplaceVoter& request) {
  const std::optional<Uuid> directory = Uuid::FromBytes(request.directory_id());
  if (request.controller_id() < 0 || !directory || directory->IsZero()) return std::nullopt;
  if (!request.endpoint().empty() && !ParseHostPort(request.endpoint())) return std::nullopt;
  return Wanted{.voter = {.identity = {ControllerId(request.controller_id()), *directory},
                          .endpoint = request.endpoint()},
                .force = request.force()};
}

VoterReplacement::Begun VoterReplacement::Begin(const message::ReplaceVoter& request) {
  std::optional<Wanted> wanted = Parse(request);
  if (!wanted) {
    return Refused(ErrorCode::kInvalidRequest,
                   "a controller id, a directory id and an address host:port are needed");
  }
  RaftVoter& voter = wanted->voter;
  const RaftCore& raft = raft_.core();
  const VoterSet& voters = raft.voters();
  if (voters.Contains(voter.identity)) return {};  // done already
  for (const RaftVoter& other : voters.members()) {
    if (other.identity.directory_id != voter.identity.directory_id) continue;
    return Refused(ErrorCode::kDuplicateVoter,
                   absl::StrCat("this directory is that of voter ", other.identity.id.value()));
  }
  const std::optional<RaftVoter>& joining = voters.joining();
  const RaftVoter* old = voters.FindId(voter.identity.id);
  const bool takes_over = joining && joining->identity.id == voter.identity.id;
  if (old == nullptr && !takes_over) {
    return Refused(
        ErrorCode::kVoterNotFound,
        absl::StrCat("no voter has id ", voter.identity.id.value(), "; the voters are ",
                     absl::StrJoin(voters.members(), ", ", [](std::string* out, const auto& one) {
                       absl::StrAppend(out, one.identity.id.value());
                     })));
  }
  if (joining && !takes_over) {
    return Refused(ErrorCode::kReassignmentInProgress,
                   absl::StrCat(NameOf(*joining), " is joining; one replacement at a time"));
  }
  if (voter.endpoint.empty()) voter.endpoint = takes_over ? joining->endpoint : old->endpoint;
  const Duration timeout =
      request.timeout_ms() <= 0
          ? config_.replace_timeout
          : std::clamp<Duration>(
                std::chrono::milliseconds(std::min<int64_t>(request.timeout_ms(), 3600000)),
                kTimeoutMin, kTimeoutMax);
  if (takes_over && *joining == voter) {
    deadline_ = Now() + timeout;
    return {};  // goes on
  }
  if (takes_over && joining->identity != voter.identity && !wanted->force &&
      MayBeAlive(joining->identity)) {
    return Refused(ErrorCode::kReassignmentInProgress,
                   absl::StrCat(NameOf(*joining),
                                " is joining and answers; --force lets another directory join"));
  }
  if (old != nullptr) {
    Begun refused = CheckOld(*old, wanted->force);
    if (refused.error != ErrorCode::kNone) return refused;
  }
  deadline_ = Now() + timeout;
  Begun begun = Append(voters.WithJoining(voter));
  if (begun.error == ErrorCode::kNone) {
    LogInfo("voter.joins", {{"controller", voter.identity.id.ToString()},
                            {"directory", voter.identity.directory_id.ToText()},
                            {"address", voter.endpoint}});
  }
  return begun;
}

VoterReplacement::Begun VoterReplacement::CheckOld(const RaftVoter& old, bool force) const {
  if (raft_.core().voters().size() == 1) {
    return Refused(ErrorCode::kInconsistentVoterSet,
                   "the only voter has what no other has, and cannot be replaced");
  }
  if (!force && MayBeAlive(old.identity)) {
    return Refused(
        ErrorCode::kInvalidRequest,
        absl::StrCat(
            NameOf(old), " is a voter and has answered within the last ",
            ToMillis(config_.election_timeout),
            " ms, or may have; if it is lost, try again in a moment; --force replaces it all "
            "the same"));
  }
  if (!OthersSuffice(old.identity)) {
    return Refused(ErrorCode::kNotEnoughReplicas,
                   "too few of the other voters answer to decide without this one; start them "
                   "first");
  }
  return {};
}

bool VoterReplacement::MayBeAlive(const RaftIdentity& who) const {
  const RaftCore& raft = raft_.core();
  if (who == raft.options().self) return true;
  const Duration timeout = config_.election_timeout;
  const std::optional<Duration> silence = raft.SilenceOf(who, Now());
  return silence ? *silence < timeout : Now() - active_since_ < timeout;
}

bool VoterReplacement::OthersSuffice(const RaftIdentity& old) const {
  const RaftCore& raft = raft_.core();
  const VoterSet rest = raft.voters().WithoutVoter(old);
  const auto live =
      std::count_if(rest.members().begin(), rest.members().end(), [&](const RaftVoter& voter) {
        const std::optional<Duration> silence = raft.SilenceOf(voter.identity, Now());
        return voter.identity == raft.options().self ||
               (silence && *silence < config_.election_timeout);
      });
  return static_cast<size_t>(live) >= rest.majority();
}

bool VoterReplacement::JoinerIsCaughtUp(const RaftIdentity& joiner) const {
  const RaftCore& raft = raft_.core();
  const std::optional<Duration> silence = raft.SilenceOf(joiner, Now());
  const Progress* progress = raft.ProgressOf(joiner);
  return silence && *silence < config_.election_timeout && progress != nullptr &&
         progress->match() + raft.options().joiner_lag_entries_max >= raft.commit_index();
}

VoterReplacement::Begun VoterReplacement::Append(VoterSet next) {
  absl::StatusOr<LogIndex> index = raft_.ChangeVoters(std::move(next));
  if (!index.ok()) {
    return Refused(CodeOf(index.status()),
                   CodeOf(index.status()) == ErrorCode::kReassignmentInProgress
                       ? "a change of the voters is not committed yet"
                       : std::string(index.status().message()));
  }
  return {.error = ErrorCode::kNone, .message = "", .index = *index};
}

void VoterReplacement::Step(VoterSet next, LogEvent event, const RaftVoter& who) {
  const Begun step = Append(std::move(next));
  if (step.error != ErrorCode::kNone) return;
  LogInfo(event, {{"controller", who.identity.id.ToString()},
                  {"directory", who.identity.directory_id.ToText()}});
}

void VoterReplacement::OnTick() {
  const RaftCore& raft = raft_.core();
  const VoterSet& voters = raft.voters();
  if (!voters.joining() || !raft.IsReadyLeader() || !raft.VotersAreCommitted()) return;
  const RaftVoter joining = *voters.joining();
  const bool caught_up = JoinerIsCaughtUp(joining.identity);
  const RaftVoter* old = voters.FindId(joining.identity.id);
  if (old == nullptr) {
    if (caught_up) Step(voters.WithJoinedVoter(), "voter.added", joining);
  } else if (caught_up && OthersSuffice(old->identity)) {
    Step(voters.WithoutVoter(old->identity), "voter.removed", *old);
  } else if (Now() >= deadline_) {
    Step(voters.WithJoining(std::nullopt), "voter.given_up", joining);
  }
}

}  // namespace quipu
