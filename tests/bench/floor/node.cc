#include "tests/bench/floor/node.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/bench/floor/positions.h"

namespace quipu::floor {
namespace {

constexpr uint64_t kRingBytes = uint64_t{32} << 20;
constexpr uint64_t kGroupBytesMax = uint64_t{4} << 20;
constexpr uint64_t kReceiveBytesMax = uint64_t{512} << 10;

}  // namespace

Node::Node(const ChainOptions& options, const std::string& journal_path, int upstream,
           std::vector<int> downstreams)
    : batch_bytes_(options.batch_bytes), upstream_(upstream), ring_(AlignedMemory(kRingBytes)) {
  for (const int connection : downstreams) downstreams_.push_back({.connection = connection});
  if (journal_path.empty()) return;
  journal_ = std::make_unique<RawJournal>(journal_path, options.journal_bytes);
  group_ = AlignedMemory(kGroupBytesMax);
  durable_event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (durable_event_ < 0) Fail("eventfd");
  committer_ = std::thread([this] { Commit(); });
}

Node::~Node() {
  if (durable_event_ >= 0) ::close(durable_event_);
}

void Node::Run() {
  std::vector<pollfd> waits;
  while (true) {
    waits.assign({{.fd = upstream_, .events = 0, .revents = 0},
                  {.fd = durable_event_, .events = POLLIN, .revents = 0}});
    const uint64_t held = received_.load(std::memory_order_relaxed) - OldestNeeded();
    if (held < kRingBytes) waits[0].events = POLLIN;
    for (const Downstream& downstream : downstreams_) {
      const auto events = static_cast<int16_t>(POLLIN | (downstream.blocked ? POLLOUT : 0));
      waits.push_back({.fd = downstream.connection, .events = events, .revents = 0});
    }
    if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) Fail("poll");
    if (waits[1].revents != 0) {
      uint64_t count = 0;
      if (::read(durable_event_, &count, sizeof count) < 0 && errno != EAGAIN) Fail("eventfd");
    }
    if (waits[0].revents != 0 && !Receive()) break;
    for (size_t i = 0; i < downstreams_.size(); ++i) {
      PassOn(downstreams_[i]);
      if ((waits[2 + i].revents & POLLIN) != 0) HearOf(downstreams_[i]);
    }
    Acknowledge();
  }
  if (journal_ != nullptr) {
    ending_ = true;
    // The committer looks at `received_`: another value wakes it.
    received_.fetch_add(1);
    received_.notify_one();
    committer_.join();
  }
  for (const Downstream& downstream : downstreams_) ::close(downstream.connection);
}

uint64_t Node::OldestNeeded() const {
  uint64_t oldest = durable_.load(std::memory_order_acquire);
  for (const Downstream& downstream : downstreams_) oldest = std::min(oldest, downstream.sent);
  return oldest;
}

bool Node::Receive() {
  const uint64_t at = received_.load(std::memory_order_relaxed);
  const uint64_t room = kRingBytes - (at - OldestNeeded());
  const uint64_t bytes = std::min({room, kRingBytes - at % kRingBytes, kReceiveBytesMax});
  if (bytes == 0) return true;
  const ssize_t got = ::recv(upstream_, ring_ + at % kRingBytes, bytes, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return true;
  if (got <= 0) return false;
  received_.store(at + static_cast<uint64_t>(got), std::memory_order_release);
  if (journal_ == nullptr) {
    durable_.store(at + static_cast<uint64_t>(got), std::memory_order_release);
  } else {
    received_.notify_one();
  }
  return true;
}

void Node::PassOn(Downstream& downstream) {
  const uint64_t end = received_.load(std::memory_order_relaxed);
  while (downstream.sent < end) {
    const uint64_t at = downstream.sent % kRingBytes;
    const uint64_t bytes = std::min(end - downstream.sent, kRingBytes - at);
    const ssize_t sent =
        ::send(downstream.connection, ring_ + at, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    downstream.blocked = sent < 0 && errno == EAGAIN;
    if (downstream.blocked) return;
    if (sent <= 0) Fail("a follower takes nothing");
    downstream.sent += static_cast<uint64_t>(sent);
  }
}

void Node::HearOf(Downstream& downstream) {
  if (!ReceivePosition(downstream.connection, downstream.has)) Fail("a follower has ended");
}

void Node::Acknowledge() {
  uint64_t all_have = durable_.load(std::memory_order_acquire);
  for (const Downstream& downstream : downstreams_) all_have = std::min(all_have, downstream.has);
  if (all_have > told_) SendPosition(upstream_, told_ = all_have);
}

void Node::Commit() {
  uint64_t done = 0;
  while (!ending_) {
    const uint64_t seen = received_.load(std::memory_order_acquire);
    const uint64_t whole = seen / batch_bytes_ * batch_bytes_;
    if (whole == done) {
      received_.wait(seen, std::memory_order_acquire);
      continue;
    }
    const uint64_t fits = kGroupBytesMax / batch_bytes_ * batch_bytes_;
    const uint64_t bytes = std::min(whole - done, fits);
    WriteGroup(done, bytes);
    done += bytes;
    durable_.store(done, std::memory_order_release);
    const uint64_t one = 1;
    if (::write(durable_event_, &one, sizeof one) < 0) Fail("eventfd");
  }
}

void Node::WriteGroup(uint64_t from, uint64_t bytes) {
  const uint64_t at = from % kRingBytes;
  const uint64_t first = std::min(bytes, kRingBytes - at);
  if (at % kBlockBytes == 0 && bytes % kBlockBytes == 0 && first == bytes) {
    journal_->Append(ring_ + at, bytes);
    return;
  }
  std::memcpy(group_, ring_ + at, first);
  std::memcpy(group_ + first, ring_, bytes - first);
  journal_->Append(group_, BlocksOf(bytes));
}

NodeUse Node::Use() const {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  NodeUse use;
  use.cpu_seconds = CpuSeconds();
  use.rss_kib = used.ru_maxrss;
  if (journal_ != nullptr) {
    use.syncs = journal_->syncs();
    use.bytes_written = journal_->bytes_written();
  }
  return use;
}

}  // namespace quipu::floor
