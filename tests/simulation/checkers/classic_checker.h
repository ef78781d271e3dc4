// A classic group, as the coordinator's log tells of it and as its members are told: I50, I52, I55,
// I56, I57.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/coordinator/classic/classic_messages.h"
#include "proto/record/group.pb.h"
#include "storage/log_store.h"
#include "tests/simulation/classic/classic_plan.h"

namespace quipu::sim {

struct ClassicCounters {
  uint64_t generations = 0;  // with members, in the log
  uint64_t commits = 0;      // offsets in the log
  uint64_t renamed = 0;      // static members that went on under another id, in their generation
  uint64_t synced = 0;       // members that were told their part
  uint64_t removed = 0;      // times that the group was deleted
  uint64_t moved = 0;        // times that the group went over to assignment by the server
  uint64_t moved_along = 0;  // of these, with members that went along
  uint64_t came_back = 0;    // times that it went back with members
  uint64_t mixed = 0;        // members that were told their part by the server
};

// Compares what is committed to __consumer_offsets with what leaders planned and members were told.
// A committed offset of a member says by its metadata whose it is (ClassicSession::TagOf).
class ClassicChecker {
 public:
  explicit ClassicChecker(std::string group_id) : group_id_(std::move(group_id)) {}

  // Batches of the coordinator's log, in the order of the log, once they are committed.
  void OnCommitted(const std::vector<StoredBatch>& batches);

  // What was known when a request was made. Another life: the group was deleted since.
  struct Asked {
    uint64_t life = 0;
    int32_t generation = 0;
  };
  [[nodiscard]] Asked Ask() const { return {.life = life_, .generation = now_.generation}; }
  // A coordinator that was deposed and does not know it yet answers a join from what it remembers.
  // What it tells is older, and stays without effect: a sync needs its log, which is fenced, or
  // another coordinator, which has another generation. So generations are compared for answers of
  // the one that `is_elected`, and OnSynced looks at what came of all of them.
  void OnJoined(const Asked& asked, bool is_elected, const ClassicJoinAnswer& answer) const;
  // A leader sends its plan, or a follower nothing.
  void OnSyncSaid(const ClassicSyncRequest& request);
  void OnSynced(const Asked& asked, const ClassicSyncRequest& request,
                const ClassicSyncAnswer& answer);

  [[nodiscard]] uint64_t life() const { return life_; }
  [[nodiscard]] const ClassicCounters& counters() const { return counters_; }

 private:
  struct Member {
    std::string instance_id;
    std::string subscription;
    std::string assignment;
  };
  using Members = std::map<std::string, Member>;  // by member id
  struct State {
    int32_t generation = 0;
    std::string protocol;
    std::string leader;
    bool is_planned = true;  // by its leader
    Members members;
  };
  using Assignments = std::map<std::string, std::string>;  // by member id
  // A member whose partitions the server assigns.
  struct ServerSide {
    int32_t epoch = 0;
    bool is_classic = false;
    Indices holds;  // or is about to give up
  };

  void Apply(const record::GroupRecord& record);
  void ApplyGroup(const record::ClassicGroup& record);
  void ApplyMember(const record::GroupMember& record);
  void ApplyOffset(const record::OffsetCommitted& record);
  // I55, I51: a commit is of a member as it is now, and of a partition that it holds.
  [[nodiscard]] bool IsOfAMember(const record::OffsetCommitted& record) const;
  // I56: nothing has changed but the ids of static members.
  void CheckRenamed(const State& next);
  // I57: of one of the plans that its leader sent.
  void CheckPlanned(const State& next) const;
  // I52: each partition has one owner, and had no other who has not given it up.
  void CheckOwners(const State& next) const;
  [[nodiscard]] std::string MembersText() const;
  [[nodiscard]] std::string Name(int32_t generation) const;

  std::string group_id_;
  uint64_t life_ = 0;
  State now_;  // as the log tells
  std::map<std::string, ServerSide> server_side_;
  // Of this life: all that members of the classic protocol had by the log, by id and epoch.
  std::map<std::pair<std::string, int32_t>, std::set<Indices>> server_gave_;
  std::map<std::string, int64_t> offsets_;
  // Of this life, by generation: what each member was given, and what leaders sent.
  std::map<int32_t, Assignments> given_;
  std::map<std::pair<int32_t, std::string>, std::vector<Assignments>> plans_;
  ClassicCounters counters_;
};

}  // namespace quipu::sim
