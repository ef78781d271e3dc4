// Options, tables and errors of the `quipu` program.
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "absl/strings/cord.h"
#include "base/error_code.h"
#include "client/cli/cli.h"
#include "client/cli/records/interrupt.h"
#include "client/client_config.h"

namespace quipu::cli {
namespace {

// Marks a status as the caller's fault.
constexpr char kWrongArgumentsUrl[] = "quipu.cli/wrong-arguments";

}  // namespace

void AddConnectionOptions(CLI::App& verb, Common& common) {
  verb.add_option("-b,--bootstrap-server", common.bootstrap_servers,
                  "Brokers to ask first: host:port,host:port,... (default: --profile, "
                  "QUIPU_BOOTSTRAP_SERVERS, the profile in use, 127.0.0.1:9092)")
      ->check(CLI::Validator(
          [](const std::string& text) {
            const auto servers = ParseServerList(text);
            return servers.ok() ? std::string() : std::string(servers.status().message());
          },
          "HOST:PORT,..."));
  verb.add_option("--profile", common.profile, "Servers and settings kept by `quipu profile`")
      ->check(NotEmpty());
  AddTimeoutOption(verb, common);
  AddOutputOption(verb, common);
}

void AddTimeoutOption(CLI::App& verb, Common& common) {
  verb.add_option("--timeout", common.timeout_ms, "Milliseconds to wait for an answer")
      ->check(CLI::Range(1, 3600000))
      ->capture_default_str();
}

CLI::Validator KeyValue() {
  return CLI::Validator(
      [](const std::string& text) {
        const size_t equals = text.find('=');
        const bool good = equals != std::string::npos && equals > 0;
        return good ? std::string() : "'" + text + "': expected key=value";
      },
      "KEY=VALUE");
}

absl::StatusOr<std::map<std::string, std::string>> KeyValues(
    const std::vector<std::string>& assignments) {
  std::map<std::string, std::string> values;
  for (const std::string& assignment : assignments) {
    const size_t equals = assignment.find('=');
    const auto [at, is_new] =
        values.emplace(assignment.substr(0, equals), assignment.substr(equals + 1));
    if (!is_new) return WrongArguments(at->first + " is given twice");
  }
  return values;
}

CLI::Validator NotEmpty() {
  return CLI::Validator(
      [](const std::string& text) {
        return text.empty() ? std::string("must not be empty") : std::string();
      },
      "TEXT");
}

absl::Status WrongArguments(absl::string_view what) {
  absl::Status status = absl::InvalidArgumentError(what);
  status.SetPayload(kWrongArgumentsUrl, absl::Cord());
  return status;
}

void AddOutputOption(CLI::App& verb, Common& common) {
  verb.add_option("-o,--output", common.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quipu: %s\n", std::string(status.message()).c_str());
  if (status.GetPayload(kWrongArgumentsUrl).has_value()) return kExitUsage;
  if (IsInterrupted(status)) return InterruptExitCode();
  return CodeOf(status) == ErrorCode::kNotConnected ? kExitNotConnected : kExitFailed;
}

void PrintTable(const std::vector<std::string>& header,
                const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::string& name : header) widths.push_back(name.size());
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  };
  print(header);
  for (const std::vector<std::string>& row : rows) print(row);
}

void PrintJson(const Json& value) {
  std::cout << value.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace quipu::cli
