// What is said of brokers and controllers.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "client/cli/doctor/judge.h"
#include "runtime/process.h"

namespace quipu::cli {
namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

std::string GiB(int64_t bytes) {
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / kGiB);
}

// A node as one is to see it: what it is called and the findings of it.
class NodeJudge {
 public:
  NodeJudge(std::string name, std::vector<Finding>& out) : name_(std::move(name)), out_(out) {}

  void Add(Level level, const char* check, std::string what, std::string advice = "") {
    out_.push_back({.level = level,
                    .check = check,
                    .subject = name_,
                    .what = std::move(what),
                    .advice = std::move(advice)});
  }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  const std::string name_;
  std::vector<Finding>& out_;
};

// The clock of a node is off by so much at least, whatever the network did; zero: perhaps by
// nothing.
Duration ClockOffAtLeast(const AddressAnswer& answer) {
  const Duration off = answer.clock_difference;
  const Duration sure = (off < Duration(0) ? -off : off) - answer.round_trip / 2;
  return std::max(sure, Duration(0));
}

void JudgeClock(const AddressAnswer& answer, const DoctorLimits& limits, NodeJudge& judge) {
  const Duration off = answer.clock_difference;
  const std::string what =
      absl::StrCat("its clock is ", MillisText(off < Duration(0) ? -off : off),
                   off < Duration(0) ? " behind" : " ahead of", " this machine's, to within ",
                   MillisText(answer.round_trip / 2));
  if (ClockOffAtLeast(answer) <= limits.clock_difference_max) {
    judge.Add(Level::kOk, "clock", what);
    return;
  }
  judge.Add(Level::kFail, "clock",
            absl::StrCat(what, "; more than ", ToMillis(limits.clock_difference_max), " ms"),
            "let NTP set the clocks of all machines, this one too (`timedatectl` shows whether it "
            "does): retention.ms, LogAppendTime and lags in seconds go by them");
}

void JudgeVersion(const message::DescribeNodeResponse& node, const std::string& version,
                  NodeJudge& judge) {
  if (node.version() == version) {
    judge.Add(Level::kOk, "version", absl::StrCat("it runs ", node.version(), ", as this program"));
    return;
  }
  judge.Add(Level::kWarn, "version",
            absl::StrCat("it runs ", node.version(), ", and this program is ", version),
            "finish the upgrade, or use the `quipu` of the cluster's version");
}

void JudgeDisk(const message::DescribeNodeResponse& node, const DoctorLimits& limits,
               NodeJudge& judge) {
  if (node.disk_free_bytes() < 0 || node.disk_total_bytes() <= 0) {
    judge.Add(Level::kWarn, "disk",
              absl::StrCat("free space of ", node.data_dir(), " could not be measured"),
              "look at that file system on its machine");
    return;
  }
  const int64_t percent = node.disk_free_bytes() * 100 / node.disk_total_bytes();
  const std::string what = absl::StrCat(
      GiB(node.disk_free_bytes()), " of ", GiB(node.disk_total_bytes()), " (", percent,
      " %) are free in ", node.data_dir(),
      node.ballast_bytes() > 0
          ? absl::StrCat(", and a ballast of ", node.ballast_bytes() >> 20, " MiB is held")
          : std::string());
  const char* const advice =
      node.role() == "broker"
          ? "delete topics, lower retention.bytes or retention.ms, or add disk; produce is refused "
            "below quipu.disk.free.bytes.min"
          : "add disk, or remove what else is there; a controller that cannot write ends";
  if (node.disk_full()) {
    judge.Add(Level::kFail, "disk",
              absl::StrCat(what, ": less than quipu.disk.free.bytes.min=",
                           node.disk_free_bytes_min(), ", so that produce is refused"),
              advice);
  } else if (percent < limits.disk_free_percent_min) {
    judge.Add(Level::kWarn, "disk",
              absl::StrCat(what, ": less than ", limits.disk_free_percent_min, " %"), advice);
  } else {
    judge.Add(Level::kOk, "disk", what);
  }
  if (node.ballast_bytes() < node.ballast_bytes_wanted()) {
    judge.Add(Level::kWarn, "ballast",
              absl::StrCat("no ballast is held, although quipu.disk.ballast.bytes=",
                           node.ballast_bytes_wanted()),
              "free space: it is made again by itself; if there is space, its log says with "
              "broker.no_ballast why the file system cannot");
  }
}

