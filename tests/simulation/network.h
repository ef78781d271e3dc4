// The simulated network: ordered streams that break, and datagrams that get lost, late, doubled and
// out of order. Nodes are named by small numbers (NodeId); a pair may be cut in one or both
// directions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "runtime/message_stream.h"
#include "tests/simulation/world.h"

namespace quipu::sim {

using NodeId = int;

struct NetworkOptions {
  Duration delay_min = std::chrono::microseconds(50);
  Duration delay_max = std::chrono::microseconds(2000);
  // Chances in 10,000 per message.
  uint64_t datagram_loss = 0;
  uint64_t datagram_duplicate = 0;
  uint64_t long_delay = 0;    // up to 300 ms
  uint64_t stream_break = 0;  // the stream ends and what was on its way is lost
};

struct NetworkCounters {
  uint64_t delays = 0;
  uint64_t losses = 0;
  uint64_t duplicates = 0;
  uint64_t reorders = 0;
  uint64_t stream_breaks = 0;
  uint64_t slowed = 0;  // messages on a slow link
};

class Network {
 public:
  Network(World& world, NetworkOptions options) : world_(world), options_(options) {}

  [[nodiscard]] World& world() { return world_; }
  [[nodiscard]] const NetworkCounters& counters() const { return counters_; }
  [[nodiscard]] NetworkOptions& options() { return options_; }

  // ---- faults ----
  void Cut(NodeId from, NodeId to);  // one direction; breaks the streams between the two
  // Messages of one direction take up to `extra` longer until `until`, or until the network heals.
  void Slow(NodeId from, NodeId to, Duration extra, Instant until);
  void Heal();
  [[nodiscard]] bool IsCut(NodeId from, NodeId to) const { return cuts_.contains({from, to}); }

  // ---- datagrams ----
  // Delivers `deliver` at `to` zero, one or two times.
  void Datagram(NodeId from, NodeId to, const ProcessPtr& receiver, std::function<void()> deliver);

  // ---- building blocks of streams and calls ----
  Duration Delay();
  Duration Delay(NodeId from, NodeId to);
  bool BreaksNow();  // draws whether a stream breaks at this message

  // A stream or call between two nodes, told when the network or a process breaks it.
  class Breakable {
   public:
    virtual ~Breakable() = default;
    virtual void Break() = 0;
    // The world ends: lets go of what it would call. Ends that hold each other are freed.
    virtual void Abandon() {}
    NodeId a = 0;
    NodeId b = 0;
  };
  void Register(const std::shared_ptr<Breakable>& breakable);
  // TCP and keepalive notice a lost message after a while.
  void BreakLater(const std::shared_ptr<Breakable>& breakable);
  // Breaks everything that touches `node` (its process died).
  void BreakNode(NodeId node);
  void AbandonAll();

 private:
  void Sweep();

