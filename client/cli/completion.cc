// `quipu completion bash|zsh`: completions from the parser itself, so that they know every verb.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"

namespace quipu::cli {
namespace {

// A noun or verb by its way from the top, "/topic/create", and the words that may follow it.
struct Place {
  std::string path;
  std::vector<std::string> words;
};

// Hidden verbs and options (an empty group) are left out.
void Walk(const CLI::App& app, const std::string& path, std::vector<Place>& places) {
  Place place{.path = path, .words = {}};
  const auto verbs =
      app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
  for (const CLI::App* verb : verbs) place.words.push_back(verb->get_name());
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) place.words.push_back("--" + name);
    for (const std::string& name : option->get_snames()) place.words.push_back("-" + name);
  }
  places.push_back(std::move(place));
  for (const CLI::App* verb : verbs) Walk(*verb, path + "/" + verb->get_name(), places);
}

// The shells' common part: `at` becomes the path that the words before the cursor lead to, then
// `tell` offers what may follow.
std::string Cases(const std::vector<Place>& places, const char* loop, const char* tell) {
  std::string text = absl::StrCat("  ", loop, "\n    case \"$at/$word\" in\n      ");
  std::vector<std::string> paths;
  for (const Place& place : places) {
    if (!place.path.empty()) paths.push_back(absl::StrCat("\"", place.path, "\""));
  }
  absl::StrAppend(&text, absl::StrJoin(paths, "|"), ") at=\"$at/$word\" ;;\n    esac\n  done\n");
  absl::StrAppend(&text, "  case \"$at\" in\n");
  for (const Place& place : places) {
    absl::StrAppend(&text, "    \"", place.path, "\") offered=\"", absl::StrJoin(place.words, " "),
                    "\" ;;\n");
  }
  absl::StrAppend(&text, "  esac\n  ", tell, "\n}\n");
  return text;
}

std::string Bash(const std::vector<Place>& places) {
  return absl::StrCat(
      "# bash completion of quipu; made by `quipu completion bash`\n_quipu() {\n"
      "  local at=\"\" offered=\"\" word\n",
      Cases(places, "for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do",
            "COMPREPLY=($(compgen -W \"$offered\" -- \"${COMP_WORDS[COMP_CWORD]}\"))"),
      "complete -o default -F _quipu quipu\n");
}

std::string Zsh(const std::vector<Place>& places) {
  return absl::StrCat(
      "#compdef quipu\n# made by `quipu completion zsh`\n_quipu() {\n"
      "  local at=\"\" offered=\"\" word\n",
      Cases(places, "for word in \"${(@)words[2,CURRENT-1]}\"; do",
            "compadd -- ${=offered} || _files"),
      "_quipu \"$@\"\n");
}

}  // namespace

void AddCompletionCommand(CLI::App& app, Common& common) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion = app.add_subcommand("completion", "Print the completions of a shell");
  completion->group("");  // for packages, not for people
  completion->add_option("shell", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  completion->footer("Example: quipu completion bash > /etc/bash_completion.d/quipu");
  OnCall(*completion, common, [&app, shell] {
    std::vector<Place> places;
    Walk(app, "", places);
    std::fputs((*shell == "bash" ? Bash(places) : Zsh(places)).c_str(), stdout);
    return absl::OkStatus();
  });
}

}  // namespace quipu::cli