void JudgeSettings(const message::DescribeNodeResponse& node, NodeJudge& judge) {
  bool sound = true;
  for (const message::StaticConfig& config : node.configs()) {
    if (!config.unsafe()) continue;
    sound = false;
    judge.Add(Level::kWarn, "unsafe",
              absl::StrCat(config.key(), "=", config.value(), " (", config.origin(),
                           "): ", config.documentation()),
              "take it back, unless nobody whom you do not trust can reach the machine");
  }
  for (const std::string& warning : node.config_warnings()) {
    sound = false;
    judge.Add(Level::kWarn, "settings", warning,
              "change it in the node's configuration and start it again");
  }
  if (sound) judge.Add(Level::kOk, "settings", "none is unsafe or doubtful");
}

// What a node tells of itself, once it has been reached.
void JudgeNode(const AddressAnswer& answer, const DoctorLimits& limits, const std::string& version,
               NodeJudge& judge) {
  if (!answer.node) {
    if (!answer.reached()) return;
    judge.Add(Level::kWarn, "version",
              "it is older than this program and tells neither clock, disk nor settings",
              "finish the upgrade, or use the `quipu` of the cluster's version");
    return;
  }
  JudgeVersion(*answer.node, version, judge);
  JudgeClock(answer, limits, judge);
  JudgeDisk(*answer.node, limits, judge);
  JudgeSettings(*answer.node, judge);
}

// Everybody whom the cluster names was asked.
const AddressAnswer& AnswerOf(const std::map<int32_t, AddressAnswer>& answers, int32_t id) {
  const auto answer = answers.find(id);
  QUIPU_CHECK(answer != answers.end());
  return answer->second;
}

// What is wrong with an address that clients are told, whichever they started from; empty: nothing.
std::string WrongAddress(const DoctorFacts& facts, const AddressAnswer& answer) {
  const std::string host = HostOf(answer.address);
  const bool only_here = std::all_of(
      facts.bootstrap.begin(), facts.bootstrap.end(),
      [](const auto& bootstrap) { return IsLoopbackHost(HostOf(bootstrap.answer.address)); });
  if (IsWildcardHost(host)) {
    return ", which is every address of a machine and no place to connect to: each client asks its "
           "own machine";
  }
  if (IsLoopbackHost(host) && !only_here) {
    return ", which is a client's own machine, although the brokers are asked from elsewhere";
  }
  if (answer.reached()) return "";
  return absl::StrCat(", and it cannot be reached from here: ", ReasonOf(answer.status));
}

// `listener`: as advertised.listeners names it.
void AddAddress(const char* check, const char* listener, const AddressAnswer& answer,
                const std::string& told, const std::string& wrong, NodeJudge& judge) {
  if (wrong.empty()) {
    judge.Add(Level::kOk, check,
              absl::StrCat(told, ", and it answers there in ", MillisText(answer.round_trip)));
    return;
  }
  judge.Add(Level::kFail, check, told + wrong,
            absl::StrCat("set advertised.listeners of ", judge.name(), " to ", listener,
                         "://HOST:PORT, the name or address under which clients reach it, and "
                         "start it again; if the address is right, open the network and name "
                         "service to it"));
}

void JudgeAdvertised(const DoctorFacts& facts, const message::BrokerInfo& broker,
                     const AddressAnswer& answer, NodeJudge& judge) {
  const auto stranger = Stranger(answer, "broker", broker.broker_id(), facts.cluster->cluster_id());
  std::string wrong = WrongAddress(facts, answer);
  if (wrong.empty() && stranger) wrong = absl::StrCat(", and ", *stranger, " listens there");
  AddAddress("address", "CLIENT", answer, absl::StrCat("clients are told ", answer.address), wrong,
             judge);
  const auto kafka = facts.kafka.find(broker.broker_id());
  if (kafka == facts.kafka.end()) return;
  AddAddress("kafka-address", "KAFKA", kafka->second,
             absl::StrCat("clients of the Kafka protocol are told ", kafka->second.address),
             WrongAddress(facts, kafka->second), judge);
}