  World& world_;
  NetworkOptions options_;
  NetworkCounters counters_;
  struct SlowLink {
    Duration extra;
    Instant until;
  };
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::map<std::pair<NodeId, NodeId>, SlowLink> slow_links_;
  std::vector<std::weak_ptr<Breakable>> breakables_;
  Instant last_datagram_{};
};

// Both ends of a stream. A sends Out to B, B sends In to A.
template <typename Out, typename In>
class SimStream final : public Network::Breakable,
                        public std::enable_shared_from_this<SimStream<Out, In>> {
 public:
  SimStream(Network& network, NodeId node_a, ProcessPtr process_a, MessageHandler<In> handler_a,
            NodeId node_b)
      : network_(network), process_a_(std::move(process_a)), handler_a_(std::move(handler_a)) {
    a = node_a;
    b = node_b;
  }

  // Sender of end A. It keeps the stream alive.
  class ToB final : public MessageSender<Out> {
   public:
    explicit ToB(std::shared_ptr<SimStream> stream) : stream_(std::move(stream)) {}
    void Send(Out message) override { stream_->SendToB(std::move(message)); }
    [[nodiscard]] size_t queued_bytes() const override { return 0; }
    void Close(absl::Status reason) override { stream_->CloseBoth(std::move(reason)); }

   private:
    std::shared_ptr<SimStream> stream_;
  };
  class ToA final : public MessageSender<In> {
   public:
    explicit ToA(std::shared_ptr<SimStream> stream) : stream_(std::move(stream)) {}
    void Send(In message) override { stream_->SendToA(std::move(message)); }
    [[nodiscard]] size_t queued_bytes() const override { return 0; }
    void Close(absl::Status reason) override { stream_->CloseBoth(std::move(reason)); }

   private:
    std::shared_ptr<SimStream> stream_;
  };

  // `accept` runs at B once the connection arrives; it gets B's sender and returns B's handler.
  using AcceptFn = std::function<MessageHandler<Out>(std::shared_ptr<MessageSender<In>> sender)>;
  // Begins to connect. `find_b` gives B's process, or null when nobody listens.
  void Connect(std::function<std::pair<ProcessPtr, AcceptFn>()> find_b) {
    auto self = this->shared_from_this();
    network_.world().After(network_.Delay(), nullptr, "connect", [self, find_b] {
      if (self->closed_) return;
      auto [process, accept] = find_b();
      if (process == nullptr || !process->alive()) {
        return self->CloseBoth(absl::UnavailableError("connection refused"));
      }
      if (self->network_.IsCut(self->a, self->b) || self->network_.IsCut(self->b, self->a)) {
        // Nothing answers: the connection attempt times out.
        self->network_.world().After(std::chrono::milliseconds(500), nullptr, "connect-timeout",
                                     [self] { self->Break(); });
        return;
      }
      self->process_b_ = process;
      self->network_.world().At(self->network_.world().now(), process, "accept",
                                [self, take = std::move(accept)] {
                                  if (self->closed_) return;
                                  self->handler_b_ = take(std::make_shared<ToA>(self));
                                  self->accepted_ = true;
                                  self->FlushToB();
                                });
    });
  }

  void Break() override { CloseBoth(absl::UnavailableError("connection broken")); }
  void Abandon() override {
    closed_ = true;
    const auto ends = std::make_pair(std::move(handler_a_), std::move(handler_b_));
    handler_a_ = {};
    handler_b_ = {};
  }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  void SendToB(Out message) {
    if (closed_) return;
    if (!accepted_) {
      waiting_.push_back(std::move(message));
      return;
    }
    Deliver(b_last_, a, b, process_b_,
            [self = this->shared_from_this(), shared = std::make_shared<Out>(std::move(message))] {
              if (!self->closed_ && self->handler_b_.on_message) {
                self->handler_b_.on_message(std::move(*shared));
              }
            });
  }
  void SendToA(In message) {
    if (closed_) return;
    Deliver(a_last_, b, a, process_a_,
            [self = this->shared_from_this(), shared = std::make_shared<In>(std::move(message))] {
              if (!self->closed_ && self->handler_a_.on_message) {
                self->handler_a_.on_message(std::move(*shared));
              }
            });
  }
  void FlushToB() {
    std::vector<Out> waiting = std::move(waiting_);
    waiting_.clear();
    for (Out& message : waiting) SendToB(std::move(message));
  }
  void Deliver(Instant& last, NodeId from, NodeId to, const ProcessPtr& receiver,
               std::function<void()> deliver) {
    bool& gap = from == a ? gap_to_b_ : gap_to_a_;
    if (!gap && network_.IsCut(from, to)) {
      // Lost, and with it the stream: a connection ends when nothing confirms what was sent.
      gap = true;
      network_.BreakLater(this->shared_from_this());
    }
    if (gap) return;  // nothing arrives behind what was lost
    if (network_.BreaksNow()) return Break();
    last = std::max(last + Duration(1), network_.world().now() + network_.Delay(from, to));
    network_.world().At(last, receiver, "message", std::move(deliver));
  }
  void CloseBoth(absl::Status reason) {
    if (closed_) return;
    closed_ = true;
    CloseEnd(process_a_, handler_a_, reason);
    CloseEnd(process_b_, handler_b_, reason);
    waiting_.clear();
  }
  void CloseEnd(const ProcessPtr& process, MessageHandler<In>& handler,
                const absl::Status& reason) {
    CloseEndImpl(process, handler, reason);
  }
  template <typename Handler>
  void CloseEndImpl(const ProcessPtr& process, Handler& handler, const absl::Status& reason) {
    auto on_closed = std::move(handler.on_closed);
    handler.on_message = nullptr;
    handler.on_closed = nullptr;
    if (process == nullptr || !on_closed) return;
    // Each end notices in its own time.
    network_.world().After(network_.Delay(), process, "closed",
                           [on_closed = std::move(on_closed), reason] { on_closed(reason); });
  }
  template <typename T = Out>
    requires(!std::is_same_v<T, In>)
  void CloseEnd(const ProcessPtr& process, MessageHandler<T>& handler, const absl::Status& reason) {
    CloseEndImpl(process, handler, reason);
  }

  Network& network_;
  ProcessPtr process_a_;
  ProcessPtr process_b_;
  MessageHandler<In> handler_a_;
  MessageHandler<Out> handler_b_;
  std::vector<Out> waiting_;
  Instant a_last_{};
  Instant b_last_{};
  bool accepted_ = false;
  bool closed_ = false;
  bool gap_to_a_ = false;  // something sent to A was lost
  bool gap_to_b_ = false;
};

}  // namespace quipu::sim
