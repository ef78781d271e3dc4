// What must hold in a SmallWorld after each action (I20-I32, I40, I41), and once nothing may happen
// any more.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/record/record_batch.h"
#include "tests/explore/small_world.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::explore {

using sim::Require;

namespace {

bool Includes(const std::vector<BrokerId>& list, BrokerId broker) {
  return std::find(list.begin(), list.end(), broker) != list.end();
}

std::string Ids(const std::vector<BrokerId>& list) {
  std::string text;
  for (const BrokerId id : list) absl::StrAppend(&text, id.value());
  return text.empty() ? "-" : text;
}

}  // namespace

void SmallWorld::NoteReply(Broker& broker, const ProduceReply& reply) {
  const auto asked = std::find_if(broker.asked.begin(), broker.asked.end(),
                                  [&](const auto& one) { return one.first == reply.token; });
  Require(asked != broker.asked.end(), "I41",
          [&] { return absl::StrCat("token ", reply.token, " answered twice"); });
  const int32_t sequence = asked->second;
  broker.asked.erase(asked);
  if (reply.error != ErrorCode::kNone) return;
  Offset& known = acknowledged_[static_cast<size_t>(sequence)];
  Require(known == kNoOffset || known == reply.base_offset, "I41", [&] {
    return absl::StrCat("sequence ", sequence, " was acknowledged at ", known.value(),
                        " and then at ", reply.base_offset.value());
  });
  known = reply.base_offset;
}

void SmallWorld::NoteCommitted(const Broker& broker) {
  const Offset high_watermark = broker.core->high_watermark();
  size_t i = 0;
  for (const StoredBatch& batch : broker.disk.ReadWritten(Offset(0))) {
    if (batch.last_offset >= high_watermark) break;
    if (i < committed_.size()) {
      Require(committed_[i].bytes == batch.bytes, "I29", [&] {
        return absl::StrCat("broker ", broker.id.value(), " has another record at offset ",
                            batch.base_offset.value(), " than was committed");
      });
    } else {
      const auto view = *RecordBatchView::Parse(batch.bytes);
      Offset& known = committed_at_[static_cast<size_t>(view.base_sequence().value())];
      Require(known == kNoOffset, "I40", [&] {
        return absl::StrCat("sequence ", view.base_sequence().value(), " is committed at ",
                            known.value(), " and at ", batch.base_offset.value());
      });
      known = batch.base_offset;
      committed_.push_back(batch);
    }
    ++i;
  }
}

void SmallWorld::CheckLeader(const Broker& broker, bool current) {
  const PartitionCore& core = *broker.core;
  const size_t min_isr = static_cast<size_t>(bounds_.min_insync_replicas);
  if (core.high_watermark() > true_high_watermark_) {
    Require(core.isr().size() >= min_isr, "I27", [&] {
      return absl::StrCat("the high watermark of broker ", broker.id.value(), " rose to ",
                          core.high_watermark().value(), " with ISR ", Ids(core.isr()));
    });
    true_high_watermark_ = core.high_watermark();
  }
  if (!current) return;
  Require(core.log_end_offset() >= true_high_watermark_, "I22", [&] {
    return absl::StrCat("leader ", broker.id.value(), " ends at ", core.log_end_offset().value(),
                        ", committed is ", true_high_watermark_.value());
  });
  if (core.isr().size() < min_isr) return;
  for (const auto* members : {&partition().isr, &partition().elr}) {
    for (const BrokerId member : *members) {
      Require(Includes(core.maximal_isr(), member), "I23", [&] {
        return absl::StrCat("broker ", member.value(),
                            " may lead next but is not in the maximal ISR ",
                            Ids(core.maximal_isr()), " of leader ", broker.id.value());
      });
    }
  }
}

