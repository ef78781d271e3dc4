// `quipu controller`: the quorum of the controllers, and replacing one whose disk is lost.
#include <algorithm>
#include <chrono>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"
#include "client/cli/support/verb_json.h"

namespace quipu::cli {
namespace {

using message::DescribeQuorumResult;

constexpr std::chrono::milliseconds kQuorumPollInterval{100};
// The leader gives a replacement up at its time-out; this much later it has said so.
constexpr std::chrono::milliseconds kReplaceGiveUpSlack{5000};

struct ReplaceOptions {
  int32_t id = -1;
  std::string directory_id;
  std::string address;
  bool force = false;
  int64_t catch_up_timeout_ms = 60000;
};

std::string DirectoryText(const DescribeQuorumResult::Voter& voter) {
  return Uuid::FromBytes(voter.directory_id()).value_or(Uuid()).ToText();
}

Json VoterJson(const DescribeQuorumResult& quorum, const DescribeQuorumResult::Voter& voter,
               const char* role) {
  return Json{{"id", voter.id()},
              {"role", role},
              {"directory_id", DirectoryText(voter)},
              {"address", voter.endpoint()},
              {"match_index", voter.match_index()},
              {"lag", quorum.commit_index() - std::min(quorum.commit_index(), voter.match_index())},
              {"last_contact_ms", voter.last_contact_ms()}};
}

absl::Status Status(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const Json quorum, QuorumJson(*admin));
  if (common.json()) {
    PrintJson(quorum);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& voter : quorum["controllers"]) {
    const auto contact = voter["last_contact_ms"].get<int64_t>();
    rows.push_back({voter["id"].dump(), voter["role"], voter["directory_id"], voter["address"],
                    voter["lag"].dump(), contact < 0 ? "never" : absl::StrCat(contact, " ms ago")});
  }
  PrintTable({"ID", "ROLE", "DIRECTORY", "ADDRESS", "LAG", "HEARD"}, rows);
  std::printf(
      "\nterm %s, commit index %s%s\n", quorum["term"].dump().c_str(),
      quorum["commit_index"].dump().c_str(),
      quorum["voters_committed"].get<bool>() ? "" : ", a change of the voters is being committed");
  return absl::OkStatus();
}

// Whether the quorum is as `options` want it; an error when the leader has given up.
absl::StatusOr<bool> IsReplaced(const DescribeQuorumResult& quorum, const ReplaceOptions& options,
                                const DescribeQuorumResult::Voter& last_seen) {
  for (const DescribeQuorumResult::Voter& voter : quorum.voters()) {
    if (voter.id() == options.id && DirectoryText(voter) == options.directory_id) {
      return quorum.voters_committed();
    }
  }
  if (quorum.has_joining() && DirectoryText(quorum.joining()) == options.directory_id) return false;
  if (!quorum.voters_committed()) return false;
  const std::string why =
      last_seen.last_contact_ms() < 0
          ? absl::StrCat("no controller with this directory answered at ", last_seen.endpoint(),
                         "; is it started, and is --address right?")
          : absl::StrCat(
                "it had not caught up, or too few of the other voters answered; it was "
                "last at entry ",
                last_seen.match_index(), " of ", quorum.commit_index());
  return ToStatus(ErrorCode::kReplicaNotAvailable,
                  absl::StrCat("the replacement of controller ", options.id,
                               " was given up, the voters are as before: ", why));
}

absl::Status AwaitReplaced(Admin& admin, const ReplaceOptions& options) {
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::milliseconds(options.catch_up_timeout_ms) +
                        kReplaceGiveUpSlack;
  DescribeQuorumResult::Voter last_seen;
  last_seen.set_last_contact_ms(-1);
  last_seen.set_endpoint("its address");
  absl::Status last = absl::OkStatus();
  while (std::chrono::steady_clock::now() < deadline) {
    const absl::StatusOr<DescribeQuorumResult> quorum = admin.DescribeQuorum();
    last = quorum.status();
    if (quorum.ok()) {
      QUIPU_ASSIGN_OR_RETURN(const bool replaced, IsReplaced(*quorum, options, last_seen));
      if (replaced) return absl::OkStatus();
      if (quorum->has_joining()) last_seen = quorum->joining();
    }
    if (!PauseUnlessInterrupted(kQuorumPollInterval)) {
      return Interrupted(absl::StrCat(
          "controller ", options.id,
          " is not replaced yet; the controllers go on, `quipu controller status` shows how far"));
    }
  }
  return ToStatus(
      ErrorCode::kRequestTimedOut,
      absl::StrCat("controller ", options.id,
                   " is not replaced yet, and it is not known how it ends",
                   last.ok() ? "" : absl::StrCat(" (", std::string(last.message()), ")"),
                   "; the same command goes on from where it stands, `quipu controller "
                   "status` shows where that is"));
}

absl::Status Replace(const Common& common, const ReplaceOptions& given) {
  ReplaceOptions options = given;
  const std::optional<Uuid> directory = Uuid::FromText(options.directory_id);
  if (!directory || directory->IsZero()) {
    return WrongArguments(
        absl::StrCat("--directory-id ", options.directory_id,
                     ": expected the 32 hexadecimal digits of the new directory, as `quipu storage "
                     "format` printed them"));
  }
  options.directory_id = directory->ToText();
  message::ReplaceVoter request;
  request.set_controller_id(options.id);
  request.set_directory_id(directory->ToBytes());
  request.set_endpoint(options.address);
  request.set_force(options.force);
  request.set_timeout_ms(options.catch_up_timeout_ms);
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  CatchInterrupts();
  QUIPU_RETURN_IF_ERROR(admin->ReplaceVoter(request));
  QUIPU_RETURN_IF_ERROR(AwaitReplaced(*admin, options));
  if (common.json()) {
    PrintJson(Json{{"id", options.id}, {"directory_id", options.directory_id}, {"voter", true}});
  } else {
    std::printf("controller %d with directory %s is a voter\n", options.id,
                options.directory_id.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> QuorumJson(Admin& admin) {
  QUIPU_ASSIGN_OR_RETURN(const DescribeQuorumResult quorum, admin.DescribeQuorum());
  Json voters = Json::array();
  for (const DescribeQuorumResult::Voter& voter : quorum.voters()) {
    voters.push_back(
        VoterJson(quorum, voter, voter.id() == quorum.leader_id() ? "leader" : "follower"));
  }
  if (quorum.has_joining()) voters.push_back(VoterJson(quorum, quorum.joining(), "observer"));
  return Json{{"leader_id", quorum.leader_id()},
              {"term", quorum.term()},
              {"commit_index", quorum.commit_index()},
              {"voters_committed", quorum.voters_committed()},
              {"controllers", voters}};
}

void AddMetadataCommands(CLI::App& app, Common& common) {
  CLI::App* metadata = app.add_subcommand("metadata", "The cluster's metadata");
  metadata->require_subcommand(1);
  CLI::App* quorum = metadata->add_subcommand(
      "quorum", "Voters, leader, term, commit index and lag; the same as `controller status`");
  AddConnectionOptions(*quorum, common);
  quorum->footer("Example: quipu metadata quorum -o json");
  OnCall(*quorum, common, [&common] { return Status(common); });
}

void AddControllerCommands(CLI::App& app, Common& common) {
  CLI::App* controller = app.add_subcommand("controller", "The quorum of the controllers");
  controller->require_subcommand(1);
  CLI::App* status = controller->add_subcommand("status", "Voters, observers and the leader");
  AddConnectionOptions(*status, common);
  OnCall(*status, common, [&common] { return Status(common); });

  auto options = std::make_shared<ReplaceOptions>();
  CLI::App* replace = controller->add_subcommand(
      "replace", "Let a new directory take the place of a voter whose disk is lost");
  replace->add_option("--id", options->id, "node.id of the voter")
      ->required()
      ->check(CLI::NonNegativeNumber);
  replace->add_option("--directory-id", options->directory_id, "The new directory's id")
      ->required();
  replace->add_option("--address", options->address,
                      "host:port of the new controller (default: that of the lost one)");
  replace->add_flag("--force", options->force, "Although the voter answers");
  replace
      ->add_option("--catch-up-timeout", options->catch_up_timeout_ms,
                   "Milliseconds in which the new controller has to have the log, or all is as "
                   "before")
      ->check(CLI::Range(int64_t{1000}, int64_t{3600000}))
      ->capture_default_str();
  AddConnectionOptions(*replace, common);
  replace->footer(
      "Before: quipu storage format <empty folder> --role controller --observer ..., and start the "
      "controller on it.");
  OnCall(*replace, common, [&common, options] { return Replace(common, *options); });
}

}  // namespace quipu::cli
