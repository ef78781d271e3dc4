// `quipu storage`: making data directories before a node's first start, and looking into them.
#include <cstdio>
#include <memory>
#include <random>

#include "base/error_code.h"
#include "base/rng.h"
#include "client/cli/cli.h"
#include "client/cli/random_id.h"
#include "storage/data_directory.h"

namespace quipu::cli {
namespace {

struct FormatOptions {
  std::string directory;
  std::string cluster_id;
  std::string role = "broker";
  int32_t node_id = -1;
  std::string directory_id;
  std::vector<std::string> voters;
  bool observer = false;
};

CLI::Validator IdCheck() {
  return CLI::Validator(
      [](const std::string& text) {
        return Uuid::FromText(text) ? std::string()
                                    : "'" + text +
                                          "': expected 32 hexadecimal digits, as `quipu storage "
                                          "random-id` prints them";
      },
      "ID");
}

CLI::Validator VoterText() {
  return CLI::Validator(
      [](const std::string& text) {
        return ParseVoter(text) ? std::string()
                                : "'" + text + "': expected id@host:port:directory-id";
      },
      "VOTER");
}

int Format(const Common& common, const FormatOptions& options) {
  DirectoryIdentity identity;
  // The parser has checked the texts.
  identity.cluster_id = Uuid::FromText(options.cluster_id).value_or(Uuid());
  identity.directory_id = options.directory_id.empty()
                              ? RandomId()
                              : Uuid::FromText(options.directory_id).value_or(Uuid());
  identity.role = options.role == "controller" ? NodeRole::kController : NodeRole::kBroker;
  identity.node_id = options.node_id;
  identity.observer = options.observer;
  for (const std::string& text : options.voters) {
    const std::optional<VoterIdentity> voter = ParseVoter(text);
    if (voter) identity.voters.push_back(*voter);
  }
  const absl::Status status = FormatDirectory(options.directory, identity);
  if (CodeOf(status) == ErrorCode::kInvalidConfig) return Fail(WrongArguments(status.message()));
  if (!status.ok()) return Fail(status);
  if (common.json()) {
    PrintJson(Json{{"directory", options.directory},
                   {"role", options.role},
                   {"node_id", options.node_id},
                   {"cluster_id", identity.cluster_id.ToText()},
                   {"directory_id", identity.directory_id.ToText()}});
    return kExitOk;
  }
  std::printf("%s formatted for %s %d of cluster %s, directory id %s\n", options.directory.c_str(),
              options.role.c_str(), options.node_id, identity.cluster_id.ToText().c_str(),
              identity.directory_id.ToText().c_str());
  return kExitOk;
}

}  // namespace

Uuid RandomId() {
  std::random_device device;
  Rng rng((static_cast<uint64_t>(device()) << 32U) | device());
  return Uuid(rng.Next() ^ device(), rng.Next() ^ (static_cast<uint64_t>(device()) << 32U));
}

void AddStorageCommands(CLI::App& app, Common& common) {
  CLI::App* storage = app.add_subcommand("storage", "Data directories");
  storage->require_subcommand(1);
  CLI::App* random_id =
      storage->add_subcommand("random-id", "Print a new cluster id or directory id");
  AddOutputOption(*random_id, common);
  random_id->callback([&common] {
    const std::string id = RandomId().ToText();
    if (common.json()) {
      PrintJson(Json{{"id", id}});
    } else {
      std::printf("%s\n", id.c_str());
    }
  });

  auto options = std::make_shared<FormatOptions>();
  CLI::App* format =
      storage->add_subcommand("format", "Make a directory the data directory of one node");
  format->add_option("directory", options->directory, "Empty or new directory")->required();
  format->add_option("--cluster-id", options->cluster_id, "The same for all nodes")
      ->required()
      ->check(IdCheck());
  format->add_option("--role", options->role, "broker or controller")
      ->check(CLI::IsMember({"broker", "controller"}))
      ->capture_default_str();
  format->add_option("--node-id", options->node_id, "broker.id or node.id")
      ->required()
      ->check(CLI::NonNegativeNumber);
  format
      ->add_option("--directory-id", options->directory_id,
                   "Identity of this directory (default: a new one)")
      ->check(IdCheck());
  format
      ->add_option("--voter", options->voters,
                   "Controllers: every voter as id@host:port:directory-id (1, 3 or 5 times)")
      ->check(VoterText());
  format->add_flag("--observer", options->observer,
                   "Controllers: this directory is to take the place of a voter that is lost "
                   "(`quipu controller replace`); --voter names the voters that there are");
  AddOutputOption(*format, common);
  format->callback([options, &common] { common.exit_code = Format(common, *options); });
  AddStorageDumpCommand(*storage, common);
}

}  // namespace quipu::cli
