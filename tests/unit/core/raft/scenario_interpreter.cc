#include "tests/unit/core/raft/scenario_interpreter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace quipu {
namespace {

using message::RaftMessage;

int NumberOf(absl::string_view text) {
  int number = -1;
  return absl::SimpleAtoi(text, &number) ? number : -1;
}

}  // namespace

std::string ScenarioInterpreter::Run(const std::string& command) {
  output_.clear();
  const std::vector<std::string> words = absl::StrSplit(command, ' ', absl::SkipEmpty());
  bool understood = false;
  if (words.size() == 1 && (words[0] == "quiet" || words[0] == "loud")) {
    quiet_ = words[0] == "quiet";
    understood = true;
  } else if (!words.empty() && words[0] == "cluster") {
    understood = MakeCluster(words);
  } else if (!words.empty() && cluster_ != nullptr) {
    understood = RunOnCluster(words) || RunOnNode(words);
  }
  if (!understood) Say("? " + command);
  return output_;
}

bool ScenarioInterpreter::MakeCluster(const std::vector<std::string>& words) {
  if (words.size() < 2) return false;
  held_.clear();
  cut_.clear();
  auto value_of = [&words](absl::string_view name, size_t otherwise) {
    for (const std::string& word : words) {
      std::vector<std::string> parts = absl::StrSplit(word, '=');
      if (parts.size() == 2 && parts[0] == name) return static_cast<size_t>(NumberOf(parts[1]));
    }
    return otherwise;
  };
  cluster_ = std::make_unique<RaftCluster>(
      static_cast<size_t>(NumberOf(words[1])), [&](RaftOptions& options) {
        options.snapshot_chunk_bytes = value_of("chunk", options.snapshot_chunk_bytes);
        options.append_bytes_max = value_of("append-bytes", options.append_bytes_max);
        options.in_flight_appends_max = value_of("in-flight", options.in_flight_appends_max);
        options.proposal_bytes_max = value_of("proposal-bytes", options.proposal_bytes_max);
      });
  cluster_->trace = [this](const std::string& line) {
    if (!quiet_) Say("  " + line);
  };
  return true;
}

bool ScenarioInterpreter::RunOnCluster(const std::vector<std::string>& words) {
  const std::string& verb = words[0];
  const std::string filter = words.size() > 1 ? words[1] : "";
  if (verb == "settle") {
    Settle();
  } else if (verb == "deliver") {
    for (const RaftMessage& message : Take(filter)) Arrive(message);
  } else if (verb == "drop") {
    for (const RaftMessage& message : Take(filter)) Say("  lost: " + Describe(message));
  } else if (verb == "repeat") {
    for (const RaftMessage& message : Take(filter)) {
      cluster_->network.push_back(message);
      cluster_->network.push_back(message);
    }
  } else if (verb == "tick" && words.size() == 2) {
    Tick(NumberOf(words[1]));
  } else if (verb == "sleep" && words.size() == 2) {
    cluster_->now += std::chrono::milliseconds(NumberOf(words[1]));
  } else if (verb == "partition" && words.size() == 2) {
    Partition(words[1]);
  } else if (verb == "cut" && words.size() == 3) {
    cut_.insert({NumberOf(words[1]), NumberOf(words[2])});
    cut_.insert({NumberOf(words[2]), NumberOf(words[1])});
  } else if (verb == "heal") {
    cut_.clear();
  } else if (verb == "show") {
    Show();
  } else {
    return false;
  }
  return true;
}

bool ScenarioInterpreter::RunOnNode(const std::vector<std::string>& words) {
  const std::string& verb = words[0];
  const int id = words.size() > 1 ? NumberOf(words[1]) : -1;
  if (id < 1) return false;
  if (verb == "machine" && !cluster_->Has(id)) {
    cluster_->AddObserver(id);
    return true;
  }
  if (!cluster_->Has(id)) return false;
  if (verb == "wipe") {
    cluster_->Wipe(id);
    return true;
  }
  if (verb == "restart" && !cluster_->IsUp(id)) {
    cluster_->Restart(id);
    return true;
  }
  if (!cluster_->IsUp(id)) return false;
  if (verb == "voters") return ChangeVoters(id, words);
  if (verb == "elect") {
    cluster_->now = std::max(cluster_->now, cluster_->node(id).core->deadline());
    cluster_->OnTime(id);
    Settle();
  } else if (verb == "expire") {
    Expire(id);
  } else if (verb == "propose" && words.size() == 3) {
    Propose(id, words[2]);
  } else if (verb == "read" && words.size() == 3) {
    Read(id, static_cast<RaftReadToken>(NumberOf(words[2])));
  } else if (verb == "persist" && !cluster_->node(id).disk.under_way().empty()) {
    cluster_->CompleteWrite(id);
  } else if (verb == "hold") {
    held_.insert(id);
  } else if (verb == "release") {
    held_.erase(id);
  } else if (verb == "crash") {
    cluster_->Crash(id, words.size() > 2 ? static_cast<size_t>(NumberOf(words[2])) : 0);
  } else if (verb == "compact") {
    cluster_->Compact(id);
  } else {
    return false;
  }
  return true;
}

void ScenarioInterpreter::Expire(int id) {
  const Instant now = cluster_->now;
  cluster_->now = std::max(now, cluster_->node(id).core->deadline());
  cluster_->OnTime(id);
  cluster_->now = now;
}

