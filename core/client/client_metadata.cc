#include "core/client/client_metadata.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace quipu {

ClientMetadata::ClientMetadata(ClientMetadataOptions options, CallIds& ids, Rng rng)
    : options_(std::move(options)), ids_(ids), rng_(rng) {
  QUIPU_CHECK_MSG(!options_.bootstrap_servers.empty(), "bootstrap.servers is empty");
  turn_ = static_cast<size_t>(rng_.Below(options_.bootstrap_servers.size()));
}

void ClientMetadata::AddTopic(const std::string& name) {
  if (topics_.insert(name).second) refresh_wanted_ = true;
}

void ClientMetadata::LookPast(const ServerAddress& silent) {
  NoteUnreachable(silent, absl::StrCat("no answer for ", ToMillis(kAnswerStall), " ms"));
  RequestRefresh();
}

void ClientMetadata::Pump(Instant now, std::vector<UnaryCall>& calls) {
  if (in_flight_ != 0) return;
  if (fresh_until_ && now >= *fresh_until_) refresh_wanted_ = true;
  if (!refresh_wanted_) return;
  if (not_before_ && now < *not_before_) return;
  message::MetadataRequest request;
  for (const std::string& topic : topics_) request.add_topics(topic);
  refresh_wanted_ = false;
  in_flight_ = ids_.Next();
  asked_ = AnyAddress();
  not_before_ = now + Backoff();
  calls.push_back({.id = in_flight_,
                   .address = asked_,
                   .timeout = options_.request_timeout,
                   .request = std::move(request)});
}

bool ClientMetadata::OnAnswered(Instant now, CallId id, const message::MetadataResponse& response) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  const ErrorCode error = view_.Apply(response);
  if (error != ErrorCode::kNone) {
    NoteUnreachable(asked_, std::string(ErrorName(error)));
    refresh_wanted_ = true;
    return true;
  }
  ever_answered_ = true;
  failures_in_a_row_ = 0;
  NoteReachable(asked_);
  fresh_until_ = now + options_.max_age;
  for (const std::string& topic : topics_) {
    if (view_.TopicError(topic) != ErrorCode::kNone) {
      unknown_since_.try_emplace(topic, now);
      refresh_wanted_ = true;
    } else {
      unknown_since_.erase(topic);
      // Asked for after this request had been sent.
      if (view_.FindTopic(topic) == nullptr) refresh_wanted_ = true;
    }
  }
  return true;
}

bool ClientMetadata::OnFailed(Instant now, CallId id, const absl::Status& status) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  refresh_wanted_ = true;
  ++failures_in_a_row_;
  NoteUnreachable(asked_, std::string(status.message()));
  // Bounded: one attempt per back-off, growing while nobody answers at all.
  const int doublings = std::min(failures_in_a_row_ / 4, 3);
  not_before_ = now + Backoff() * (int64_t{1} << doublings);
  if (failures_in_a_row_ == 1) not_before_ = now;  // another broker may be asked at once
  return true;
}

std::optional<Instant> ClientMetadata::NextDeadline() const {
  if (in_flight_ != 0) return std::nullopt;
  if (refresh_wanted_) return not_before_.value_or(Instant());
  return fresh_until_;
}

std::vector<ServerAddress> ClientMetadata::Candidates() const {
  std::vector<ServerAddress> all = view_.Addresses();
  for (const ServerAddress& address : options_.bootstrap_servers) {
    if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
  }
  return all;
}

ServerAddress ClientMetadata::AnyAddress() {
  const std::vector<ServerAddress> all = Candidates();
  for (size_t i = 0; i < all.size(); ++i) {
    const ServerAddress& address = all[(turn_ + i) % all.size()];
    if (!unreachable_.contains(address)) {
      turn_ = (turn_ + i + 1) % all.size();
      return address;
    }
  }
  const ServerAddress& address = all[turn_ % all.size()];
  turn_ = (turn_ + 1) % all.size();
  return address;
}

void ClientMetadata::NoteUnreachable(const ServerAddress& address, const std::string& why) {
  unreachable_[address] = why;
}

absl::Status ClientMetadata::Reachability() const {
  for (const ServerAddress& address : Candidates()) {
    if (!unreachable_.contains(address)) return absl::OkStatus();
  }
  std::string text = "no broker could be reached; tried";
  const char* separator = " ";
  for (const auto& [address, why] : unreachable_) {
    absl::StrAppend(&text, separator, address, " (", why, ")");
    separator = ", ";
  }
  absl::StrAppend(&text, "; check bootstrap.servers and that the brokers run");
  return ToStatus(ErrorCode::kNotConnected, text);
}

std::optional<Duration> ClientMetadata::UnknownFor(const std::string& name, Instant now) const {
  const auto found = unknown_since_.find(name);
  if (found == unknown_since_.end()) return std::nullopt;
  return now - found->second;
}

Duration ClientMetadata::Backoff() {
  return Duration(
      rng_.Between(options_.refresh_backoff_min.count(), options_.refresh_backoff_max.count()));
}

}  // namespace quipu
