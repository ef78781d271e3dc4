// quipu-docs: the parts of the documentation that are made of tables in the code.
//
//   quipu-docs --write ROOT    writes docs/configuration.md and the legend of docs/testing.md
//   quipu-docs --check ROOT    exits 1 when they are not what --write would write
//   quipu-docs --print         prints the configuration page
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "base/config/config_doc.h"
#include "base/log_events.h"

namespace quipu {
namespace {

constexpr char kLegendBegin[] = "<!-- log events: begin, made of base/log_events.h -->\n";
constexpr char kLegendEnd[] = "<!-- log events: end -->\n";

std::string Text(absl::string_view view) { return {view.data(), view.size()}; }

std::string Legend() {
  std::string out = "\n| event | of | msg |\n|---|---|---|\n";
  for (const LogEventSpec& event : kLogEvents) {
    out +=
        "| `" + Text(event.name) + "` | " + Text(event.of) + " | " + Text(event.message) + " |\n";
  }
  return out + "\n";
}

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// `page` with the legend between its marks; nullopt when it has no marks.
std::optional<std::string> WithLegend(const std::string& page) {
  const size_t begin = page.find(kLegendBegin);
  const size_t end = page.find(kLegendEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) return std::nullopt;
  return page.substr(0, begin) + kLegendBegin + Legend() + page.substr(end);
}

// 0 when `path` holds `wanted`, or does after writing.
int Settle(const std::string& path, const std::string& wanted, bool write) {
  const std::optional<std::string> present = ReadFile(path);
  if (present == wanted) return 0;
  if (!write) {
    std::fprintf(stderr, "%s is not what the code says; run quipu-docs --write .\n", path.c_str());
    return 1;
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << wanted;
  file.close();
  if (file) return 0;
  std::fprintf(stderr, "%s cannot be written\n", path.c_str());
  return 1;
}

int SettleAll(const std::string& root, bool write) {
  const std::string testing = root + "/docs/testing.md";
  const std::optional<std::string> page = ReadFile(testing);
  const std::optional<std::string> with_legend = page ? WithLegend(*page) : std::nullopt;
  if (!with_legend) {
    std::fprintf(stderr, "%s is not there or has no marks \"%s\"\n", testing.c_str(), kLegendBegin);
    return 1;
  }
  const int configuration = Settle(root + "/docs/configuration.md", ConfigurationPage(), write);
  return Settle(testing, *with_legend, write) != 0 ? 1 : configuration;
}

int Run(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "--print" && argc == 2) {
    std::fputs(ConfigurationPage().c_str(), stdout);
    return 0;
  }
  if ((verb == "--write" || verb == "--check") && argc == 3) {
    return SettleAll(argv[2], verb == "--write");
  }
  std::fputs("usage: quipu-docs --write ROOT | --check ROOT | --print\n", stderr);
  return 2;
}

}  // namespace
}  // namespace quipu

int main(int argc, char** argv) { return quipu::Run(argc, argv); }
