#include "tests/simulation/network.h"

#include <algorithm>

namespace quipu::sim {

Duration Network::Delay() {
  if (world_.rng().Chance(options_.long_delay, 10000)) {
    ++counters_.delays;
    return world_.Between(std::chrono::milliseconds(5), std::chrono::milliseconds(300));
  }
  return world_.Between(options_.delay_min, options_.delay_max);
}

Duration Network::Delay(NodeId from, NodeId to) {
  const Duration delay = Delay();
  const auto slow = slow_links_.find({from, to});
  if (slow == slow_links_.end() || world_.now() > slow->second.until) return delay;
  ++counters_.slowed;
  return delay + world_.Between(Duration(0), slow->second.extra);
}

bool Network::BreaksNow() { return world_.rng().Chance(options_.stream_break, 10000); }

void Network::Datagram(NodeId from, NodeId to, const ProcessPtr& receiver,
                       std::function<void()> deliver) {
  if (receiver == nullptr || IsCut(from, to)) return;
  if (world_.rng().Chance(options_.datagram_loss, 10000)) {
    ++counters_.losses;
    return;
  }
  const bool twice = world_.rng().Chance(options_.datagram_duplicate, 10000);
  if (twice) ++counters_.duplicates;
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    const Instant when = world_.now() + Delay(from, to);
    if (when < last_datagram_) ++counters_.reorders;
    last_datagram_ = std::max(last_datagram_, when);
    world_.At(when, receiver, "datagram", deliver);
  }
}

void Network::Register(const std::shared_ptr<Breakable>& breakable) {
  if (breakables_.size() > 64 && breakables_.size() % 64 == 0) Sweep();
  breakables_.push_back(breakable);
}

void Network::Sweep() {
  std::erase_if(breakables_, [](const std::weak_ptr<Breakable>& entry) { return entry.expired(); });
}

void Network::Cut(NodeId from, NodeId to) {
  cuts_.insert({from, to});
  for (const std::weak_ptr<Breakable>& entry : breakables_) {
    const std::shared_ptr<Breakable> breakable = entry.lock();
    if (breakable == nullptr) continue;
    const bool between = (breakable->a == from && breakable->b == to) ||
                         (breakable->a == to && breakable->b == from);
    if (!between) continue;
    ++counters_.stream_breaks;
    BreakLater(breakable);
  }
}

void Network::BreakLater(const std::shared_ptr<Breakable>& breakable) {
  world_.After(world_.Between(std::chrono::milliseconds(20), std::chrono::milliseconds(2000)),
               nullptr, "cut-noticed", [entry = std::weak_ptr(breakable)] {
                 if (auto stream = entry.lock()) stream->Break();
               });
}

void Network::Slow(NodeId from, NodeId to, Duration extra, Instant until) {
  slow_links_[{from, to}] = {.extra = extra, .until = until};
}

void Network::Heal() {
  cuts_.clear();
  slow_links_.clear();
}

void Network::BreakNode(NodeId node) {
  for (const std::weak_ptr<Breakable>& entry : std::vector(breakables_)) {
    const std::shared_ptr<Breakable> breakable = entry.lock();
    if (breakable != nullptr && (breakable->a == node || breakable->b == node)) breakable->Break();
  }
}

void Network::AbandonAll() {
  for (const std::weak_ptr<Breakable>& entry : breakables_) {
    if (const std::shared_ptr<Breakable> breakable = entry.lock()) breakable->Abandon();
  }
}

}  // namespace quipu::sim
