// The way of a shard's mutations to the disk: all of one turn go as one submission, and each
// completion goes back to the cores that wait for it. Shard thread only.
#pragma once

#include <functional>
#include <vector>

#include "broker/shard/shard_context.h"

namespace quipu {

class ShardLog {
 public:
  // `context` must outlive the log. `settled` is told of each host after a completion of its.
  ShardLog(ShardContext& context, std::function<void(PartitionHost&)> settled)
      : context_(context), settled_(std::move(settled)) {}

  // Takes the mutation of `effects` into this turn. A truncation waits until everything that the
  // host handed in before is durable, so that no store ever has to cut what it is just writing.
  void Add(PartitionHost& host, PartitionEffects& effects);
  // Ends the turn.
  void Submit();

 private:
  struct Notice {
    PartitionUid uid;
    LogId log_id;
    Offset durable_end;
    bool truncation = false;
    std::optional<Offset> trim_to;  // the log start that this submission makes durable
  };
  void AddWrite(PartitionHost& host, LogMutation mutation, bool truncation);
  void MergeIntoTruncation(LogMutation& held, LogMutation mutation);
  void OnDurable(const std::vector<Notice>& notices);
  void CompleteNotice(PartitionHost& host, const Notice& notice);
  // `given_up`: the damage that is still there cannot be repaired now, or is not needed.
  void RecoverAgain(PartitionHost& host, bool given_up);

  ShardContext& context_;
  const std::function<void(PartitionHost&)> settled_;
  std::vector<LogWrite> writes_;
  std::vector<Notice> notices_;
};

}  // namespace quipu
