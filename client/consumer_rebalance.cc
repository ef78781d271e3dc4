// The rebalance listener of the SDK's consumer: when it is called, and the commits around it.
#include <utility>

#include "base/logging.h"
#include "client/consumer_impl.h"

namespace quipu {

void Consumer::Impl::CommitBeforeRevocation(Duration timeout) {
  if (!settings_.auto_commit) return;
  const absl::Status committed = CommitAndWait(Positions(), timeout);
  if (committed.ok()) return;
  // What was handed out comes again, at whoever is given the partitions.
  LogWarn("consumer.commit_before_revocation_failed",
          {{"error", std::string(committed.message())}});
}

void Consumer::Impl::RunRebalances(std::unique_lock<std::mutex>& lock) {
  while (!rebalances_.empty()) {
    const Rebalance event = std::move(rebalances_.front());
    rebalances_.pop_front();
    lock.unlock();
    if (!event.lost.empty() && listener_.on_lost) listener_.on_lost(event.lost);
    if (!event.revoked.empty()) {
      CommitBeforeRevocation(settings_.default_api_timeout);
      if (listener_.on_revoked) listener_.on_revoked(event.revoked);
    }
    if (!event.assigned.empty() && listener_.on_assigned) listener_.on_assigned(event.assigned);
    lock.lock();
    if (event.revoked.empty()) continue;
    core_.ConfirmRevoked(owner_.GetNow().mono);
    WakeLocked();
  }
}

void Consumer::Impl::RevokeAll(std::unique_lock<std::mutex>& lock, Duration timeout) {
  if (subscribed_.empty()) return;
  // What the listener was not yet told comes first; what it was never told to have is not revoked.
  for (Rebalance& event : rebalances_) event.revoked.clear();
  RunRebalances(lock);
  std::vector<NamedPartition> owned;
  for (const TopicPartition& id : core_.group().owned()) owned.push_back(NameOf(id));
  if (owned.empty() || !listener_.on_revoked || timeout <= Duration(0)) return;
  lock.unlock();
  listener_.on_revoked(owned);
  lock.lock();
}

void Consumer::Impl::Unsubscribe(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  CommitBeforeRevocation(settings_.default_api_timeout);
  lock.lock();
  RevokeAll(lock, settings_.default_api_timeout);
  core_.Unsubscribe();
  rebalances_.clear();  // of a membership that is over
}

}  // namespace quipu
