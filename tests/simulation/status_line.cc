#include "tests/simulation/status_line.h"

#include <algorithm>

#include "core/raft/raft_core.h"

namespace quipu::sim {
namespace {

char RoleOf(const RaftCore& raft) {
  switch (raft.role()) {
    case RaftRole::kLeader:
      return 'L';
    case RaftRole::kCandidate:
      return 'C';
    case RaftRole::kPreCandidate:
      return 'P';
    case RaftRole::kFollower:
      return 'F';
  }
  return '?';
}

char RoleOf(PartitionRole role) {
  switch (role) {
    case PartitionRole::kLeader:
      return 'L';
    case PartitionRole::kFollower:
      return 'F';
    case PartitionRole::kNone:
      return '-';
  }
  return '?';
}

std::string ToText(const std::vector<BrokerId>& brokers) {
  std::string text;
  for (const BrokerId broker : brokers) text += (text.empty() ? "" : ",") + broker.ToString();
  return text.empty() ? "-" : text;
}

std::string ToText(const PartitionCore& core) {
  std::string text = std::string(1, RoleOf(core.role())) + " e" + core.leader_epoch().ToString() +
                     '/' + core.partition_epoch().ToString() + " s" +
                     core.log_start_offset().ToString() + " h" + core.high_watermark().ToString() +
                     " d" + core.durable_end_offset().ToString() + " l" +
                     core.log_end_offset().ToString();
  if (core.role() != PartitionRole::kLeader) return text;
  text += " isr=" + ToText(core.isr());
  for (const BrokerId member : core.maximal_isr()) {
    if (std::find(core.isr().begin(), core.isr().end(), member) == core.isr().end()) {
      text += '+' + member.ToString();
    }
  }
  return text;
}

const char* NameOf(history::EventType type) {
  switch (type) {
    case history::EventType::kInvoke:
      return "send";
    case history::EventType::kOk:
      return "ok";
    case history::EventType::kFail:
      return "fail";
    case history::EventType::kInfo:
      return "unknown";
  }
  return "?";
}

std::string At(int64_t partition, int64_t offset) {
  return " i" + std::to_string(partition) + " @" + std::to_string(offset);
}

}  // namespace

void StatusLine::Show(const std::string& who, const std::string& text) {
  std::string& last = last_[who];
  if (last == text) return;
  last = text;
  cluster_.world().Trace(who + ' ' + text);
}

void StatusLine::AfterControllerStep(SimController& controller) {
  const std::string who = "C" + controller.id().ToString();
  if (!controller.running()) return Show(who, "down");
  const RaftCore& raft = controller.node()->inspector().raft();
  Show(who, std::string(1, RoleOf(raft)) + (raft.IsReadyLeader() ? "!" : "") + " t" +
                raft.term().ToString() + " v" + raft.hard_state().voted_for.ToString() + " c" +
                raft.commit_index().ToString() + " d" + raft.durable_index().ToString() + " l" +
                raft.last_index().ToString() + " s" + raft.log().snapshot_index().ToString());
  ShowMetadata();
}

void StatusLine::ShowMetadata() {
  const MetadataImagePtr& image = partitions_.image();
  if (image == nullptr || image == image_) return;
  for (const auto& [id, broker] : image->brokers()) {
    Show("M  b" + id.ToString(),
         "e" + broker.epoch.ToString() + (broker.fenced ? " fenced" : " unfenced"));
  }
  for (const auto& [uid, partition] : image->partitions()) {
    Show("M  p" + uid.ToString(),
         "leader=" + partition.leader.ToString() + " e" + partition.leader_epoch.ToString() + '/' +
             partition.partition_epoch.ToString() + " isr=" + ToText(partition.isr) +
             " elr=" + ToText(partition.elr));
  }
  image_ = image;
}

void StatusLine::AfterBrokerStep(SimBroker& broker) {
  const std::string who = "B" + broker.id().ToString();
  if (!broker.running()) return Show(who, "down");
  const BrokerNode::Inspector& inspector = broker.node()->inspector();
  Show(who, "e" + inspector.broker_epoch().ToString());
  for (const PartitionUid uid : inspector.partitions()) {
    const PartitionCore* core = inspector.FindPartition(uid);
    if (core != nullptr) Show(who + " p" + uid.ToString(), ToText(*core));
  }
}

void StatusLine::OnClient(const history::Event& event) {
  std::string text;
  switch (event.kind) {
    case history::EventKind::kSend:
    case history::EventKind::kTransfer:
      text = "P" + std::to_string(event.process) + ' ' + NameOf(event.type) + " #" +
             std::to_string(event.value);
      if (event.type == history::EventType::kInvoke) text += ' ' + event.key;
      if (event.type == history::EventType::kOk) text += At(event.partition, event.offset);
      break;
    case history::EventKind::kAssign:
      text = "G" + std::to_string(event.process) + " begins" + At(event.partition, event.offset);
      break;
    case history::EventKind::kPoll:
      text = "G" + std::to_string(event.process) + " polled" +
             At(event.partition, event.records.front().offset) + " to @" +
             std::to_string(event.records.back().offset);
      break;
  }
  cluster_.world().Trace(text);
}

}  // namespace quipu::sim
