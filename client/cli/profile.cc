// `quipu profile`: named clusters.
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/profiles/profile_store.h"

namespace quipu::cli {
namespace {

struct ProfileOptions {
  std::string name;
  std::string servers;
  std::vector<std::string> settings;  // key=value
  bool replace = false;
};

absl::Status CreateProfile(const Common& common, const ProfileOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const ProfileStore store, ProfileStore::OfUser());
  QUIPU_ASSIGN_OR_RETURN(auto settings, KeyValues(options.settings));
  settings.emplace("bootstrap.servers", options.servers);
  const Profile profile{.name = options.name, .settings = std::move(settings)};
  const absl::Status created = store.Create(profile, options.replace);
  if (CodeOf(created) == ErrorCode::kInvalidConfig) return WrongArguments(created.message());
  QUIPU_RETURN_IF_ERROR(created);
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, store.List());
  // The only one is what was meant.
  const bool in_use = names.size() == 1;
  if (in_use) QUIPU_RETURN_IF_ERROR(store.Use(options.name));
  if (common.json()) {
    PrintJson(Json{{"created", options.name}, {"current", in_use}});
  } else {
    std::printf("created profile %s in %s%s\n", options.name.c_str(), store.folder().c_str(),
                in_use ? "; it is in use" : "");
  }
  return absl::OkStatus();
}

absl::Status ListProfiles(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const ProfileStore store, ProfileStore::OfUser());
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, store.List());
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> current, store.Current());
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const std::string& name : names) {
    const absl::StatusOr<Profile> profile = store.Load(name);
    const std::string servers =
        profile.ok() ? profile->settings.at("bootstrap.servers") : std::string("(damaged)");
    json.push_back(
        Json{{"name", name}, {"bootstrap_servers", servers}, {"current", current == name}});
    rows.push_back({name, servers, current == name ? "*" : ""});
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintTable({"PROFILE", "BOOTSTRAP-SERVERS", "CURRENT"}, rows);
  }
  return absl::OkStatus();
}

absl::Status ShowProfile(const Common& common, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const ProfileStore store, ProfileStore::OfUser());
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> current, store.Current());
  const std::string wanted = name.empty() ? current.value_or("") : name;
  if (wanted.empty()) {
    return WrongArguments("no profile is in use; name one, or choose with `quipu profile use`");
  }
  QUIPU_ASSIGN_OR_RETURN(const Profile profile, store.Load(wanted));
  Json settings = Json::object();
  for (const auto& [key, value] : profile.settings) {
    settings[key] = value;
  }
  if (common.json()) {
    PrintJson(Json{{"name", wanted}, {"current", current == wanted}, {"settings", settings}});
    return absl::OkStatus();
  }
  std::printf("profile %s%s\n", wanted.c_str(), current == wanted ? " (in use)" : "");
  for (const auto& [key, value] : settings.items()) {
    std::printf("  %s=%s\n", key.c_str(), value.get<std::string>().c_str());
  }
  return absl::OkStatus();
}

// `use` and `delete`: one change of one profile.
absl::Status ChangeProfile(const Common& common, const std::string& name, const char* done,
                           absl::Status (ProfileStore::*change)(const std::string&) const) {
  QUIPU_ASSIGN_OR_RETURN(const ProfileStore store, ProfileStore::OfUser());
  QUIPU_RETURN_IF_ERROR((store.*change)(name));
  if (common.json()) {
    PrintJson(Json{{done, name}});
  } else {
    std::printf("%s profile %s\n", done, name.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddProfileCommands(CLI::App& app, Common& common) {
  CLI::App* profile = app.add_subcommand("profile", "Named clusters and client settings");
  profile->require_subcommand(1);
  profile->footer(
      "Where the servers come from, the first of: --bootstrap-server, --profile,\n"
      "QUIPU_BOOTSTRAP_SERVERS, the profile in use, 127.0.0.1:9092.\n"
      "Examples:\n"
      "  quipu profile create staging -b 10.0.0.1:9092,10.0.0.2:9092 -c request.timeout.ms=3000\n"
      "  quipu profile use staging\n"
      "  quipu topic list --profile staging");
  auto options = std::make_shared<ProfileOptions>();
  CLI::App* create = profile->add_subcommand("create", "Keep servers and settings under a name");
  create->add_option("name", options->name)->required();
  create->add_option("-b,--bootstrap-server", options->servers, "host:port,host:port,...")
      ->required();
  create
      ->add_option("-c,--config", options->settings,
                   "key=value of the client settings in docs/client.md; repeatable")
      ->check(KeyValue());
  create->add_flag("--replace", options->replace, "Write one that is there anew");
  AddOutputOption(*create, common);
  create->footer("Example: quipu profile create staging -b 10.0.0.1:9092 -c linger.ms=20");
  OnCall(*create, common, [&common, options] { return CreateProfile(common, *options); });

  CLI::App* list = profile->add_subcommand("list", "All profiles; * is in use");
  AddOutputOption(*list, common);
  list->footer("Example: quipu profile list -o json");
  OnCall(*list, common, [&common] { return ListProfiles(common); });

  CLI::App* show = profile->add_subcommand("show", "The settings of one; default: the one in use");
  show->add_option("name", options->name);
  AddOutputOption(*show, common);
  show->footer("Example: quipu profile show staging");
  OnCall(*show, common, [&common, options] { return ShowProfile(common, options->name); });

  CLI::App* use = profile->add_subcommand("use", "Use it wherever nothing else is said");
  use->add_option("name", options->name)->required();
  AddOutputOption(*use, common);
  use->footer("Example: quipu profile use staging");
  OnCall(*use, common, [&common, options] {
    return ChangeProfile(common, options->name, "using", &ProfileStore::Use);
  });

  CLI::App* remove = profile->add_subcommand("delete", "Forget a profile");
  remove->add_option("name", options->name)->required();
  AddOutputOption(*remove, common);
  remove->footer("Example: quipu profile delete staging");
  OnCall(*remove, common, [&common, options] {
    return ChangeProfile(common, options->name, "deleted", &ProfileStore::Delete);
  });
}

}  // namespace quipu::cli
