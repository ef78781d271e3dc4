// The only outside world that a controller's pure half sees.
#pragma once

#include <functional>
#include <string>

#include "core/metadata/metadata_image.h"
#include "core/raft/voters/voter_set.h"
#include "proto/message/raft.pb.h"
#include "runtime/executor.h"
#include "storage/raft_store.h"

namespace quipu {

class ControllerPorts {
 public:
  virtual ~ControllerPorts() = default;
  virtual Executor& executor() = 0;
  // Durable state of the Raft log, as loaded at start.
  virtual RaftStore& raft_store() = 0;
  // Makes `write` durable on the store's thread and then runs `done` there (`done` must only post).
  // In order. A failure stops the process (D3).
  virtual void Persist(RaftWrite write, std::function<void()> done) = 0;
  // Sends to the voter `message.to()`; may be lost.
  virtual void SendRaft(message::RaftMessage message) = 0;
  // These may be sent to from now on, at their endpoints, besides those of the format.
  virtual void OnVoters(const VoterSet& voters) = 0;
  // Dials a broker's peer listener once; `refused` is true only for ECONNREFUSED.
  virtual void ProbeBroker(const HostPort& peer, std::function<void(bool refused)> done) = 0;
  virtual uint64_t RandomSeed() = 0;
  [[noreturn]] virtual void StopProcess(const std::string& reason) = 0;
};

}  // namespace quipu
