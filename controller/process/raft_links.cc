#include "controller/process/raft_links.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "controller/voter_replacement.h"
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
    : calls_(calls), self_(self), formatted_(voters) {
  OnVoters(VoterSet());
}

void RaftLinks::OnVoters(const VoterSet& voters) {
  std::vector<std::shared_ptr<Link>> unused;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto former = std::exchange(links_, {});
    by_identity_.clear();
    by_id_.clear();
    for (const Voter& voter : formatted_) Add(voter, former);
    const auto add = [this, &former](const RaftVoter& voter) {
      const std::optional<HostPort> endpoint = ParseHostPort(voter.endpoint);
      if (!endpoint) return;
      Add({voter.identity.id, voter.identity.directory_id, *endpoint}, former);
    };
    for (const RaftVoter& voter : voters.members()) add(voter);
    if (voters.joining()) add(*voters.joining());
    for (auto& [endpoint, link] : former) {
      if (!links_.contains(endpoint)) unused.push_back(std::move(link));
    }
  }
  for (const std::shared_ptr<Link>& link : unused) {
    std::shared_ptr<MessageSender<message::RaftMessage>> sender;
    {
      const std::lock_guard<std::mutex> lock(link->mutex);
      sender = link->sender;
    }
    if (sender != nullptr) sender->Close(absl::OkStatus());
  }
}

void RaftLinks::Add(const Voter& voter, const LinkMap& former) {
  if (voter.id == self_) return;
  const std::pair<std::string, uint16_t> key(voter.endpoint.host, voter.endpoint.port);
  std::shared_ptr<Link>& link = links_[key];
  if (link == nullptr) {
    const auto known = former.find(key);
    if (known != former.end()) {
      link = known->second;
    } else {
      link = std::make_shared<Link>();
      link->endpoint = voter.endpoint;
    }
  }
  by_identity_[{voter.id, voter.directory_id}] = link;
  by_id_[voter.id] = link;  // the newest wins
}

std::shared_ptr<RaftLinks::Link> RaftLinks::FindLink(const message::RaftMessage& message) {
  const ControllerId to(message.to());
  const DirectoryId directory = Uuid::FromBytes(message.to_directory_id()).value_or(DirectoryId());
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto exact = by_identity_.find({to, directory});
  if (exact != by_identity_.end()) return exact->second;
  const auto same_id = by_id_.find(to);
  return same_id == by_id_.end() ? nullptr : same_id->second;
}

void RaftLinks::Send(message::RaftMessage message) {
  const std::shared_ptr<Link> link = FindLink(message);
  if (link == nullptr) return;
  const std::shared_ptr<MessageSender<message::RaftMessage>> sender = SenderOf(link);
  if (sender != nullptr && sender->queued_bytes() < kLinkBytesMax) {
    sender->Send(std::move(message));
    return;
  }
  const std::lock_guard<std::mutex> lock(link->mutex);
  ++link->dropped;
}

uint64_t RaftLinks::dropped() const {
  uint64_t total = 0;
  const std::lock_guard<std::mutex> all(mutex_);
  for (const auto& [endpoint, link] : links_) {
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
