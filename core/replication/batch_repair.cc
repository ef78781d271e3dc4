#include "core/replication/batch_repair.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "core/record/record_batch.h"

namespace quipu {

LeaderEpoch EpochAt(const std::vector<EpochEntry>& epochs, Offset offset) {
  LeaderEpoch found = kNoLeaderEpoch;
  for (const EpochEntry& entry : epochs) {
    if (entry.start_offset > offset) break;
    found = entry.epoch;
  }
  return found;
}

void BatchRepair::OnView(View view, Now now, RepairEffects& effects) {
  if (view == view_) return;
  view_ = std::move(view);
  for (auto& [last, entry] : entries_) {
    if (entry.step == Step::kStoring) continue;
    // An answer to what was asked before would name the older epoch: it is not waited for.
    entry.step = Step::kWaiting;
    entry.needless = false;
    entry.asked = kNoBroker;
    entry.tried.clear();
    entry.without_it.clear();
    entry.at = now.mono;
    entry.pause = kPauseMin;
  }
  Proceed(now, effects);
}

BatchRepair::State BatchRepair::OnDamage(DamagedBatch place, LeaderEpoch epoch, Now now,
                                         RepairEffects& effects) {
  const auto known = entries_.find(place.last_offset);
  if (known != entries_.end()) {
    // Cut off and written anew since: another batch.
    known->second.epoch = epoch;
    known->second.place = place;
    return known->second.refused ? State::kRefused : State::kRepairing;
  }
  if (entries_.size() >= kDamagedBatchesMax) return State::kRepairing;
  entries_.emplace(
      place.last_offset,
      Entry{.place = place, .epoch = epoch, .tried = {}, .without_it = {}, .at = now.mono});
  Proceed(now, effects);
  const auto entry = entries_.find(place.last_offset);
  const bool refused = entry != entries_.end() && entry->second.refused;
  return refused ? State::kRefused : State::kRepairing;
}

BatchRepair::Entry* BatchRepair::Asking(BrokerId peer) {
  for (auto& [last, entry] : entries_) {
    if (entry.step == Step::kAsking && entry.asked == peer) return &entry;
  }
  return nullptr;
}

std::optional<StoredBatch> BatchRepair::Accept(const Entry& entry, const RepairAnswer& answer,
                                               LeaderEpoch epoch) {
  const absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(answer.records);
  if (!batch.ok() || batch->size() != answer.records.size()) return std::nullopt;
  if (batch->last_offset() != entry.place.last_offset ||
      batch->base_offset() < entry.place.first_offset ||
      batch->base_offset() > batch->last_offset()) {
    return std::nullopt;
  }
  const bool same_epoch = entry.epoch == epoch && batch->leader_epoch() == epoch;
  if (!same_epoch && !IsPlanted(PlantedBug::kRepairedFromOtherEpoch)) return std::nullopt;
  if (!batch->CrcMatches() && !IsPlanted(PlantedBug::kRepairWithoutCrc)) return std::nullopt;
  return StoredBatch{.base_offset = batch->base_offset(),
                     .last_offset = batch->last_offset(),
                     .max_timestamp = batch->max_timestamp(),
                     .bytes = answer.records};
}

void BatchRepair::OnAnswer(BrokerId peer, const RepairAnswer& answer, LeaderEpoch epoch, Now now,
                           RepairEffects& effects) {
  Entry* entry = Asking(peer);
  if (entry == nullptr || answer.last_offset != entry->place.last_offset ||
      answer.leader_epoch != view_.leader_epoch) {
    return;  // late: of another question
  }
  if (answer.error == ErrorCode::kNone) {
    if (auto batch = Accept(*entry, answer, epoch)) {
      entry->step = Step::kStoring;
      entry->refused = false;
      effects.repairs.push_back(*std::move(batch));
      return;
    }
    effects.failures.emplace_back(peer, ErrorCode::kInvalidRecord);
  } else {
    effects.failures.emplace_back(peer, answer.error);
    if (answer.error == ErrorCode::kCorruptMessage ||
        answer.error == ErrorCode::kOffsetOutOfRange) {
      entry->without_it.insert(peer);
    }
    entry->needless |= peer == view_.leader && answer.error == ErrorCode::kOffsetOutOfRange &&
                       answer.log_start_offset > entry->place.last_offset;
  }
  Ask(*entry, now, effects);
  Proceed(now, effects);
}

void BatchRepair::OnLost(BrokerId peer, Now now, RepairEffects& effects) {
  Entry* entry = Asking(peer);
  if (entry == nullptr) return;
  effects.failures.emplace_back(peer, ErrorCode::kNotConnected);
  Ask(*entry, now, effects);
  Proceed(now, effects);
}

bool BatchRepair::OnStored(Offset last_offset, Now now, RepairEffects& effects) {
  const auto found = entries_.find(last_offset);
  const bool known = found != entries_.end() && found->second.step == Step::kStoring;
  if (known) entries_.erase(found);
  Proceed(now, effects);
  return known;
}

void BatchRepair::Keep(Offset log_start, Offset log_end) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    it = it->first < log_start || it->first >= log_end ? entries_.erase(it) : std::next(it);
  }
}

