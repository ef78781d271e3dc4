#include "client/cli/local_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/random_id.h"
#include "client/cli/records/interrupt.h"
#include "storage/data_directory.h"

namespace quipu::cli {
namespace {

constexpr char kHost[] = "127.0.0.1";
constexpr auto kPollInterval = std::chrono::milliseconds(20);
constexpr int kPortMin = 10000;
constexpr int64_t kPortMax = 65535;
constexpr int64_t kPidMax = int64_t{1} << 22;  // PID_MAX_LIMIT of Linux

absl::Status SystemError(const std::string& what) {
  return ToStatus(ErrorCode::kStorageError, what + ": " + std::strerror(errno));
}

sockaddr_in LoopbackAddress(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Where the system begins to take ports for outgoing connections. A port from there could be taken
// by any client while its node is down.
uint16_t FirstEphemeralPort() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  int64_t first = 0;
  return file >> first && first > kPortMin && first <= kPortMax ? static_cast<uint16_t>(first)
                                                                : uint16_t{32768};
}

// A port that was free a moment ago, kept open by the caller until all ports are chosen so that no
// two are the same.
absl::StatusOr<std::pair<int, uint16_t>> ReservePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError("cannot make a socket");
  std::random_device device;
  std::uniform_int_distribution<int> ports(kPortMin, FirstEphemeralPort() - 1);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<uint16_t>(ports(device));
    const sockaddr_in address = LoopbackAddress(port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      return std::make_pair(fd, port);
    }
  }
  close(fd);
  return SystemError("cannot reserve a port on 127.0.0.1");
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string LastLines(const std::string& path, int count) {
  const std::string text = ReadFile(path);
  size_t position = text.size();
  for (int lines = 0; position > 0; --position) {
    if (text[position - 1] == '\n' && ++lines > count) break;
  }
  return text.substr(position);
}

// Reads the values of cluster.json and remembers the first that is not as it must be.
class DescriptionReader {
 public:
  explicit DescriptionReader(std::string path) : path_(std::move(path)) {}

  int64_t Number(const Json& object, const char* key, int64_t low, int64_t high) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_number_integer()) {
      const auto value = found->get<int64_t>();
      if (value >= low && value <= high) return value;
    }
    Refuse(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    return low;
  }
  std::string Text(const Json& object, const char* key) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_string()) return found->get<std::string>();
    Refuse(key, "a text");
    return {};
  }
  Uuid Id(const Json& object, const char* key) {
    const std::optional<Uuid> id = Uuid::FromText(Text(object, key));
    if (!id) Refuse(key, "32 hexadecimal digits");
    return id.value_or(Uuid());
  }
  [[nodiscard]] absl::Status Damaged(const std::string& what) const {
    return ToStatus(ErrorCode::kStorageError,
                    path_ + " is damaged: " + what + "; restore it from a copy");
  }
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  void Refuse(const std::string& key, const std::string& expected) {
    if (status_.ok()) status_ = Damaged("`" + key + "` must be " + expected);
  }

  std::string path_;
  absl::Status status_;
};

// The settings of a node that `up` was given, and listeners for metrics and, of brokers, for
// Kafka's protocol unless they name these.
void WriteSettings(const std::vector<std::string>& settings, uint16_t kafka_port,
                   std::ofstream& file) {
  const auto given = [&settings](absl::string_view key) {
    return std::any_of(settings.begin(), settings.end(), [key](const std::string& setting) {
      return absl::StartsWith(setting, key);
    });
  };
  for (const std::string& setting : settings) file << setting << "\n";
  if (!given("metrics.listener=")) file << "metrics.listener=" << kHost << ":0\n";
  if (kafka_port != 0 && !given("listener.kafka=")) {
    file << "listener.kafka=" << kHost << ":" << kafka_port << "\n";
  }
}

// The directory of this program: its siblings are the servers.
std::string ProgramDirectory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

}  // namespace

bool LocalNode::IsRunning() const {
  if (pid <= 0) return false;
  // A child of this very process that ended is a zombie until it is waited for.
  waitpid(pid, nullptr, WNOHANG);
  const std::string command = ReadFile("/proc/" + std::to_string(pid) + "/cmdline");
  return command.find(config_path()) != std::string::npos;
}