void SmallWorld::CheckBroker(const Broker& broker) {
  const PartitionCore& core = *broker.core;
  if (!broker.counted) core.CheckInvariants();
  if (!broker.disk.truncating()) {
    Require(core.high_watermark() <= broker.disk.log_end(), "I28", [&] {
      return absl::StrCat("broker ", broker.id.value(), " shows up to ",
                          core.high_watermark().value(), ", synced is ",
                          broker.disk.log_end().value());
    });
  }
  if (core.role() == PartitionRole::kLeader) {
    CheckLeader(broker,
                partition().leader == broker.id && partition().leader_epoch == core.leader_epoch());
  }
  if (!broker.counted) NoteCommitted(broker);
}

// What has not changed since the last action was checked then, as far as it stands alone.
void SmallWorld::Check() {
  for (const auto& broker : brokers_) {
    if (broker->up) CheckBroker(*broker);
  }
  // Whoever may lead next holds everything that was ever committed, synced, and the same of it.
  for (const auto* members : {&partition().isr, &partition().elr}) {
    const char* id = members == &partition().isr ? "I20" : "I21";
    for (const BrokerId member : *members) {
      const std::vector<StoredBatch>& synced = At(member.value()).disk.synced();
      Require(synced.size() >= committed_.size(), id, [&] {
        return absl::StrCat("broker ", member.value(), " may lead next but holds ", synced.size(),
                            " of ", committed_.size(), " committed records");
      });
      for (size_t i = 0; i < committed_.size(); ++i) {
        Require(synced[i].bytes == committed_[i].bytes, "I24", [&] {
          return absl::StrCat("broker ", member.value(), " may lead next but differs at offset ",
                              committed_[i].base_offset.value());
        });
      }
    }
  }
  for (size_t sequence = 0; sequence < acknowledged_.size(); ++sequence) {
    const Offset offset = acknowledged_[sequence];
    Require(offset == kNoOffset || committed_at_[sequence] == offset, "I22", [&] {
      return absl::StrCat("sequence ", sequence, " was acknowledged at ", offset.value(),
                          " and is not committed there");
    });
  }
}

void SmallWorld::Rest() {
  bounds_.records = bounds_.retries = 0;
  int steps = 0;
  for (auto next = EnabledBySelf(); !next.empty(); next = EnabledBySelf()) {
    Require(++steps < 1000, "liveness", [&] { return "never comes to rest: " + Describe(); });
    Take(next.front());
  }
}

void SmallWorld::RequireSettles() {
  for (int rounds = 0; rounds < 8; ++rounds) {
    Rest();
    bounds_.lags = 1;
    Take({ActionKind::kLagPasses, 0});
  }
  Rest();
  Require(partition().leader != kNoBroker && partition().isr.size() == kBrokers, "liveness",
          [&] { return "healed, and yet: " + Describe(); });
  for (const auto& broker : brokers_) {
    Require(broker->core->high_watermark() == broker->core->log_end_offset() &&
                broker->disk.synced().size() == committed_.size(),
            "liveness", [&] { return "healed, and yet: " + Describe(); });
  }
}

std::string SmallWorld::Describe() const {
  std::string text = absl::StrCat(
      "leader ", partition().leader.value(), " epoch ", partition().leader_epoch.value(), " isr ",
      Ids(partition().isr), " elr ", Ids(partition().elr), " committed ", committed_.size(),
      " acked ", std::count_if(acknowledged_.begin(), acknowledged_.end(), [](Offset offset) {
        return offset != kNoOffset;
      }));
  for (const auto& each : brokers_) {
    const Broker& broker = *each;
    absl::StrAppend(&text, " | ", broker.id.value());
    if (!broker.up) {
      absl::StrAppend(&text, " down, synced ", broker.disk.log_end().value());
      continue;
    }
    const PartitionCore& core = *broker.core;
    const PartitionRole role = core.role();
    absl::StrAppend(&text,
                    role == PartitionRole::kLeader     ? "L"
                    : role == PartitionRole::kFollower ? "F"
                                                       : "-",
                    core.leader_epoch().value(), " hw ", core.high_watermark().value(), " synced ",
                    broker.disk.log_end().value(), " end ", core.log_end_offset().value());
  }
  return text;
}

}  // namespace quipu::explore