void BatchRepair::Proceed(Now now, RepairEffects& effects) {
  for (auto& [last, entry] : entries_) {
    if (entry.step != Step::kWaiting) return;  // one at a time
  }
  for (auto& [last, entry] : entries_) {
    if (entry.at > now.mono) continue;
    Ask(entry, now, effects);
    if (entry.step == Step::kAsking) return;
  }
}

void BatchRepair::Ask(Entry& entry, Now now, RepairEffects& effects) {
  for (const Peer& peer : view_.peers) {
    if (!peer.alive || !entry.tried.insert(peer.broker).second) continue;
    entry.step = Step::kAsking;
    entry.asked = peer.broker;
    entry.at = now.mono + kAnswerTimeout;
    effects.requests.emplace_back(peer.broker, RepairRequest{.uid = uid_,
                                                             .leader_epoch = view_.leader_epoch,
                                                             .last_offset = entry.place.last_offset,
                                                             .batch_epoch = entry.epoch});
    return;
  }
  EndRound(entry, now, effects);
}

void BatchRepair::EndRound(Entry& entry, Now now, RepairEffects& effects) {
  const bool hopeless = view_.leader_epoch != kNoLeaderEpoch &&
                        std::all_of(view_.peers.begin(), view_.peers.end(), [&](const Peer& peer) {
                          return entry.without_it.contains(peer.broker);
                        });
  if (hopeless && !entry.refused) effects.refused.push_back(entry.place);
  entry.refused = hopeless;
  entry.step = Step::kWaiting;
  entry.asked = kNoBroker;
  entry.tried.clear();
  entry.without_it.clear();
  entry.at = now.mono + entry.pause;
  entry.pause = std::min(entry.pause * 2, kPauseMax);
}

void BatchRepair::OnTime(Now now, RepairEffects& effects) {
  for (auto& [last, entry] : entries_) {
    if (entry.step == Step::kAsking && entry.at <= now.mono) {
      effects.failures.emplace_back(entry.asked, ErrorCode::kRequestTimedOut);
      Ask(entry, now, effects);
    }
  }
  Proceed(now, effects);
}

std::optional<Instant> BatchRepair::NextDeadline() const {
  std::optional<Instant> next;
  bool busy = false;
  for (const auto& [last, entry] : entries_) {
    if (entry.step != Step::kWaiting) busy = true;
    if (entry.step == Step::kAsking) next = entry.at;
  }
  if (busy) return next;
  for (const auto& [last, entry] : entries_) next = next ? std::min(*next, entry.at) : entry.at;
  return next;
}

bool BatchRepair::AllGivenUp() const {
  return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.refused || entry.second.needless;
  });
}

}  // namespace quipu
