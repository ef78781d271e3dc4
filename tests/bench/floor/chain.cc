#include "tests/bench/floor/chain.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <vector>

#include "tests/bench/floor/client.h"
#include "tests/bench/floor/node.h"
#include "tests/bench/floor/raw_journal.h"

namespace quipu::floor {
namespace {

// On a port of 127.0.0.1 that the system gives.
struct Listener {
  int socket = -1;
  sockaddr_in address{};
};

Listener Listen() {
  Listener listener;
  listener.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listener.address.sin_family = AF_INET;
  listener.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const address = reinterpret_cast<sockaddr*>(&listener.address);
  socklen_t bytes = sizeof listener.address;
  if (::bind(listener.socket, address, bytes) != 0 || ::listen(listener.socket, 1) != 0 ||
      ::getsockname(listener.socket, address, &bytes) != 0) {
    Fail("listen");
  }
  return listener;
}

int SendingAtOnce(int connection) {
  const int on = 1;
  if (connection < 0 || setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    Fail("a connection of the chain");
  }
  return connection;
}

int Connect(const Listener& to) {
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&to.address), sizeof to.address) !=
      0) {
    Fail("connect");
  }
  return SendingAtOnce(connection);
}

int Accept(const Listener& at) {
  return SendingAtOnce(::accept4(at.socket, nullptr, nullptr, SOCK_CLOEXEC));
}

pid_t Start(const std::function<void()>& run) {
  const pid_t child = fork();
  if (child < 0) Fail("fork");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  run();
  std::_Exit(0);
}

std::string JournalOf(const ChainOptions& options, const char* name) {
  return options.folder.empty() ? "" : options.folder + "/" + name;
}

void Serve(const ChainOptions& options, const char* name, const Listener& at,
           const std::vector<Listener>& followers, NodeUse& use) {
  std::vector<int> downstreams;
  downstreams.reserve(followers.size());
  for (const Listener& follower : followers) downstreams.push_back(Connect(follower));
  const int upstream = Accept(at);
  Node node(options, JournalOf(options, name), upstream, downstreams);
  // One byte up: everything behind is there.
  for (const int downstream : downstreams) {
    char ready = 0;
    if (::recv(downstream, &ready, 1, MSG_WAITALL) != 1) Fail("a follower did not start");
  }
  if (::send(upstream, "r", 1, MSG_NOSIGNAL) != 1) Fail("send");
  node.Run();
  use = node.Use();
}

}  // namespace

ChainResult RunChain(const ChainOptions& options) {
  void* const shared = mmap(nullptr, sizeof(ChainResult::nodes), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) Fail("mmap");
  auto* const uses = static_cast<NodeUse*>(shared);
  const Listener leader = Listen();
  const std::vector<Listener> followers = {Listen(), Listen()};
  const std::vector<pid_t> children = {
      Start([&] { Serve(options, "leader", leader, followers, uses[0]); }),
      Start([&] { Serve(options, "follower-1", followers[0], {}, uses[1]); }),
      Start([&] { Serve(options, "follower-2", followers[1], {}, uses[2]); })};
  const int connection = Connect(leader);
  char ready = 0;
  if (::recv(connection, &ready, 1, MSG_WAITALL) != 1) Fail("the leader did not start");
  ChainResult result = Client(options, connection).Run();
  ::close(connection);
  for (const pid_t child : children) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) Fail("a server of the chain failed");
  }
  for (int i = 0; i < 3; ++i) result.nodes[i] = uses[i];
  munmap(shared, sizeof(ChainResult::nodes));
  return result;
}

}  // namespace quipu::floor
