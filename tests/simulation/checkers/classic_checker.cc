#include "tests/simulation/checkers/classic_checker.h"

#include <algorithm>

#include "tests/simulation/checkers/group_records.h"
#include "tests/simulation/checkers/violation.h"
#include "tests/simulation/classic/classic_session.h"

namespace quipu::sim {
namespace {

std::string PlaceOf(const record::OffsetCommitted& record) {
  return record.topic_id() + std::to_string(record.partition());
}

}  // namespace

std::string ClassicChecker::Name(int32_t generation) const {
  return "group " + group_id_ + ", generation " + std::to_string(generation);
}

void ClassicChecker::OnCommitted(const std::vector<StoredBatch>& batches) {
  ForEachGroupRecord(batches, [this](const record::GroupRecord& record) { Apply(record); });
}

void ClassicChecker::Apply(const record::GroupRecord& record) {
  if (record.has_classic_group() && record.classic_group().group_id() == group_id_) {
    ApplyGroup(record.classic_group());
  }
  if (record.has_offset() && record.offset().group_id() == group_id_) ApplyOffset(record.offset());
  if (record.has_member() && record.member().group_id() == group_id_) ApplyMember(record.member());
  if (record.has_member_removed() && record.member_removed().group_id() == group_id_) {
    server_side_.erase(record.member_removed().member_id());
  }
  if (record.has_group_removed() && record.group_removed().group_id() == group_id_) {
    ++life_;
    ++counters_.removed;
    now_ = State();
    server_side_.clear();
    server_gave_.clear();
    offsets_.clear();
    given_.clear();
    plans_.clear();
  }
}

void ClassicChecker::ApplyMember(const record::GroupMember& record) {
  Require(now_.members.empty(), "I52", [&] {
    return Name(now_.generation) + ": the server assigns to " + record.member_id() +
           " while there are members that assign themselves";
  });
  if (server_side_.empty()) ++counters_.moved;
  ServerSide& member = server_side_[record.member_id()];
  const bool goes_along = member.epoch == 0 && record.classic_protocols_size() > 0 &&
                          record.member_epoch() == now_.generation;
  if (goes_along) ++counters_.moved_along;
  member = {.epoch = record.member_epoch(),
            .is_classic = record.classic_protocols_size() > 0,
            .holds = {}};
  Indices assigned;
  for (const auto& topic : record.assigned()) {
    assigned.insert(topic.partitions().begin(), topic.partitions().end());
  }
  server_gave_[{record.member_id(), member.epoch}].insert(assigned);
  member.holds = std::move(assigned);
  for (const auto& topic : record.pending_revocation()) {
    member.holds.insert(topic.partitions().begin(), topic.partitions().end());
  }
}

void ClassicChecker::ApplyGroup(const record::ClassicGroup& record) {
  State next{.generation = record.generation(),
             .protocol = record.protocol(),
             .leader = record.leader(),
             .is_planned = !record.rebalance_due(),
             .members = {}};
  for (const record::ClassicGroup::Member& member : record.members()) {
    next.members[member.member_id()] = {.instance_id = member.instance_id(),
                                        .subscription = member.subscription(),
                                        .assignment = member.assignment()};
  }
  Require(next.generation >= now_.generation, "I56", [&] {
    return Name(next.generation) + " follows generation " + std::to_string(now_.generation) +
           " in the log";
  });
  if (!next.members.empty()) {
    Require(server_side_.empty(), "I52", [&] {
      return Name(next.generation) + " has members beside those that the server assigns to";
    });
    if (next.generation == now_.generation) {
      CheckRenamed(next);
    } else if (record.rebalance_due()) {
      ++counters_.came_back;  // what the server gave; no leader planned it
    } else {
      CheckPlanned(next);
      ++counters_.generations;
    }
    CheckOwners(next);
    Assignments& given = given_[next.generation];
    for (const auto& [id, member] : next.members) given[id] = member.assignment;
  }
  now_ = std::move(next);
}

void ClassicChecker::CheckRenamed(const State& next) {
  bool same = next.members.size() == now_.members.size() && next.protocol == now_.protocol;
  for (const auto& [id, member] : next.members) {
    const auto before =
        std::find_if(now_.members.begin(), now_.members.end(), [&](const auto& old) {
          return old.first == id ||
                 (!member.instance_id.empty() && old.second.instance_id == member.instance_id);
        });
    same = same && before != now_.members.end() && before->second.assignment == member.assignment;
    if (before != now_.members.end() && before->first != id) ++counters_.renamed;
  }
  Require(same, "I56", [&] {
    return Name(next.generation) + " is in the log with other members or assignments than before";
  });
}

void ClassicChecker::CheckPlanned(const State& next) const {
  const auto plans = plans_.find({next.generation, next.leader});
  const bool planned =
      plans != plans_.end() &&
      std::any_of(plans->second.begin(), plans->second.end(), [&](const Assignments& plan) {
        return std::all_of(next.members.begin(), next.members.end(), [&](const auto& item) {
          const auto part = plan.find(item.first);
          return item.second.assignment == (part == plan.end() ? "" : part->second);
        });
      });
  Require(planned, "I57", [&] {
    return Name(next.generation) + " is in the log with what its leader " + next.leader +
           " never sent";
  });
}

void ClassicChecker::CheckOwners(const State& next) const {
  ClassicClaims claims;
  for (const auto& [id, member] : next.members) {
    const auto claim = DecodeSubscription(member.subscription);
    Require(claim.has_value(), "I57", [&] { return "the subscription of " + id + " is none"; });
    claims[id] = *claim;
  }
  std::map<int32_t, std::string> owners;
  for (const auto& [id, member] : next.members) {
    const auto assigned = DecodeAssignment(member.assignment);
    Require(assigned.has_value(), "I57", [&] { return "the assignment of " + id + " is none"; });
    for (const int32_t index : *assigned) {
      const auto [owner, is_first] = owners.emplace(index, id);
      Require(is_first, "I52", [&] {
        return Name(next.generation) + ": partition index " + std::to_string(index) +
               " is given to " + id + " and to " + owner->second;
      });
      // A static member that was renamed says what it says, and keeps what it had. With "range"
      // whoever joins has given up everything; what one claims that did not join again, and was
      // served by the other protocol before, counts for nothing.
      const bool new_plan =
          next.generation != now_.generation && next.is_planned && next.protocol == kCooperative;
      Require(!new_plan || !IsClaimedByAnother(claims, id, index), "I52", [&] {
        return Name(next.generation) + ": partition index " + std::to_string(index) +
               " is given to " + id + " while another member has not given it up";
      });
    }
  }
}

std::string ClassicChecker::MembersText() const {
  std::string text = "; members are";
  for (const auto& [id, member] : now_.members) text += ' ' + id;
  for (const auto& [id, member] : server_side_) {
    text += ' ' + id + " at epoch " + std::to_string(member.epoch) + " with";
    for (const int32_t index : member.holds) text += ' ' + std::to_string(index);
  }
  return text;
}

bool ClassicChecker::IsOfAMember(const record::OffsetCommitted& record) const {
  if (!now_.members.empty()) {
    return std::any_of(now_.members.begin(), now_.members.end(), [&](const auto& item) {
      return record.metadata() == ClassicSession::TagOf(now_.generation, item.first);
    });
  }
  const auto before = offsets_.find(PlaceOf(record));
  const bool taken_over = before != offsets_.end() && before->second == record.offset();
  return std::any_of(server_side_.begin(), server_side_.end(), [&](const auto& item) {
    const ServerSide& member = item.second;
    // One of the other protocol has no tag; what it has only taken over it commits as it was.
    const bool by_it = member.is_classic
                           ? record.metadata() == ClassicSession::TagOf(member.epoch, item.first)
                           : record.metadata().empty() || taken_over;
    return by_it && member.holds.contains(record.partition());
  });
}

void ClassicChecker::ApplyOffset(const record::OffsetCommitted& record) {
  ++counters_.commits;
  const std::string place = PlaceOf(record);
  Require(IsOfAMember(record), "I55", [&] {
    return Name(now_.generation) + ": a commit of " + std::to_string(record.offset()) +
           " for partition index " + std::to_string(record.partition()) +
           " was taken from generation and member " + record.metadata() + MembersText();
  });
  const auto before = offsets_.find(place);
  Require(before == offsets_.end() || before->second <= record.offset(), "I50", [&] {
    return Name(now_.generation) + ": the offset of partition index " +
           std::to_string(record.partition()) + " went back from " +
           std::to_string(before->second) + " to " + std::to_string(record.offset());
  });
  offsets_[place] = record.offset();
}

void ClassicChecker::OnJoined(const Asked& asked, bool is_elected,
                              const ClassicJoinAnswer& answer) const {
  if (answer.error != ErrorCode::kNone || asked.life != life_) return;
  const bool went_back = is_elected && answer.generation < asked.generation;
  Require(answer.generation > 0 && !went_back, "I56", [&] {
    return Name(answer.generation) + " was told to " + answer.member_id + " when the log had " +
           std::to_string(asked.generation);
  });
}

void ClassicChecker::OnSyncSaid(const ClassicSyncRequest& request) {
  Assignments plan;
  for (const auto& [member, assignment] : request.assignments) plan[member] = assignment;
  if (!plan.empty()) plans_[{request.generation, request.member_id}].push_back(std::move(plan));
}

void ClassicChecker::OnSynced(const Asked& asked, const ClassicSyncRequest& request,
                              const ClassicSyncAnswer& answer) {
  if (answer.error != ErrorCode::kNone || asked.life != life_) return;
  ++counters_.synced;
  const auto by_server = server_gave_.find({request.member_id, request.generation});
  const auto told = DecodeAssignment(answer.assignment);
  if (by_server != server_gave_.end() && told && by_server->second.contains(*told)) {
    ++counters_.mixed;
    return;
  }
  const auto generation = given_.find(request.generation);
  const bool known = generation != given_.end() && generation->second.contains(request.member_id);
  Require(known && generation->second.at(request.member_id) == answer.assignment, "I57", [&] {
    return Name(request.generation) + ": member " + request.member_id +
           " was told another assignment than the log has" + (known ? "" : ", which has none");
  });
}

}  // namespace quipu::sim
