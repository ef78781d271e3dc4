#include "controller/process/raft_links.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "runtime/grpc/stream_client.h"
#include "runtime/shard_thread.h"

namespace quipu {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(100);
constexpr Duration kPauseMax = std::chrono::milliseconds(800);
// A stream that lived so long was a working one.
constexpr Duration kLasted = std::chrono::seconds(2);
constexpr Duration kConnectTimeout = std::chrono::milliseconds(1000);
// Queued for one voter; more is dropped. A snapshot's chunk is 256 KiB and one is under way at a
// time.
constexpr size_t kLinkBytesMax = size_t{32} << 20;

}  // namespace

RaftLinks::RaftLinks(CallThread& calls, ControllerId self, const std::vector<Voter>& voters)
    : calls_(calls) {
  for (const Voter& voter : voters) {
    if (voter.id == self) continue;
    auto link = std::make_shared<Link>();
    link->endpoint = voter.endpoint;
    links_.emplace(voter.id, std::move(link));
  }
}

void RaftLinks::Send(message::RaftMessage message) {
  const auto found = links_.find(ControllerId(message.to()));
  if (found == links_.end()) return;
  const std::shared_ptr<MessageSender<message::RaftMessage>> sender = SenderOf(found->second);
  if (sender != nullptr && sender->queued_bytes() < kLinkBytesMax) {
    sender->Send(std::move(message));
    return;
  }
  const std::lock_guard<std::mutex> lock(found->second->mutex);
  ++found->second->dropped;
}

uint64_t RaftLinks::dropped() const {
  uint64_t total = 0;
  for (const auto& [id, link] : links_) {
    const std::lock_guard<std::mutex> lock(link->mutex);
    total += link->dropped;
  }
  return total;
}

std::shared_ptr<MessageSender<message::RaftMessage>> RaftLinks::SenderOf(
    const std::shared_ptr<Link>& link) {
  uint64_t number = 0;
  {
    const std::lock_guard<std::mutex> lock(link->mutex);
    if (link->sender != nullptr) return link->sender;
    const Instant now = ReadClocks().mono;
    if (link->opened_number > link->closed_number || now < link->retry_at) return nullptr;
    link->opened = now;
    number = ++link->opened_number;
  }
  std::shared_ptr<MessageSender<message::RaftMessage>> sender =
      OpenProtoStream<message::RaftMessage, message::RaftMessage>(
          calls_,
          {.host = link->endpoint.host,
           .port = link->endpoint.port,
           .method = kRaftMethod,
           .connect_timeout = kConnectTimeout},
          {.on_message = [](const message::RaftMessage&) {},
           .on_closed = [link,
                         number](const absl::Status& status) { OnClosed(*link, number, status); }});
  const std::lock_guard<std::mutex> lock(link->mutex);
  // A refused connection may have been told already.
  if (link->closed_number >= number) return nullptr;
  link->sender = sender;
  return sender;
}

void RaftLinks::OnClosed(Link& link, uint64_t number, const absl::Status& status) {
  std::shared_ptr<MessageSender<message::RaftMessage>> closed;  // destroyed without the lock
  const std::lock_guard<std::mutex> lock(link.mutex);
  const Instant now = ReadClocks().mono;
  const bool lasted = now - link.opened >= kLasted;
  link.pause = lasted ? kPauseMin : std::clamp(link.pause * 2, kPauseMin, kPauseMax);
  link.retry_at = now + link.pause;
  link.closed_number = number;
  closed = std::move(link.sender);
  if (lasted) {
    LogInfo("raft.link.closed",
            {{"peer", absl::StrCat(link.endpoint.host, ":", link.endpoint.port)},
             {"status", status.ToString()}});
  }
}

}  // namespace quipu
