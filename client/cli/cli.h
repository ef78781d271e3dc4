// What the nouns of the `quipu` program share: options, exit codes, output.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu::cli {

// Exit codes, as documented in docs/operations.md.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;        // the cluster or the system refused
inline constexpr int kExitUsage = 2;         // wrong arguments
inline constexpr int kExitNotConnected = 3;  // no broker could be reached
inline constexpr int kExitUnhealthy = 4;     // `cluster health`: something is not as it should be
// 128 + the number of a signal that ended it: see records/interrupt.h.

using Json = nlohmann::ordered_json;

// Options that every verb knows.
struct Common {
  std::string bootstrap_servers;  // empty: see ClientConfig in connect.h
  std::string profile;            // empty: not given
  std::string output = "table";   // table or json
  int timeout_ms = 10000;
  int exit_code = kExitOk;  // set by the verb that ran
  [[nodiscard]] bool json() const { return output == "json"; }
};

// Adds --bootstrap-server, --profile, --timeout and --output to a verb.
void AddConnectionOptions(CLI::App& verb, Common& common);
void AddTimeoutOption(CLI::App& verb, Common& common);
void AddOutputOption(CLI::App& verb, Common& common);
// Refuses what is not key=value.
CLI::Validator KeyValue();
CLI::Validator NotEmpty();
// What KeyValue has let through, as a map. A key twice is a wrong argument.
absl::StatusOr<std::map<std::string, std::string>> KeyValues(
    const std::vector<std::string>& assignments);

// The arguments are wrong: exit code 2. For what no validator of the parser can see.
absl::Status WrongArguments(absl::string_view what);

// Prints "quipu: <message>" to standard error and gives the exit code for the error.
int Fail(const absl::Status& status);

// Prints rows under a header, columns aligned; or, with --output json, nothing: print Json instead.
void PrintTable(const std::vector<std::string>& header,
                const std::vector<std::vector<std::string>>& rows);
void PrintJson(const Json& value);

// Each noun adds its verbs; a verb's callback sets common.exit_code.
void AddPartitionCommands(CLI::App& app, Common& common);
void AddTopicCommands(CLI::App& app, Common& common);
void AddTopicDescribe(CLI::App& topic, Common& common);  // of `quipu topic`
void AddBrokerCommands(CLI::App& app, Common& common);
void AddLeaderCommands(CLI::App& app, Common& common);
void AddConfigCommands(CLI::App& app, Common& common);
void AddMetadataCommands(CLI::App& app, Common& common);
void AddProduceCommand(CLI::App& app, Common& common);
void AddConsumeCommand(CLI::App& app, Common& common);
void AddGroupCommands(CLI::App& app, Common& common);
void AddGroupOffsetsCommands(CLI::App& group, Common& common);  // verbs of `group`
void AddClusterCommands(CLI::App& app, Common& common);
void AddControllerCommands(CLI::App& app, Common& common);
void AddStorageCommands(CLI::App& app, Common& common);
void AddStorageDumpCommand(CLI::App& storage, Common& common);  // a verb of `storage`
void AddBenchCommands(CLI::App& app, Common& common);
void AddProfileCommands(CLI::App& app, Common& common);
void AddTopCommand(CLI::App& app, Common& common);
void AddDoctorCommand(CLI::App& app, Common& common);
void AddBundleCommand(CLI::App& app, Common& common);
// Hidden; add it last: it tells of what was added before.
void AddCompletionCommand(CLI::App& app, Common& common);

}  // namespace quipu::cli