void JudgeFenced(const message::BrokerInfo& broker, const AddressAnswer& answer, NodeJudge& judge) {
  if (answer.reached()) {
    judge.Add(Level::kFail, "state",
              absl::StrCat("it is fenced, although something answers at ", answer.address),
              "see in its log whether it is registered and reaches "
              "controller.quorum.bootstrap.servers");
    return;
  }
  judge.Add(Level::kFail, "state",
            absl::StrCat("it is fenced",
                         broker.drain() == record::DRAIN_MAINTENANCE ? " and drained" : "",
                         ", and nobody answers at ", answer.address, ": ", ReasonOf(answer.status)),
            "start it; the last lines of its log say why it ended");
}

void JudgeState(const message::BrokerInfo& broker, NodeJudge& judge) {
  const std::string undrain =
      absl::StrCat("`quipu broker undrain ", broker.broker_id(), "` ends it");
  if (broker.disk_stalled()) {
    judge.Add(Level::kFail, "state", "its disk does not answer",
              "look at the disk; it leads nothing that another can lead until the disk answers");
  } else if (broker.in_controlled_shutdown() || broker.drain() == record::DRAIN_SHUTDOWN) {
    judge.Add(Level::kWarn, "state", "it is stopping", "start it again when that is done");
  } else if (broker.drain() != record::DRAIN_NONE) {
    judge.Add(Level::kWarn, "state", "it is drained or being drained", undrain);
  } else {
    judge.Add(Level::kOk, "state", "it takes part");
  }
  if (broker.unclean()) {
    judge.Add(Level::kWarn, "unclean",
              "it registered without a log that is known to be complete, and copies what it lacks",
              "wait until every ISR is full; broker.registered_unclean in its log says why");
  }
}

std::string VoterText(const message::DescribeQuorumResult::Voter& voter) {
  return voter.last_contact_ms() < 0
             ? std::string("the leader has never heard of it")
             : absl::StrCat("the leader heard of it ", voter.last_contact_ms(), " ms ago");
}

void JudgeVoter(const message::DescribeQuorumResult& quorum,
                const message::DescribeQuorumResult::Voter& voter, const DoctorLimits& limits,
                NodeJudge& judge) {
  if (voter.id() == quorum.leader_id()) {
    judge.Add(Level::kOk, "quorum", absl::StrCat("it leads, in term ", quorum.term()));
    return;
  }
  if (voter.last_contact_ms() < 0 || voter.last_contact_ms() > ToMillis(limits.voter_silence_max)) {
    judge.Add(Level::kFail, "quorum", VoterText(voter),
              "start it, or see why it cannot be reached; if its disk is lost, see `quipu "
              "controller replace --help`. One more that fails can stop every change");
    return;
  }
  const uint64_t behind =
      quorum.commit_index() - std::min(quorum.commit_index(), voter.match_index());
  const std::string what =
      absl::StrCat("it follows, ", behind, " entries behind; ", VoterText(voter));
  if (behind > static_cast<uint64_t>(limits.voter_lag_max)) {
    judge.Add(Level::kWarn, "quorum", what,
              "wait until it has caught up before another controller is stopped");
  } else {
    judge.Add(Level::kOk, "quorum", what);
  }
}

