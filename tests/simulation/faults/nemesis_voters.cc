#include "tests/simulation/faults/nemesis_voters.h"

#include <string>

namespace quipu::sim {

bool LostVoter::Strike() {
  // The disk of a lone voter is the only copy.
  if (open() || cluster_.controllers().size() < 3) return false;
  World& world = cluster_.world();
  SimController& victim = *cluster_.controllers()[world.rng().Below(cluster_.controllers().size())];
  world.Note("the disk of controller " + victim.id().ToString() + " is lost");
  Lose(victim);
  Operate();
  return true;
}

bool LostVoter::Rot(Fault fault) {
  if (open() || cluster_.controllers().size() < 3) return false;
  World& world = cluster_.world();
  auto& controllers = cluster_.controllers();
  const bool entry = fault == Fault::kRottenRaftEntry;
  const size_t first = world.rng().Below(controllers.size());
  for (size_t i = 0; i < controllers.size(); ++i) {
    SimController& victim = *controllers[(first + i) % controllers.size()];
    RottingRaftStore& disk = victim.raft_store();
    if (!(entry ? disk.RotEntry(world.rng()) : disk.RotSnapshot(world.rng()))) continue;
    world.Note("a bit flips in " + std::string(entry ? "the log" : "the snapshot") +
               " of controller " + victim.id().ToString());
    AwaitRefusal(victim);
    return true;
  }
  return false;
}

void LostVoter::AwaitRefusal(SimController& victim) {
  World& world = cluster_.world();
  rotten_ = Rotten{&victim, victim.incarnation()};
  world.After(world.Between(Duration(0), std::chrono::seconds(3)), nullptr, "rot", [this, &victim] {
    if (!rotten_ || rotten_->controller != &victim) return;
    victim.Crash();
    StartLater(victim);
  });
  WatchRot();
}

void LostVoter::WatchRot() {
  World& world = cluster_.world();
  world.After(world.Between(std::chrono::milliseconds(200), std::chrono::milliseconds(1000)),
              nullptr, "operator", [this] {
                SimController& victim = *rotten_->controller;
                if (victim.refused()) {
                  ++rot_refused_;
                  rotten_.reset();
                  cluster_.world().Note("a new directory for controller " + victim.id().ToString());
                  Lose(victim);
                  return Operate();
                }
                if (victim.running() && victim.incarnation() != rotten_->incarnation) {
                  return rotten_.reset();  // what was rotten had been replaced by then
                }
                WatchRot();
              });
}

bool LostVoter::LoseNewDirectory() {
  if (!lost_) return false;
  ++directories_lost_;
  SimController& victim = *cluster_.FindController(lost_->id);
  cluster_.world().Note("the new directory of controller " + victim.id().ToString() + " is lost");
  Lose(victim);
  return true;
}

void LostVoter::Lose(SimController& victim) {
  victim.LoseDisk(Uuid::Random(cluster_.world().rng()));
  lost_ = RaftIdentity{victim.id(), victim.directory_id()};
  StartLater(victim);
}

void LostVoter::StartLater(SimController& controller) {
  World& world = cluster_.world();
  world.After(world.Between(std::chrono::milliseconds(1), std::chrono::milliseconds(2000)), nullptr,
              "new-disk", [&controller] {
                if (!controller.running()) controller.Start();
              });
}

void LostVoter::Operate() {
  World& world = cluster_.world();
  world.After(world.Between(std::chrono::milliseconds(200), std::chrono::milliseconds(1000)),
              nullptr, "operator", [this] {
                if (!lost_) return;
                Ask();
                Operate();
              });
}

void LostVoter::Ask() {
  World& world = cluster_.world();
  if (operator_ == nullptr) operator_ = std::make_shared<Process>(world, "operator");
  message::AdminRequest request;
  ask_for_status_ = !ask_for_status_;
  if (ask_for_status_) {
    request.mutable_describe_quorum();
  } else {
    message::ReplaceVoter* replace = request.mutable_replace_voter();
    replace->set_controller_id(lost_->id.value());
    replace->set_directory_id(lost_->directory_id.ToBytes());
    replace->set_timeout_ms(world.rng().Between(1000, 10000));
  }
  const BrokerId broker(static_cast<int32_t>(world.rng().Between(1, cluster_.options().brokers)));
  cluster_.Call<message::AdminRequest, message::AdminResponse>(
      ClientNodeId(91), operator_, broker, request, &BrokerNode::Admin,
      [this](const message::AdminResponse& response) {
        if (response.error_code() == 0 && response.has_describe_quorum()) {
          OnQuorum(response.describe_quorum());
        }
      },
      [] {});
}

void LostVoter::OnQuorum(const message::DescribeQuorumResult& quorum) {
  if (!lost_ || !quorum.voters_committed()) return;
  for (const message::DescribeQuorumResult::Voter& voter : quorum.voters()) {
    if (voter.id() != lost_->id.value()) continue;
    if (voter.directory_id() != lost_->directory_id.ToBytes()) continue;
    cluster_.world().Note("controller " + lost_->id.ToString() + " is replaced");
    lost_.reset();
    ++replaced_;
    return;
  }
}

}  // namespace quipu::sim
