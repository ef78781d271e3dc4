#include "base/config/config_doc.h"

#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

constexpr absl::string_view kHead = R"(# Configuration

<!-- Made of the tables in base/config by `quipu-docs --write .`; a test compares. -->

- [Where settings stand](#where-settings-stand)
- [Broker](#broker), [controller](#controller), [topic](#topic)
- [Producer](#producer), [consumer](#consumer), [admin](#admin)

Names are Kafka's where Kafka has the setting; those that begin with `quipu.` are Quipu's own. In all tables ranges
include both ends.

## Where settings stand

`quipu-broker` and `quipu-controller` take settings from four places. The first of these that has a key wins:

| place | form |
|---|---|
| flag | `--set key=value`, repeatable; the last one wins |
| environment | `QUIPU_` and the key in upper case, dots as underscores: `QUIPU_NUM_SHARDS=4`, `QUIPU_QUIPU_GROUPS_MAX=50` |
| file | `--config FILE`, `key=value` a line; blank lines and lines that begin with `#` or `!` are skipped |
| default | the tables below |

- An unknown key is refused with the nearest known one, a value out of range with what is expected. Everything that is
  wrong is told at once, each with its place: file and line, the variable, or `--set`. A key twice in a file is refused.
- In the environment, a key that the other of the two programs or a client has is passed over, so that one environment
  can serve all (`QUIPU_BOOTSTRAP_SERVERS`, older: `..._SERVER`, is read by the program `quipu` too). Any other variable
  that begins with `QUIPU_` is refused. (Kubernetes makes such variables for a service whose name begins with `quipu`:
  `enableServiceLinks: false` turns that off.)
- `--check-config` prints the configuration in force, each value with its place, and ends with 0; or it says what is
  wrong and ends with 2. It touches neither the data directory nor a port.
- `--describe-config` prints every key of the program with its default and range.
- Warnings (`event=config.warning`) name what is allowed and most likely a mistake. The process runs all the same.

Topics get theirs from `quipu topic create -c key=value`, clients from the `quipu::ConfigMap` that they are made with.
A service makes it itself, or with `quipu::ClientSettings` from a file, the environment and flags, in the same format,
under the same names and in the same order as the servers; see [client.md](client.md#settings). No client reads a file or
the environment by itself.

*Takes effect*: `restart`, when the process is started again; `at once`, in the running cluster; `new client`, for
clients that are made afterwards; `none`, never: the setting is taken since clients of Kafka set it. **Unsafe** settings give up something that is promised; see
[operations.md](operations.md#unsafe-settings).
)";

struct Section {
  ConfigScope scope;
  absl::string_view title;
  absl::string_view intro;
};

constexpr Section kSections[] = {
    {ConfigScope::kBroker, "Broker", "Of `quipu-broker`."},
    {ConfigScope::kController, "Controller",
     "Of `quipu-controller`. Give all controllers the same election and session times."},
    {ConfigScope::kTopic, "Topic", "Of one topic, at creation and afterwards."},
    {ConfigScope::kProducer, "Producer", "Of `quipu::Producer`."},
    {ConfigScope::kConsumer, "Consumer", "Of `quipu::Consumer`."},
    {ConfigScope::kAdmin, "Admin", "Of `quipu::Admin`."},
};

// What a value may be, for a narrow column.
std::string RangeText(const ConfigSpec& spec) {
  switch (spec.type) {
    case ConfigType::kNumber:
      if (spec.high == kConfigHighMax) return absl::StrCat(spec.low, " or more");
      return absl::StrCat(spec.low, " to ", spec.high);
    case ConfigType::kDecimal:
      return absl::StrCat(spec.low, " to ", spec.high);
    case ConfigType::kReplicas:
      return "PARTITION:BROKER,... or `*`";
    case ConfigType::kList:
    case ConfigType::kChoice: {
      std::string out = absl::StrCat("`", spec.words, "`");
      for (size_t at = 0; (at = out.find(", ", at)) != std::string::npos; at += 6) {
        out.replace(at, 2, "`, `");
      }
      return out;
    }
    case ConfigType::kBool:
      return "`true`, `false`";
    case ConfigType::kEndpoint:
      return "HOST:PORT";
    case ConfigType::kEndpoints:
      return "HOST:PORT,...";
    case ConfigType::kClusterId:
      return "32 hex digits";
    case ConfigType::kText:
      break;
  }
  return "";
}

std::string DefaultCell(const ConfigSpec& spec) {
  if (spec.required) return "**required**";
  if (spec.fallback.empty()) return DefaultConfigText(spec);
  return absl::StrCat(
      "`", spec.fallback, "`",
      spec.fallback_note.empty() ? "" : absl::StrCat(" (", spec.fallback_note, ")"));
}

}  // namespace

std::string DescribeConfigKeys(ConfigTable table) {
  std::string out;
  for (const ConfigSpec& spec : table) {
    absl::StrAppend(&out, spec.name, "\n  ", spec.unsafe ? "Unsafe: " : "", spec.doc,
                    "\n  Expected: ", ExpectedConfig(spec),
                    spec.unit.empty() ? "" : absl::StrCat(" (", spec.unit, ")"), ". ",
                    spec.required ? "Required" : absl::StrCat("Default: ", DefaultConfigText(spec)),
                    ". Takes effect: ", ConfigEffectName(spec.effect),
                    ".\n  Environment: ", EnvironmentName(spec.name), "\n");
  }
  return out;
}

std::string ConfigurationPage() {
  std::string out(kHead);
  for (const Section& section : kSections) {
    absl::StrAppend(&out, "\n## ", section.title, "\n\n", section.intro,
                    "\n\n| key | type | default | range | unit | what it does | takes effect |\n"
                    "|---|---|---|---|---|---|---|\n");
    for (const ConfigSpec& spec : ConfigTableOf(section.scope)) {
      absl::StrAppend(&out, "| `", spec.name, "` | ", ConfigTypeName(spec.type), " | ",
                      DefaultCell(spec), " | ", RangeText(spec), " | ", spec.unit, " | ",
                      spec.unsafe ? "**Unsafe.** " : "", spec.doc, " | ",
                      ConfigEffectName(spec.effect), " |\n");
    }
  }
  return out;
}

}  // namespace quipu