// Clients do not connect to controllers, brokers do.
void JudgeControllerAddress(const DoctorFacts& facts, int32_t id, const AddressAnswer& answer,
                            NodeJudge& judge) {
  const auto stranger = Stranger(answer, "controller", id, facts.cluster->cluster_id());
  if (stranger) {
    judge.Add(Level::kWarn, "address",
              absl::StrCat("at ", answer.address, ", where brokers look for it, ", *stranger,
                           " listens, as seen from here"),
              "if that is so from the brokers too, `quipu controller replace --address` mends it");
  } else if (!answer.reached()) {
    judge.Add(Level::kWarn, "address",
              absl::StrCat("it cannot be reached from here at ", answer.address, ": ",
                           ReasonOf(answer.status)),
              "clients need not reach it, brokers must; run `quipu doctor` on a broker's machine "
              "to hear of its clock, version and disk");
  } else {
    judge.Add(
        Level::kOk, "address",
        absl::StrCat("it answers at ", answer.address, " in ", MillisText(answer.round_trip)));
  }
}

void JudgeQuorum(const message::DescribeQuorumResult& quorum, std::vector<Finding>& out) {
  NodeJudge judge("controllers", out);
  if (quorum.has_joining()) {
    judge.Add(Level::kWarn, "quorum",
              absl::StrCat("controller ", quorum.joining().id(), " with a new directory at ",
                           quorum.joining().endpoint(), " is to become a voter"),
              "wait until `quipu controller status` shows no observer");
  } else if (!quorum.voters_committed()) {
    judge.Add(Level::kWarn, "quorum", "a change of the voters is being committed",
              "look again: it takes a moment");
  }
  if (quorum.leader_id() < 0) {
    judge.Add(Level::kFail, "quorum", "none of them leads",
              "start controllers until a majority of the voters runs");
  }
}

}  // namespace

std::optional<std::string> Stranger(const AddressAnswer& answer, const std::string& role,
                                    int32_t id, const std::string& cluster_id) {
  if (!answer.node) return std::nullopt;
  const message::DescribeNodeResponse& node = *answer.node;
  if (node.role() == role && node.node_id() == id && node.cluster_id() == cluster_id) {
    return std::nullopt;
  }
  return absl::StrCat(node.role(), " ", node.node_id(),
                      node.cluster_id() == cluster_id ? "" : " of another cluster");
}

void JudgeBrokers(const DoctorFacts& facts, const DoctorLimits& limits, const std::string& version,
                  std::vector<Finding>& out) {
  if (!facts.cluster.ok()) return;
  for (const message::BrokerInfo& broker : facts.cluster->brokers()) {
    NodeJudge judge(absl::StrCat("broker ", broker.broker_id()), out);
    const AddressAnswer& answer = AnswerOf(facts.brokers, broker.broker_id());
    if (broker.fenced()) {
      JudgeFenced(broker, answer, judge);
    } else {
      JudgeState(broker, judge);
      JudgeAdvertised(facts, broker, answer, judge);
    }
    // What a stranger tells is not of this broker.
    if (Stranger(answer, "broker", broker.broker_id(), facts.cluster->cluster_id())) continue;
    JudgeNode(answer, limits, version, judge);
  }
}

void JudgeControllers(const DoctorFacts& facts, const DoctorLimits& limits,
                      const std::string& version, std::vector<Finding>& out) {
  if (!facts.quorum.ok()) {
    out.push_back({.level = Level::kFail,
                   .check = "quorum",
                   .subject = "controllers",
                   .what = absl::StrCat("no controller that leads answers: ",
                                        ReasonOf(facts.quorum.status())),
                   .advice = "start controllers until a majority of the voters runs; until then "
                             "nothing of the metadata can change"});
    return;
  }
  JudgeQuorum(*facts.quorum, out);
  for (const message::DescribeQuorumResult::Voter& voter : facts.quorum->voters()) {
    NodeJudge judge(absl::StrCat("controller ", voter.id()), out);
    JudgeVoter(*facts.quorum, voter, limits, judge);
    const AddressAnswer& answer = AnswerOf(facts.controllers, voter.id());
    JudgeControllerAddress(facts, voter.id(), answer, judge);
    if (Stranger(answer, "controller", voter.id(), facts.cluster->cluster_id())) continue;
    JudgeNode(answer, limits, version, judge);
  }
}

}  // namespace quipu::cli