std::string LocalNode::AddressOf(const std::string& listener) const {
  std::istringstream lines(ReadFile(listeners_path()));
  const std::string key = listener + "=";
  std::string line;
  while (std::getline(lines, line)) {
    if (line.rfind(key, 0) == 0) return line.substr(key.size());
  }
  return {};
}

absl::StatusOr<LocalCluster> LocalCluster::Create(const std::string& directory,
                                                  const Options& options) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error || !fs::is_empty(directory, error) || error) {
    return ToStatus(ErrorCode::kStorageError,
                    directory + " cannot be used: it must be a new or empty directory" +
                        (error ? " (" + error.message() + ")" : ""));
  }
  LocalCluster cluster;
  cluster.directory_ = fs::canonical(directory, error).string();
  cluster.cluster_id_ = RandomId();
  const int controllers = options.nodes >= 3 ? 3 : 1;
  std::vector<int> reserved;
  absl::Status failed = absl::OkStatus();
  const auto new_port = [&]() -> uint16_t {
    auto port = ReservePort();
    if (!port.ok()) {
      failed = port.status();
      return 0;
    }
    reserved.push_back(port->first);
    return port->second;
  };
  for (int i = 0; i < controllers + options.nodes; ++i) {
    LocalNode node;
    node.controller = i < controllers;
    node.id = node.controller ? i + 1 : i + 1 - controllers;
    node.directory = cluster.directory_ + "/" + node.name();
    node.directory_id = RandomId();
    node.port = new_port();
    if (!node.controller) {
      node.peer_port = new_port();
      node.kafka_port = new_port();
    }
    cluster.nodes_.push_back(node);
  }
  for (const int fd : reserved) close(fd);
  QUIPU_RETURN_IF_ERROR(failed);
  QUIPU_RETURN_IF_ERROR(cluster.WriteConfigs(options));
  QUIPU_RETURN_IF_ERROR(cluster.Save());
  return cluster;
}

