#include "client/cli/doctor/judge.h"

#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/monitor/min_isr.h"

namespace quipu::cli {
namespace {

void JudgeBootstrapAnswer(const BootstrapAnswer& bootstrap, bool others_answer,
                          std::vector<Finding>& out) {
  const AddressAnswer& answer = bootstrap.answer;
  Finding finding{.level = Level::kFail, .check = "bootstrap", .subject = answer.address};
  if (!answer.reached()) {
    finding.level = others_answer ? Level::kWarn : Level::kFail;
    finding.what = absl::StrCat("nobody answers: ", ReasonOf(answer.status));
    finding.advice =
        "check the address, that the broker runs (its log says broker.serving with its address), "
        "and that no firewall is between; take the address out of bootstrap.servers if it is gone";
  } else if (answer.node && answer.node->role() != "broker") {
    finding.what = absl::StrCat("the ", answer.node->role(), " ", answer.node->node_id(),
                                " listens there, and clients are served by brokers alone");
    finding.advice = "put listener.client of brokers into bootstrap.servers";
  } else if (!bootstrap.metadata.ok()) {
    finding.what =
        absl::StrCat("it answers and tells no cluster: ", ReasonOf(bootstrap.metadata.status()));
    finding.advice =
        "see in the broker's log whether it is registered, and check its "
        "controller.quorum.bootstrap.servers and that the controllers run";
  } else {
    finding.level = Level::kOk;
    finding.what =
        absl::StrCat(answer.node ? absl::StrCat("broker ", answer.node->node_id(), " answers in ",
                                                MillisText(answer.round_trip))
                                 : std::string("an older broker answers"),
                     " and tells of ", bootstrap.metadata->brokers_size(), " brokers of cluster ",
                     IdText(bootstrap.metadata->cluster_id()));
  }
  out.push_back(std::move(finding));
}

void JudgeOneCluster(const DoctorFacts& facts, std::vector<Finding>& out) {
  std::set<std::string> clusters;
  for (const BootstrapAnswer& bootstrap : facts.bootstrap) {
    if (bootstrap.metadata.ok()) clusters.insert(IdText(bootstrap.metadata->cluster_id()));
  }
  if (clusters.size() < 2) return;
  out.push_back({.level = Level::kFail,
                 .check = "bootstrap",
                 .subject = "cluster",
                 .what = absl::StrCat("the bootstrap addresses belong to different clusters: ",
                                      absl::StrJoin(clusters, ", ")),
                 .advice = "name brokers of one cluster in bootstrap.servers: a client takes the "
                           "cluster of whichever answers first"});
}

// The partitions of which something is true.
struct Named {
  size_t count = 0;
  std::vector<std::string> first;
};

using IsSo = std::function<bool(const message::TopicInfo&, const message::PartitionInfo&)>;

Named Those(const std::vector<message::TopicInfo>& topics, size_t named_max, const IsSo& is_so) {
  Named named;
  for (const message::TopicInfo& topic : topics) {
    for (const message::PartitionInfo& partition : topic.partitions()) {
      if (!is_so(topic, partition)) continue;
      if (named.count++ < named_max) {
        named.first.push_back(absl::StrCat(topic.name(), "/", partition.partition()));
      }
    }
  }
  return named;
}

}  // namespace

const char* LevelName(Level level) {
  switch (level) {
    case Level::kOk:
      return "ok";
    case Level::kWarn:
      return "warn";
    case Level::kFail:
      return "fail";
  }
  return "fail";
}

std::string MillisText(Duration duration) {
  return absl::StrFormat("%.1f ms", ToExactMillis(duration));
}

void JudgeBootstrap(const DoctorFacts& facts, std::vector<Finding>& out) {
  const bool any = std::any_of(facts.bootstrap.begin(), facts.bootstrap.end(),
                               [](const auto& address) { return address.metadata.ok(); });
  for (const BootstrapAnswer& bootstrap : facts.bootstrap) {
    JudgeBootstrapAnswer(bootstrap, any, out);
  }
  JudgeOneCluster(facts, out);
}

void JudgePartitions(const DoctorFacts& facts, const DoctorLimits& limits,
                     std::vector<Finding>& out) {
  if (!facts.topics.ok()) return;
  const auto add = [&](Level level, const char* check, const char* what, const char* advice,
                       const IsSo& is_so) {
    const Named named = Those(*facts.topics, limits.named_max, is_so);
    Finding finding{.check = check, .subject = "partitions"};
    if (named.count == 0) {
      finding.what = absl::StrCat("none ", what);
    } else {
      finding.level = level;
      const size_t more = named.count - named.first.size();
      finding.what = absl::StrCat(named.count, " ", what, ": ", absl::StrJoin(named.first, ", "),
                                  more > 0 ? absl::StrCat(" and ", more, " more") : std::string());
      finding.advice = advice;
    }
    out.push_back(std::move(finding));
  };
  add(Level::kFail, "offline", "without a leader",
      "start the brokers that hold them; `quipu partition list --offline` shows which, and "
      "where none is left that has everything, see `quipu partition recover --help`",
      [](const auto&, const auto& partition) { return partition.leader() < 0; });
  add(Level::kFail, "min-isr", "with fewer in sync than min.insync.replicas",
      "nothing of them is acknowledged: start the brokers that hold them, or wait until their "
      "replicas have caught up; `quipu topic describe --under-min-isr` shows which",
      [](const auto& topic, const auto& partition) {
        return partition.isr_size() < EffectiveMinIsr(topic, partition);
      });
  add(Level::kWarn, "replication", "with a replica out of the ISR",
      "`quipu topic describe --under-replicated` shows which replicas; a broker that is down or "
      "catches up explains it, one that stays behind has a slow disk or network",
      [](const auto&, const auto& partition) {
        return partition.isr_size() < partition.replicas_size();
      });
}

std::vector<Finding> Judge(const DoctorFacts& facts, const DoctorLimits& limits,
                           const std::string& version) {
  std::vector<Finding> out;
  JudgeBootstrap(facts, out);
  const absl::Status& unknown = facts.cluster.ok() ? facts.topics.status() : facts.cluster.status();
  if (!unknown.ok()) {
    out.push_back({.level = Level::kFail,
                   .check = "metadata",
                   .subject = "cluster",
                   .what = absl::StrCat("its ", facts.cluster.ok() ? "partitions" : "brokers",
                                        " are not known: ", ReasonOf(unknown)),
                   .advice = "mend what is said of the bootstrap addresses first"});
  }
  JudgeBrokers(facts, limits, version, out);
  // Nobody could be asked: that has been said.
  if (facts.cluster.ok()) JudgeControllers(facts, limits, version, out);
  JudgePartitions(facts, limits, out);
  return out;
}

}  // namespace quipu::cli
