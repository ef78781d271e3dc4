#include "tests/simulation/classic/sim_classic_group.h"

#include <algorithm>
#include <set>
#include <utility>

namespace quipu::sim {
namespace {

constexpr Duration kAwayMax = std::chrono::seconds(4);
constexpr Duration kDeletionInterval = std::chrono::milliseconds(300);
constexpr uint64_t kDeletionTries = 25;       // until all sessions have ended, and longer
constexpr size_t kClassicDuplicatesMax = 20;  // of one run
constexpr int kFirstClassicDuplicate = 10;    // numbers of their own
constexpr int kVisitor = 45;
constexpr NodeId kOperatorNode = ClientNodeId(92);

}  // namespace

void SimClassicGroup::Start(const SwarmOptions& drawn, const std::string& topic) {
  topic_ = topic;
  brokers_ = drawn.brokers;
  one_goes_ = drawn.classic_one_goes != 0 && drawn.classic > 1;
  operator_ = std::make_shared<Process>(world(), "groups-operator");
  const TopicImage* image = ports_.partitions.image()->FindTopicByName(topic);
  Rng& rng = world().rng();
  for (int number = 0; number < drawn.classic; ++number) {
    ClassicOptions options;
    options.group_id = kGroup;
    options.topic = topic;
    options.topic_id = image->id;
    options.partitions = static_cast<int32_t>(image->partitions.size());
    options.client_id = "classic-" + std::to_string(number);
    if (drawn.classic_static != 0) options.instance_id = "place-" + std::to_string(number);
    options.session_ms = static_cast<int32_t>(drawn.group_session_ms);
    // So that some of those that hang keep their places while the others go on without them.
    if (drawn.classic_static != 0) options.session_ms *= static_cast<int32_t>(rng.Between(1, 3));
    options.rebalance_ms = static_cast<int32_t>(drawn.classic_rebalance_ms);
    options.heartbeat_interval = std::chrono::milliseconds(drawn.group_session_ms / 4);
    options.request_timeout = std::chrono::milliseconds(rng.Between(500, 3000));
    options.cooperative = drawn.cooperative != 0;
    options.is_told_its_id = rng.Chance(2, 3);
    options.skips_assignment = rng.Chance(1, 2);
    Add(std::make_unique<SimClassic>(ports_, number, std::move(options)));
    StartLater(*members_.back(), std::chrono::seconds(2));
  }
}

void SimClassicGroup::Add(std::unique_ptr<SimClassic> member) {
  SimClassic* added = member.get();
  added->on_ended = [this, added] { StartLater(*added, std::chrono::seconds(1)); };
  members_.push_back(std::move(member));
}

bool SimClassicGroup::IsRetired(const SimClassic& member) const {
  return std::none_of(members_.begin(), members_.end(),
                      [&](const auto& each) { return each.get() == &member; });
}

void SimClassicGroup::StartLater(SimClassic& member, Duration most) {
  const Duration wait = world().Between(std::chrono::milliseconds(1), most);
  world().After(wait, nullptr, "restart", [this, &member] {
    const bool may = open_ && &member != gone_ && !IsRetired(member);
    if (may && !member.running()) member.Start();
  });
}

std::unique_ptr<SimClassic>& SimClassicGroup::Pick() {
  return members_[world().rng().Below(members_.size())];
}

std::vector<NodeId> SimClassicGroup::nodes() const {
  std::vector<NodeId> nodes;
  for (const auto& member : members_) nodes.push_back(member->node());
  return nodes;
}

void SimClassicGroup::OnCommitted(const std::vector<StoredBatch>& batches) {
  if (members_.empty()) return;
  const uint64_t life = classic_.life();
  group_.ownership().OnCommitted(batches);
  classic_.OnCommitted(batches);
  if (classic_.life() != life) group_.OnRemoved();
}

// ---- what happens to it ----------------------------------------------------------------------

bool SimClassicGroup::Strike(Fault fault) {
  if (members_.empty()) return false;
  if (fault == Fault::kDeleteGroup) return Delete();
  if (fault == Fault::kMoveGroup) return Move();
  SimClassic& member = *Pick();
  if (!member.running()) return false;
  world().Note(std::string(FaultName(fault)) + ' ' + member.process()->name());
  switch (fault) {
    case Fault::kCrashClassic:
      member.Crash();
      StartLater(member, kAwayMax);
      return true;
    case Fault::kLeaveClassic:
      member.Leave();
      StartLater(member, kAwayMax);
      return true;
    case Fault::kRejoinClassic:
      member.Rejoin();
      return true;
    case Fault::kPauseClassic:
      member.process()->PauseUntil(
          world().now() +
          world().Between(std::chrono::milliseconds(50), std::chrono::milliseconds(6000)));
      return true;
    case Fault::kSlowClassic: {
      const Duration extra =
          world().Between(std::chrono::milliseconds(200), std::chrono::seconds(3));
      const Instant until =
          world().now() + world().Between(std::chrono::seconds(1), std::chrono::seconds(6));
      for (auto& broker : ports_.cluster.brokers()) {
        ports_.cluster.network().Slow(member.node(), BrokerNodeId(broker->id()), extra, until);
      }
      return true;
    }
    case Fault::kDuplicateClassic:
      return Duplicate();
    default:
      return false;
  }
}

void SimClassicGroup::Silence(Instant until) {
  for (auto& member : members_) {
    if (member->running()) member->process()->PauseUntil(until);
  }
}

bool SimClassicGroup::Duplicate() {
  if (duplicated_.size() >= kClassicDuplicatesMax) return false;
  std::unique_ptr<SimClassic>& place = Pick();
  if (!place->running()) return false;
  world().Note("duplicated is " + place->process()->name());
  // What hangs is taken for dead: it goes on behind the other.
  if (world().rng().Chance(2, 3)) {
    place->process()->PauseUntil(world().now() + world().Between(std::chrono::milliseconds(300),
                                                                 std::chrono::milliseconds(3000)));
  }
  duplicated_.push_back(std::move(place));
  place = duplicated_.back()->MakeDuplicate(kFirstClassicDuplicate +
                                            static_cast<int>(duplicated_.size()));
  place->on_ended = [this, added = place.get()] { StartLater(*added, std::chrono::seconds(1)); };
  place->Start();
  return true;
}

void SimClassicGroup::Close() {
  open_ = false;
  for (auto& member : duplicated_) member->Crash();
  for (auto& member : members_) {
    if (world().rng().Chance(1, 2)) {
      member->Leave();
    } else {
      member->Crash();
    }
  }
}

void SimClassicGroup::Open() {
  open_ = true;
  for (auto& member : members_) StartLater(*member, std::chrono::seconds(1));
}

bool SimClassicGroup::Delete() {
  if (!open_) return false;
  world().Note("delete the classic group");
  Close();
  AskForDeletion(kDeletionTries);
  return true;
}

void SimClassicGroup::AskForDeletion(uint64_t left) {
  if (open_) return;  // healed meanwhile
  if (left == 0) return Open();
  message::DeleteGroupRequest request;
  request.set_group_id(kGroup);
  const BrokerId any(static_cast<int32_t>(world().rng().Between(1, brokers_)));
  auto gone = std::make_shared<bool>(false);
  const auto handle =
      ports_.cluster.Call<message::DeleteGroupRequest, message::DeleteGroupResponse>(
          kOperatorNode, operator_, any, request, &BrokerNode::DeleteGroup,
          [gone](const message::DeleteGroupResponse& response) {
            const auto error = static_cast<ErrorCode>(response.error_code());
            *gone = error == ErrorCode::kNone || error == ErrorCode::kGroupIdNotFound;
          },
          [] {});
  world().After(kDeletionInterval, nullptr, "operator", [this, handle, gone, left] {
    handle->Break();
    if (!*gone) return AskForDeletion(left - 1);
    if (!open_) Open();
  });
}

bool SimClassicGroup::Move() {
  if (!open_ || (!visitors_.empty() && visitors_.back()->running())) return false;
  const bool alone = world().rng().Chance(1, 3);
  world().Note("the classic group goes over to assignment by the server" +
               std::string(alone ? ", and its members go" : ""));
  if (alone) Close();
  ConsumerOptions options;
  for (int64_t i = 1; i <= brokers_; ++i) {
    options.metadata.bootstrap_servers.push_back("broker:" + std::to_string(i));
  }
  options.group_id = kGroup;
  options.fetch_max_wait = std::chrono::milliseconds(200);
  options.request_timeout = std::chrono::seconds(2);
  visitors_.push_back(std::make_unique<SimConsumer>(ports_.cluster, kVisitor, topic_, options,
                                                    group_, ports_.history));
  SimConsumer& visitor = *visitors_.back();
  visitor.Start();
  const Duration stay = world().Between(std::chrono::seconds(1), std::chrono::seconds(9));
  world().After(stay, nullptr, "operator", [this, &visitor] {
    visitor.Crash();  // its session tells the coordinator
    if (!open_) Open();
  });
  return true;
}

void SimClassicGroup::Heal() {
  if (members_.empty()) return;
  for (auto& visitor : visitors_) visitor->Crash();
  for (auto& member : duplicated_) member->Crash();
  open_ = true;
  if (one_goes_ && gone_ == nullptr) {
    SimClassic& member = *Pick();
    gone_ = &member;
    world().Note("stays away: " + member.options().client_id);
    // Only its session tells the others.
    world().After(std::chrono::seconds(10), nullptr, "goes", [&member] { member.Crash(); });
  }
  for (auto& member : members_) {
    if (!member->running()) member->Start();
  }
}

// ---- in the end ------------------------------------------------------------------------------

void SimClassicGroup::CheckSettled(std::string& open) const {
  if (members_.empty()) return;
  std::set<int32_t> generations;
  std::map<int32_t, size_t> owners;
  for (const auto& member : members_) {
    if (member.get() == gone_) {
      if (member->running()) open += " a member of the classic group is still to go;";
      continue;
    }
    if (!member->running() || !member->session().IsSettled()) {
      open += " " + member->options().client_id + " is not settled;";
      continue;
    }
    generations.insert(member->session().generation());
    for (const int32_t index : member->session().owned()) ++owners[index];
  }
  if (generations.size() > 1) open += " the classic group is in several generations;";
  const TopicImage* topic = ports_.partitions.image()->FindTopicByName(topic_);
  for (const PartitionUid uid : topic->partitions) {
    const PartitionImage* partition = ports_.partitions.image()->FindPartition(uid);
    const int32_t index = partition->index.value();
    const size_t count = owners[index];
    if (count != 1) {
      open += " index " + std::to_string(index) + " has " + std::to_string(count) +
              " owners in the classic group;";
      continue;
    }
    CheckPosition(index, ports_.partitions.TrueHighWatermark(uid), open);
  }
}

void SimClassicGroup::AddTo(std::map<std::string, uint64_t>& coverage) const {
  const ClassicCounters& group = classic_.counters();
  coverage["classic.generations"] = group.generations;
  coverage["classic.synced"] = group.synced;
  coverage["classic.offsets"] = group.commits;
  coverage["classic.renamed"] = group.renamed;
  coverage["classic.removed"] = group.removed;
  coverage["classic.moved"] = group.moved;
  coverage["classic.moved_along"] = group.moved_along;
  coverage["classic.came_back"] = group.came_back;
  coverage["classic.mixed"] = group.mixed;
  coverage["classic.records_read"] = group_.counters().read;
  coverage["classic.commits_refused"] = group_.counters().refused;
  coverage["classic.fenced"] = group_.counters().fenced;
}

void SimClassicGroup::CheckPosition(int32_t index, Offset end, std::string& open) const {
  for (const auto& member : members_) {
    if (!member->running() || !member->session().owned().contains(index)) continue;
    const auto position = member->Position(index);
    if (position == end) continue;
    open += " the classic group has read index " + std::to_string(index) + " up to " +
            (position ? position->ToString() : "nothing") + " of " + end.ToString() + ';';
  }
}

}  // namespace quipu::sim
