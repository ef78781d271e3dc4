#include "controller/controller_node.h"

#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "controller/active_controller.h"
#include "controller/metadata_state_machine.h"
#include "controller/raft_driver.h"
#include "core/raft/raft_core.h"

namespace quipu {

// Everything but construction and destruction happens on the executor. Work that was posted asks
// `alive` first, so the node may be destroyed on the executor at any time.
struct ControllerNode::Parts final : public ControllerNode::Inspector {
  Parts(ControllerConfig node_config, ControllerPorts& node_ports)
      : config(std::move(node_config)),
        ports(node_ports),
        driver(config, ports, MakeCallbacks()),
        active(config, {.outside = ports, .raft = driver, .committed = committed}) {}

  RaftDriver::Callbacks MakeCallbacks() {
    return {
        .on_committed = [this](const message::RaftEntry& entry) { OnCommitted(entry); },
        .on_restore = [this](LogIndex last, absl::string_view data) { OnRestore(last, data); },
        .make_snapshot = [this] { return committed.MakeSnapshot(); },
        .on_role = [this](bool is_leader, Term term,
                          ControllerId leader) { OnRole(is_leader, term, leader); },
    };
  }

  void OnCommitted(const message::RaftEntry& entry) {
    record::MetadataBatch batch = committed.Apply(entry);
    CheckCluster();
    if (entry.kind() == message::RaftEntry::VOTERS) LogVoters(entry);
    active.OnCommitted(LogIndex(entry.index()), std::move(batch));
  }

  static void LogVoters(const message::RaftEntry& entry) {
    const std::optional<VoterSet> voters = VoterSet::Parse(entry.data());
    QUIPU_CHECK_MSG(voters.has_value(), "a committed set of voters is damaged");
    const auto text = [](const RaftVoter& voter) {
      return voter.identity.id.ToString() + "@" + voter.endpoint + ":" +
             voter.identity.directory_id.ToText();
    };
    std::string all;
    for (const RaftVoter& voter : voters->members()) all += (all.empty() ? "" : ",") + text(voter);
    LogInfo("quorum.voters", {{"index", std::to_string(entry.index())},
                              {"voters", all},
                              {"joining", voters->joining() ? text(*voters->joining()) : "none"}});
  }

  void OnRestore(LogIndex last, absl::string_view data) {
    // A snapshot replaces what a follower has; a leader never loads one.
    active.Deactivate();
    committed.Restore(last, data);
    CheckCluster();
    active.OnRestored(last);
  }

  // The directory was formatted for a cluster; a log that says otherwise must not be served.
  void CheckCluster() const {
    const ClusterId logged = committed.image().cluster_id();
    if (logged.IsZero() || logged == config.cluster_id) return;
    ports.StopProcess("the metadata log belongs to cluster " + logged.ToText() +
                      ", this directory to cluster " + config.cluster_id.ToText());
  }

  void OnRole(bool is_leader, Term term, ControllerId leader) {
    active.OnLeader(leader);
    if (leader != kNoController && leader != config.controller_id) FinishStepDown();
    if (!is_leader) {
      active.Deactivate();
      return;
    }
    active.Deactivate();  // of a former term, if the loss was not told apart
    active.Activate(term);
    ++activations;
    ScheduleTick(activations);
  }

  void StepDown(Duration timeout, std::function<void()> done) {
    if (driver.core().role() != RaftRole::kLeader || driver.core().voters().size() == 1) {
      done();
      return;
    }
    LogInfo("controller.steps_down", {{"controller", config.controller_id.ToString()}});
    stepped_down = std::move(done);
    driver.Resign();
    std::weak_ptr<const bool> token = alive;
    ports.executor().PostAfter(timeout, [this, token] {
      if (token.lock() != nullptr) FinishStepDown();
    });
  }

  void FinishStepDown() {
    const std::function<void()> done = std::exchange(stepped_down, nullptr);
    if (done != nullptr) done();
  }

  void ScheduleTick(uint64_t activation) {
    std::weak_ptr<const bool> token = alive;
    ports.executor().PostAfter(ActiveController::kTickInterval, [this, token, activation] {
      if (token.lock() == nullptr || activation != activations || !active.active()) return;
      active.OnTick();
      ScheduleTick(activation);
    });
  }