absl::Status LocalCluster::WriteConfigs(const Options& options) const {
  std::vector<VoterIdentity> voters;
  std::string controllers;
  for (const LocalNode& node : nodes_) {
    if (!node.controller) continue;
    voters.push_back(VoterIdentity{.id = ControllerId(node.id),
                                   .endpoint = HostPort{.host = kHost, .port = node.port},
                                   .directory_id = node.directory_id});
    controllers +=
        (controllers.empty() ? "" : ",") + std::string(kHost) + ":" + std::to_string(node.port);
  }
  for (const LocalNode& node : nodes_) {
    std::error_code error;
    std::filesystem::create_directories(node.directory, error);
    DirectoryIdentity identity{.cluster_id = cluster_id_,
                               .role = node.controller ? NodeRole::kController : NodeRole::kBroker,
                               .node_id = node.id,
                               .directory_id = node.directory_id,
                               .voters = {}};
    if (node.controller) identity.voters = voters;
    QUIPU_RETURN_IF_ERROR(FormatDirectory(node.directory + "/data", identity));
    std::ofstream file(node.config_path());
    const std::string listen = std::string(kHost) + ":";
    file << "log.dir=" << node.directory << "/data\n";
    if (node.controller) {
      file << "node.id=" << node.id << "\nlistener.controller=" << listen << node.port << "\n";
      WriteSettings(options.controller_settings, 0, file);
    } else {
      file << "broker.id=" << node.id << "\nlistener.client=" << listen << node.port
           << "\nlistener.peer=" << listen << node.peer_port
           << "\ncontroller.quorum.bootstrap.servers=" << controllers << "\n";
      WriteSettings(options.broker_settings, node.kafka_port, file);
    }
    file.flush();
    if (!file) return SystemError(node.directory + "/node.properties cannot be written");
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::Save() const {
  Json nodes = Json::array();
  for (const LocalNode& node : nodes_) {
    nodes.push_back(Json{{"role", node.controller ? "controller" : "broker"},
                         {"id", node.id},
                         {"pid", node.pid},
                         {"directory_id", node.directory_id.ToText()},
                         {"port", node.port},
                         {"peer_port", node.peer_port}});
  }
  const std::string path = directory_ + "/cluster.json";
  {
    std::ofstream file(path + ".new");
    file << Json{{"cluster_id", cluster_id_.ToText()}, {"nodes", nodes}}.dump(2) << "\n";
    file.flush();
    if (!file) return SystemError(path + " cannot be written");
  }
  std::error_code error;
  std::filesystem::rename(path + ".new", path, error);
  if (error) return ToStatus(ErrorCode::kStorageError, path + ": " + error.message());
  return absl::OkStatus();
}

absl::StatusOr<LocalCluster> LocalCluster::Load(const std::string& directory) {
  std::error_code error;
  LocalCluster cluster;
  cluster.directory_ = std::filesystem::canonical(directory, error).string();
  const std::string path = cluster.directory_ + "/cluster.json";
  if (error || !std::filesystem::exists(path, error)) {
    return ToStatus(
        ErrorCode::kResourceNotFound,
        directory + " holds no cluster; `quipu cluster up -n 3 --dir " + directory + "` makes one");
  }
  const Json json = Json::parse(ReadFile(path), nullptr, /*allow_exceptions=*/false);
  DescriptionReader reader(path);
  if (!json.is_object() || !json.contains("nodes") || !json["nodes"].is_array()) {
    return reader.Damaged("expected an object with a list `nodes`");
  }
  cluster.cluster_id_ = reader.Id(json, "cluster_id");
  for (const Json& entry : json["nodes"]) {
    if (!entry.is_object()) return reader.Damaged("each of `nodes` must be an object");
    LocalNode node;
    node.controller = reader.Text(entry, "role") == "controller";
    node.id = static_cast<int>(reader.Number(entry, "id", 1, 1000));
    node.pid = static_cast<pid_t>(reader.Number(entry, "pid", 0, kPidMax));
    node.directory_id = reader.Id(entry, "directory_id");
    node.port = static_cast<uint16_t>(reader.Number(entry, "port", 1, kPortMax));
    if (!node.controller) {
      node.peer_port = static_cast<uint16_t>(reader.Number(entry, "peer_port", 1, kPortMax));
    }
    node.directory = cluster.directory_ + "/" + node.name();
    cluster.nodes_.push_back(node);
  }
  QUIPU_RETURN_IF_ERROR(reader.status());
  return cluster;
}

absl::Status LocalCluster::Start(LocalNode& node) const {
  const std::string program =
      ProgramDirectory() + (node.controller ? "/quipu-controller" : "/quipu-broker");
  const std::string config = node.config_path();
  const std::string log = node.log_path();
  const std::string listeners = "listeners.file=" + node.listeners_path();
  if (access(program.c_str(), X_OK) != 0) return SystemError(program + " cannot be run");
  std::error_code error;
  std::filesystem::remove(node.listeners_path(), error);
  // The child waits for a byte: it becomes the server only when its pid is saved. Should this
  // process be killed before, the pipe ends and so does the child.
  int gate[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return SystemError("cannot make a pipe");
  // The other end is closed when the child has become the server: from then on it is known by its
  // command line.
  int became[2];
  if (pipe2(became, O_CLOEXEC) != 0) {
    close(gate[0]);
    close(gate[1]);
    return SystemError("cannot make a pipe");
  }
  // The node's file says all; settings of the caller's environment would hold for every node.
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "QUIPU_", 6) != 0) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    const int null = open("/dev/null", O_RDONLY);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    char go = 0;
    close(gate[1]);
    if (read(gate[0], &go, 1) != 1) _exit(125);
    if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) {
      _exit(126);
    }
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    signal(SIGPIPE, SIG_DFL);  // CatchInterrupts has it ignored, which exec would hand down
    execle(program.c_str(), program.c_str(), "--config", config.c_str(), "--set", listeners.c_str(),
           nullptr, environment.data());
    _exit(127);
  }
  close(gate[0]);
  close(became[1]);
  absl::Status status = pid < 0 ? SystemError("cannot fork") : absl::OkStatus();
  node.pid = std::max(pid, 0);
  if (status.ok()) status = Save();
  if (status.ok() && write(gate[1], "g", 1) != 1) status = SystemError("cannot start a node");
  close(gate[1]);
  char nothing = 0;
  while (read(became[0], &nothing, 1) < 0 && errno == EINTR) {
  }
  close(became[0]);
  return status;
}