void ScenarioInterpreter::Tick(int64_t milliseconds) {
  cluster_->now += std::chrono::milliseconds(milliseconds);
  for (const int id : cluster_->Ids()) {
    if (cluster_->IsUp(id) && cluster_->node(id).core->deadline() <= cluster_->now) {
      cluster_->OnTime(id);
    }
  }
}

void ScenarioInterpreter::Settle() {
  bool busy = true;
  while (busy) {
    busy = false;
    for (const int id : cluster_->Ids()) {
      while (cluster_->IsUp(id) && !held_.contains(id) &&
             !cluster_->node(id).disk.under_way().empty()) {
        cluster_->CompleteWrite(id);
        busy = true;
      }
    }
    for (const RaftMessage& message : Take("")) {
      Arrive(message);
      busy = true;
    }
  }
}

void ScenarioInterpreter::Propose(int id, const std::string& data) {
  RaftCore::Proposed proposed = cluster_->Propose(id, data);
  if (proposed.error != ErrorCode::kNone) {
    Say(absl::StrCat("  refused: ", std::string(ErrorName(proposed.error))));
  }
}

bool ScenarioInterpreter::ChangeVoters(int id, const std::vector<std::string>& words) {
  const std::string verb = words.size() > 2 ? words[2] : "";
  const int who = words.size() > 3 ? NumberOf(words[3]) : -1;
  VoterSet next = cluster_->node(id).core->voters();
  if (verb == "join" && cluster_->Has(who)) {
    next = next.WithJoining(cluster_->VoterAt(who));
  } else if (verb == "cancel") {
    next = next.WithJoining(std::nullopt);
  } else if (verb == "remove" && next.FindId(ControllerId(who)) != nullptr) {
    next = next.WithoutVoter(next.FindId(ControllerId(who))->identity);
  } else if (verb == "admit" && next.joining()) {
    next = next.WithJoinedVoter();
  } else {
    return false;
  }
  RaftCore::Proposed proposed = cluster_->ChangeVoters(id, std::move(next));
  if (proposed.error != ErrorCode::kNone) {
    Say(absl::StrCat("  refused: ", std::string(ErrorName(proposed.error))));
  }
  return true;
}

void ScenarioInterpreter::Read(int id, RaftReadToken token) {
  ErrorCode error = cluster_->ReadIndex(id, token);
  if (error != ErrorCode::kNone) Say(absl::StrCat("  refused: ", std::string(ErrorName(error))));
}

void ScenarioInterpreter::Show() {
  for (const int id : cluster_->Ids()) {
    const RaftCluster::Node& node = cluster_->node(id);
    if (node.core == nullptr) {
      Say(absl::StrCat("  ", id, ": down"));
      continue;
    }
    const RaftCore& core = *node.core;
    const std::string voters =
        core.voter_history().version() > 1 ? absl::StrCat(" voters=", Describe(core.voters())) : "";
    Say(absl::StrCat("  ", id, ": ", core.IsObserver() ? "observer" : RoleName(core.role()),
                     " term=", core.term().value(), " log=(", core.log().snapshot_index().value(),
                     ",", core.last_index().value(), "] durable=", core.durable_index().value(),
                     " commit=", core.commit_index().value(), " state=\"", node.state, "\"",
                     voters));
  }
}

std::vector<RaftMessage> ScenarioInterpreter::Take(const std::string& filter) {
  std::vector<RaftMessage> taken;
  std::deque<RaftMessage> left;
  for (RaftMessage& message : cluster_->network) {
    const bool matches = filter.empty() ||
                         filter == absl::StrCat(message.from(), "->", message.to()) ||
                         filter == RaftMessage::Type_Name(message.type());
    if (matches) {
      taken.push_back(std::move(message));
    } else {
      left.push_back(std::move(message));
    }
  }
  cluster_->network = std::move(left);
  return taken;
}

void ScenarioInterpreter::Arrive(const RaftMessage& message) {
  if (Reaches(message.from(), message.to()) && cluster_->IsUp(message.to())) {
    cluster_->Step(message);
  }
}

void ScenarioInterpreter::Partition(absl::string_view groups) {
  cut_.clear();
  std::vector<std::set<int>> sides;
  for (absl::string_view group : absl::StrSplit(groups, '|')) {
    std::set<int> side;
    for (absl::string_view id : absl::StrSplit(group, ',')) side.insert(NumberOf(id));
    sides.push_back(std::move(side));
  }
  for (const std::set<int>& a : sides) {
    for (const std::set<int>& b : sides) {
      if (&a == &b) continue;
      for (int from : a) {
        for (int to : b) cut_.insert({from, to});
      }
    }
  }
}

bool ScenarioInterpreter::Reaches(int from, int to) const { return !cut_.contains({from, to}); }

void ScenarioInterpreter::Say(const std::string& line) { absl::StrAppend(&output_, line, "\n"); }

std::string RunScenario(absl::string_view file) {
  ScenarioInterpreter interpreter;
  std::string out;
  std::string account;
  bool in_account = false;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(file, '\n'))) {
    if (in_account) {
      if (!line.empty()) continue;  // the account as it was
      in_account = false;
    }
    if (line == "----") {
      absl::StrAppend(&out, "----\n", account);
      account.clear();
      in_account = true;
      continue;
    }
    absl::StrAppend(&out, line, "\n");
    if (!line.empty() && line[0] != '#') account += interpreter.Run(line);
  }
  // The split of a text that ends in a newline has an empty last part.
  if (!out.empty() && out.back() == '\n' && !file.empty() && file.back() == '\n') out.pop_back();
  return out;
}

}  // namespace quipu
