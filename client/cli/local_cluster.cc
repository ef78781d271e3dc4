#include "client/cli/local_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/random_id.h"
#include "storage/data_directory.h"

namespace quipu::cli {
namespace {

constexpr char kHost[] = "127.0.0.1";
constexpr auto kPollInterval = std::chrono::milliseconds(20);

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

// A port that was free a moment ago, kept open by the caller until all ports are chosen so that no
// two are the same.
absl::StatusOr<std::pair<int, uint16_t>> ReservePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return SystemError("cannot make a socket");
  sockaddr_in address = LoopbackAddress(0);
  socklen_t length = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    close(fd);
    return SystemError("cannot reserve a port on 127.0.0.1");
  }
  return std::make_pair(fd, ntohs(address.sin_port));
}

bool Listens(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const sockaddr_in address = LoopbackAddress(port);
  const bool listens =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return listens;
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
  return command.find(directory + "/node.properties") != std::string::npos;
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
    if (!node.controller) node.peer_port = new_port();
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
    std::ofstream file(node.directory + "/node.properties");
    const std::string listen = std::string(kHost) + ":";
    file << "log.dir=" << node.directory << "/data\n";
    if (node.controller) {
      file << "node.id=" << node.id << "\nlistener.controller=" << listen << node.port << "\n";
      for (const std::string& setting : options.controller_settings) file << setting << "\n";
    } else {
      file << "broker.id=" << node.id << "\nlistener.client=" << listen << node.port
           << "\nlistener.peer=" << listen << node.peer_port
           << "\ncontroller.quorum.bootstrap.servers=" << controllers << "\n";
      for (const std::string& setting : options.broker_settings) file << setting << "\n";
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
  const auto damaged = [&] {
    return ToStatus(ErrorCode::kStorageError, path + " is damaged: not a cluster's description");
  };
  if (!json.is_object() || !json.contains("nodes") || !json["nodes"].is_array()) return damaged();
  cluster.cluster_id_ = Uuid::FromText(json.value("cluster_id", "")).value_or(Uuid());
  for (const Json& entry : json["nodes"]) {
    if (!entry.is_object()) return damaged();
    LocalNode node;
    node.controller = entry.value("role", "") == "controller";
    node.id = entry.value("id", 0);
    node.pid = entry.value("pid", 0);
    node.directory_id = Uuid::FromText(entry.value("directory_id", "")).value_or(Uuid());
    node.port = entry.value("port", uint16_t{0});
    node.peer_port = entry.value("peer_port", uint16_t{0});
    node.directory = cluster.directory_ + "/" + node.name();
    cluster.nodes_.push_back(node);
  }
  return cluster;
}

absl::Status LocalCluster::Start(LocalNode& node) const {
  const std::string program =
      ProgramDirectory() + (node.controller ? "/quipu-controller" : "/quipu-broker");
  const std::string config = node.directory + "/node.properties";
  const std::string log = node.directory + "/node.log";
  if (access(program.c_str(), X_OK) != 0) return SystemError(program + " cannot be run");
  const pid_t pid = fork();
  if (pid < 0) return SystemError("cannot fork");
  if (pid == 0) {
    setsid();
    const int null = open("/dev/null", O_RDONLY);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) {
      _exit(126);
    }
    close_range(3, ~0U, 0);
    execl(program.c_str(), program.c_str(), "--config", config.c_str(), nullptr);
    _exit(127);
  }
  node.pid = pid;
  return absl::OkStatus();
}

absl::Status LocalCluster::StartMissing(int timeout_ms) {
  std::vector<LocalNode*> started;
  for (LocalNode& node : nodes_) {
    if (node.IsRunning()) continue;
    QUIPU_RETURN_IF_ERROR(Start(node));
    started.push_back(&node);
  }
  QUIPU_RETURN_IF_ERROR(Save());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  for (const LocalNode* node : started) {
    while (!Listens(node->port)) {
      // Just forked, the process may not have become the server yet.
      const bool gone = waitpid(node->pid, nullptr, WNOHANG) == node->pid;
      if (gone || std::chrono::steady_clock::now() > deadline) {
        return ToStatus(ErrorCode::kStorageError,
                        node->name() + (gone ? " ended at its start" : " does not listen yet") +
                            "; the end of " + node->directory + "/node.log:\n" +
                            LastLines(node->directory + "/node.log", 5));
      }
      std::this_thread::sleep_for(kPollInterval);
    }
  }
  return absl::OkStatus();
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
        std::this_thread::sleep_for(kPollInterval);
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

std::string LocalCluster::bootstrap_servers() const {
  std::string servers;
  for (const LocalNode& node : nodes_) {
    if (node.controller) continue;
    servers += (servers.empty() ? "" : ",") + std::string(kHost) + ":" + std::to_string(node.port);
  }
  return servers;
}

}  // namespace quipu::cli
