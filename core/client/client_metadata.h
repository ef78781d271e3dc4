// Keeps a client's metadata fresh: when to ask, whom to ask, and what to say when nobody answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_types.h"
#include "core/client/metadata_view.h"

namespace quipu {

// How long brokers may say that a topic does not exist before it is believed: one that was just
// created takes a moment to be known everywhere.
inline constexpr Duration kUnknownTopicPatience = std::chrono::seconds(2);

// A broker that leaves a request unanswered for so long may be gone without a word; the metadata
// are looked at again and again then, as another may lead by now.
inline constexpr Duration kAnswerStall = std::chrono::seconds(1);
inline constexpr Duration kStallProbePause = std::chrono::milliseconds(200);

struct ClientMetadataOptions {
  std::vector<ServerAddress> bootstrap_servers;  // bootstrap.servers
  Duration max_age = std::chrono::minutes(5);    // metadata.max.age.ms
  Duration request_timeout = std::chrono::milliseconds(1500);
  // Two refreshes are at least a random time between these apart.
  Duration refresh_backoff_min = std::chrono::milliseconds(20);
  Duration refresh_backoff_max = std::chrono::milliseconds(100);
};

// The refresh machine around a MetadataView. One request at a time; a failed one goes to the next
// address, so that a dead broker costs one connection attempt. Pure; one owner.
class ClientMetadata {
 public:
  // `ids` must outlive this object.
  ClientMetadata(ClientMetadataOptions options, CallIds& ids, Rng rng);

  // Topics to keep informed about. A new name asks for a refresh.
  void AddTopic(const std::string& name);
  // What is known is out of date: ask again as soon as the back-off allows.
  void RequestRefresh() { refresh_wanted_ = true; }
  // The same because `silent` owes an answer for kAnswerStall: others are asked first.
  void LookPast(const ServerAddress& silent);

  // Appends the request that is due, if any.
  void Pump(Instant now, std::vector<UnaryCall>& calls);
  // Both return false when `id` is not this part's call. A true return of OnAnswered means that the
  // view may have changed.
  bool OnAnswered(Instant now, CallId id, const message::MetadataResponse& response);
  bool OnFailed(Instant now, CallId id, const absl::Status& status);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  // An address to send a request to that any broker can answer: known brokers and bootstrap
  // servers in turn, those that failed lately last. Empty only without bootstrap servers.
  [[nodiscard]] ServerAddress AnyAddress();
  // `address` did not answer: others are preferred until it is heard again.
  void NoteUnreachable(const ServerAddress& address, const std::string& why);
  void NoteReachable(const ServerAddress& address) { unreachable_.erase(address); }

  [[nodiscard]] const MetadataView& view() const { return view_; }
  [[nodiscard]] MetadataView& view() { return view_; }
  // True once any broker has answered.
  [[nodiscard]] bool ever_answered() const { return ever_answered_; }
  // OK while brokers answer; else kNotConnected, naming each address tried and why it failed.
  [[nodiscard]] absl::Status Reachability() const;
  // How long the answers have said without a break that `name` does not exist; nullopt: they do
  // not.
  [[nodiscard]] std::optional<Duration> UnknownFor(const std::string& name, Instant now) const;

 private:
  [[nodiscard]] Duration Backoff();
  [[nodiscard]] std::vector<ServerAddress> Candidates() const;

  ClientMetadataOptions options_;
  CallIds& ids_;
  Rng rng_;
  MetadataView view_;
  absl::btree_set<std::string> topics_;
  absl::btree_map<std::string, Instant> unknown_since_;
  absl::btree_map<ServerAddress, std::string> unreachable_;
  bool refresh_wanted_ = true;
  bool ever_answered_ = false;
  CallId in_flight_ = 0;
  ServerAddress asked_;
  size_t turn_ = 0;
  int failures_in_a_row_ = 0;
  std::optional<Instant> not_before_;
  std::optional<Instant> fresh_until_;
};

}  // namespace quipu
