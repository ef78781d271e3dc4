// quipu-docs: the parts of the documentation that are made of tables in the code.
//
//   quipu-docs --write ROOT    writes docs/configuration.md, the legend of docs/testing.md and the
//   APIs
//                              of docs/kafka-compatibility.md
//   quipu-docs --check ROOT    exits 1 when they are not what --write would write
//   quipu-docs --print         prints the configuration page
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/config/config_doc.h"
#include "base/log_events.h"
#include "core/kafka/api.h"

namespace quipu {
namespace {

// A part of a page that is made of a table: what stands between two lines.
struct Part {
  const char* page;
  const char* begin;
  const char* end;
};
constexpr Part kLegend = {.page = "docs/testing.md",
                          .begin = "<!-- log events: begin, made of base/log_events.h -->\n",
                          .end = "<!-- log events: end -->\n"};
constexpr Part kKafkaApis = {.page = "docs/kafka-compatibility.md",
                             .begin = "<!-- kafka apis: begin, made of core/kafka/api.cc -->\n",
                             .end = "<!-- kafka apis: end -->\n"};

std::string Text(absl::string_view view) { return {view.data(), view.size()}; }

std::string Legend() {
  std::string out = "\n| event | of | msg |\n|---|---|---|\n";
  for (const LogEventSpec& event : kLogEvents) {
    out +=
        "| `" + Text(event.name) + "` | " + Text(event.of) + " | " + Text(event.message) + " |\n";
  }
  return out + "\n";
}

std::string KafkaApis() {
  std::string out = "\n| key | API | versions | with compact types from |\n|---:|---|---|---|\n";
  for (const kafka::ApiInfo& api : kafka::Apis()) {
    const bool flexible = api.flexible_since <= api.version_max;
    absl::StrAppend(&out, "| ", static_cast<int16_t>(api.key), " | ", api.name, " | ",
                    api.version_min, " to ", api.version_max, " | ",
                    flexible ? absl::StrCat(api.flexible_since) : "none", " |\n");
  }
  return out + "\n";
}

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
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

// The same for one part of a page.
int SettlePart(const std::string& root, const Part& part, const std::string& wanted, bool write) {
  const std::string path = root + "/" + part.page;
  const std::string page = ReadFile(path).value_or("");
  const size_t begin = page.find(part.begin);
  const size_t end = page.find(part.end);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    std::fprintf(stderr, "%s is not there or has no marks \"%s\"\n", path.c_str(), part.begin);
    return 1;
  }
  return Settle(path, page.substr(0, begin) + part.begin + wanted + page.substr(end), write);
}

int SettleAll(const std::string& root, bool write) {
  const int configuration = Settle(root + "/docs/configuration.md", ConfigurationPage(), write);
  const int legend = SettlePart(root, kLegend, Legend(), write);
  const int apis = SettlePart(root, kKafkaApis, KafkaApis(), write);
  return configuration + legend + apis > 0 ? 1 : 0;
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