absl::Status LocalCluster::AwaitServing(const LocalNode& node,
                                        std::chrono::steady_clock::time_point deadline) const {
  std::error_code error;
  // That something listens on the port is not enough: it may be another program.
  while (!std::filesystem::exists(node.listeners_path(), error) || !node.IsRunning()) {
    const bool gone = kill(node.pid, 0) != 0 || waitpid(node.pid, nullptr, WNOHANG) == node.pid;
    if (gone || std::chrono::steady_clock::now() > deadline) {
      return ToStatus(ErrorCode::kStorageError,
                      node.name() + (gone ? " ended at its start" : " does not serve yet") +
                          "; the others run on, " + HowToEnd() + "; the end of " + node.log_path() +
                          ":\n" + LastLines(node.log_path(), 5));
    }
    if (!PauseUnlessInterrupted(kPollInterval)) {
      return Interrupted(
          absl::StrCat(node.name(), " does not serve yet; what was started runs on, ", HowToEnd()));
    }
  }
  return absl::OkStatus();
}

absl::Status LocalCluster::StartMissing(int timeout_ms) {
  for (LocalNode& node : nodes_) {
    if (InterruptSignal() != 0) {
      return Interrupted(
          absl::StrCat(node.name(), " was not started any more; the others run on, ", HowToEnd()));
    }
    if (!node.IsRunning()) QUIPU_RETURN_IF_ERROR(Start(node));
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (const LocalNode& node : nodes_) QUIPU_RETURN_IF_ERROR(AwaitServing(node, deadline));
  return absl::OkStatus();
}

absl::Status LocalCluster::StillRunning() const {
  std::vector<std::string> names;
  for (const LocalNode& node : nodes_) {
    if (node.IsRunning()) names.push_back(node.name());
  }
  if (names.empty()) return Interrupted("all have ended");
  return Interrupted(
      absl::StrCat(absl::StrJoin(names, ", "), " still ran; the same command goes on"));
}

absl::StatusOr<std::vector<std::string>> LocalCluster::Stop(int timeout_ms) {
  std::vector<std::string> killed;
  // Brokers first: their controlled shutdown needs the controllers.
  for (const bool controllers : {false, true}) {
    std::vector<LocalNode*> running;
    for (LocalNode& node : nodes_) {
      if (node.controller == controllers && node.IsRunning()) running.push_back(&node);
    }
    for (const LocalNode* node : running) kill(node->pid, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    for (LocalNode* node : running) {
      while (node->IsRunning() && std::chrono::steady_clock::now() < deadline) {
        if (!PauseUnlessInterrupted(kPollInterval)) return StillRunning();
      }
      if (node->IsRunning()) {
        kill(node->pid, SIGKILL);
        killed.push_back(node->name());
        while (node->IsRunning()) std::this_thread::sleep_for(kPollInterval);
      }
      node->pid = 0;
    }
  }
  QUIPU_RETURN_IF_ERROR(Save());
  return killed;
}

std::string LocalCluster::HowToEnd() const {
  return absl::StrCat("until `quipu cluster down --dir ", directory_, "`");
}

std::string LocalCluster::bootstrap_servers() const {
  std::string servers;
  for (const LocalNode& node : nodes_) {
    if (node.controller) continue;
    servers += (servers.empty() ? "" : ",") + std::string(kHost) + ":" + std::to_string(node.port);
  }
  return servers;
}

std::string LocalCluster::kafka_bootstrap_servers() const {
  std::vector<std::string> servers;
  for (const LocalNode& node : nodes_) {
    std::string address = node.AddressOf("kafka");
    if (!address.empty()) servers.push_back(std::move(address));
  }
  return absl::StrJoin(servers, ",");
}

}  // namespace quipu::cli