  // Runs `work` on the executor while this object lives.
  template <typename Work>
  void Post(Work work) {
    std::weak_ptr<const bool> token = alive;
    ports.executor().Post([token, work = std::move(work)]() mutable {
      if (token.lock() != nullptr) work();
    });
  }

  [[nodiscard]] ControllerMetrics Metrics() const {
    const RaftCore& raft_core = driver.core();
    ControllerMetrics out{.active = active.active(),
                          .term = raft_core.term(),
                          .commit_index = raft_core.commit_index(),
                          .applied_index = committed.image().index(),
                          .last_index = raft_core.last_index(),
                          .durable_index = raft_core.durable_index(),
                          .snapshot_index = raft_core.log().snapshot_index(),
                          .dropped_messages = raft_core.dropped_messages(),
                          .uncommitted_bytes = raft_core.uncommitted_bytes(),
                          .waiting_answers = active.waiting_answers(),
                          .voters = raft_core.voters().members().size(),
                          .match_indexes = {},
                          .image = nullptr};
    if (!out.active) return out;
    // Copied once per change of the metadata, and only while somebody scrapes.
    out.image = committed.SharedImage();
    for (const RaftVoter& voter : raft_core.voters().members()) {
      if (voter.identity == raft_core.options().self) {
        out.match_indexes.emplace_back(voter.identity.id, raft_core.durable_index());
      } else if (const Progress* progress = raft_core.ProgressOf(voter.identity)) {
        out.match_indexes.emplace_back(voter.identity.id, progress->match());
      }
    }
    return out;
  }

  // ---- Inspector ----
  [[nodiscard]] const RaftCore& raft() const override { return driver.core(); }
  [[nodiscard]] MetadataImagePtr image() const override { return committed.SharedImage(); }
  [[nodiscard]] const ControllerCore& core() const override { return active.core(); }

  const ControllerConfig config;
  ControllerPorts& ports;
  MetadataStateMachine committed;
  RaftDriver driver;
  ActiveController active;
  uint64_t activations = 0;
  std::function<void()> stepped_down;  // set while StepDown waits
  std::shared_ptr<const bool> alive = std::make_shared<const bool>(true);
};

ControllerNode::ControllerNode(ControllerConfig config, ControllerPorts& ports)
    : parts_(std::make_unique<Parts>(std::move(config), ports)) {}

ControllerNode::~ControllerNode() = default;

absl::Status ControllerNode::Start() { return parts_->driver.Start(); }

void ControllerNode::StepDown(Duration timeout, std::function<void()> done) {
  parts_->Post([parts = parts_.get(), timeout, done = std::move(done)]() mutable {
    parts->StepDown(timeout, std::move(done));
  });
}

void ControllerNode::OnRaftMessage(message::RaftMessage message) {
  parts_->Post([parts = parts_.get(), message = std::move(message)]() mutable {
    parts->driver.Step(std::move(message));
  });
}

MessageHandler<message::BrokerToController> ControllerNode::AcceptControlStream(
    std::shared_ptr<MessageSender<message::ControllerToBroker>> sender) {
  auto stream = std::make_shared<ControlStream>();
  stream->sender = std::move(sender);
  Parts* parts = parts_.get();
  std::weak_ptr<const bool> token = parts->alive;
  Executor& executor = parts->ports.executor();
  parts->Post([parts, stream] { parts->active.OnStreamOpened(stream); });
  // The handler may outlive the node: it reaches for the parts on the executor only, and only
  // while they live.
  return {
      .on_message =
          [parts, token, stream, &executor](message::BrokerToController request) {
            executor.Post([parts, token, stream, request = std::move(request)]() mutable {
              if (token.lock() != nullptr) parts->active.OnRequest(stream, std::move(request));
            });
          },
      .on_closed =
          [parts, token, stream, &executor](const absl::Status& /*reason*/) {
            executor.Post([parts, token, stream] {
              if (token.lock() != nullptr) parts->active.OnStreamClosed(stream);
            });
          },
  };
}

void ControllerNode::CollectMetrics(std::function<void(ControllerMetrics)> done) const {
  parts_->Post([parts = parts_.get(), done = std::move(done)] { done(parts->Metrics()); });
}

const ControllerNode::Inspector& ControllerNode::inspector() const { return *parts_; }

}  // namespace quipu
