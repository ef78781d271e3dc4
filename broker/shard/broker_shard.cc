#include "broker/shard/broker_shard.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quipu {

BrokerShard::BrokerShard(std::shared_ptr<const BrokerConfig> broker_config,
                         BrokerPorts& broker_ports, size_t shard_index, Rng shard_rng,
                         std::function<void(IsrProposal)> propose_isr)
    : ShardContext(std::move(broker_config), broker_ports, shard_index, shard_rng),
      propose_isr_(std::move(propose_isr)),
      log_(*this, [this](PartitionHost& host) { OnSettled(host); }),
      reader_(*this),
      waiters_(*this, MakeFetchPeers(),
               std::max<size_t>(config->fetch_waiters_max / config->num_shards, 1)),
      queries_(*this),
      retention_(*this),
      sender_(*this),
      fetcher_(*this),
      coordinators_(*this),
      reconciler_(*this, [this](PartitionHost& host) { OnRemoved(host); }),
      repairer_(*this),
      repair_server_(*this, repairer_),
      scrubber_(*this) {}

// ---- metadata ----

void BrokerShard::ApplyImage(MetadataImagePtr new_image, BrokerEpoch epoch) {
  if (closed_) return;
  if (image != nullptr && new_image->index() < image->index()) return;
  image = std::move(new_image);
  broker_epoch = epoch;
  ForgetDeletedTopics();
  reconciler_.Apply();
  repairer_.OnImage();
  coordinators_.OnImage();
  roles_changed_ = true;  // endpoints and broker epochs may be new
  RequestTurn();
}

void BrokerShard::OnIsrResult(const IsrResult& result) {
  PartitionHost* host = Find(result.uid);
  if (host == nullptr) return;
  PartitionEffects effects;
  host->core.OnIsrResult(result.proposed_at, result.error, GetNow(), effects);
  Absorb(*host, effects);
}

// ---- produce and delete ----

void BrokerShard::Append(PartitionHost& host, ProduceInput input, ProduceDone done) {
  input.token = next_token_++;
  produces_.emplace(input.token, std::move(done));
  PartitionEffects effects;
  host.core.OnProduce(input, GetNow(), effects);
  Absorb(host, effects);
}

void BrokerShard::Produce(std::vector<ProducePart> parts,
                          const std::shared_ptr<ProduceJoin>& join) {
  for (ProducePart& part : parts) {
    PartitionHost* host = Find(part.uid);
    ErrorCode refusal = ErrorCode::kNone;
    if (closed_) {
      refusal = ErrorCode::kBrokerShuttingDown;
    } else if (host == nullptr && under_repair.contains(part.uid)) {
      refusal = ErrorCode::kUnderRepair;
    } else if (host == nullptr || host->dropping) {
      refusal = ErrorCode::kNotLeaderOrFollower;
    } else if (tail.full()) {
      refusal = ErrorCode::kTooManyInFlightBytes;
    }
    if (refusal != ErrorCode::kNone) {
      ProducePartitionResult result;
      result.error = refusal;
      TellLeader(part.uid, host, result);
      join->Complete(index, part.slot, std::move(result));
      continue;
    }
    counters.produce_queue.Observe(GetNow().mono - part.arrived);
    Append(*host, std::move(part.input),
           [this, join, uid = part.uid, slot = part.slot, arrived = part.arrived](
               const ProduceReply& reply) { FinishProduce(uid, reply, join, slot, arrived); });
  }
}

void BrokerShard::FinishProduce(PartitionUid uid, const ProduceReply& reply,
                                const std::shared_ptr<ProduceJoin>& join, size_t slot,
                                Instant arrived) {
  if (reply.error == ErrorCode::kNone) counters.produce_total.Observe(GetNow().mono - arrived);
  ProducePartitionResult result;
  result.error = reply.error;
  result.base_offset = reply.base_offset;
  result.log_append_time = reply.log_append_time;
  const PartitionHost* host = Find(uid);
  TellLeader(uid, host, result);
  if (host != nullptr) result.log_start_offset = host->core.log_start_offset();
  result.error_message = reply.message;
  join->Complete(index, slot, std::move(result));
}

void BrokerShard::DeleteRecords(const DeleteRecordsQuery::Items& items,
                                const DeleteRecordsQuery::JoinPtr& join) {
  for (const DeleteRecordsQuery::Item& item : items) {
    PartitionHost* host = Find(item.uid);
    ErrorCode refusal = ErrorCode::kNone;
    if (host == nullptr || host->dropping || closed_) {
      refusal = ErrorCode::kNotLeaderOrFollower;
    } else if (host->core.identity().internal) {
      refusal = ErrorCode::kInvalidTopic;  // only the coordinators know what is not needed any more
    }
    if (refusal != ErrorCode::kNone) {
      DeleteRecordsQuery::Part part;
      part.set_error_code(static_cast<int32_t>(refusal));
      part.set_log_start_offset(kNoOffset.value());
      join->Complete(index, item.slot, std::move(part));
      continue;
    }
    const ReplyToken token = next_token_++;
    deletes_.emplace(token, PendingDelete{join, item.slot});
    PartitionEffects effects;
    host->core.OnDeleteRecords(token, Offset(item.request.before_offset()), config->request_timeout,
                               GetNow(), effects);
    Absorb(*host, effects);
  }
}

void BrokerShard::FailAll(ErrorCode error) {
  closed_ = true;
  waiters_.FailAll(error);
  coordinators_.AbandonAll();
  std::vector<ReplyToken> tokens;
  for (const auto& [token, done] : produces_) tokens.push_back(token);
  std::sort(tokens.begin(), tokens.end());
  for (const ReplyToken token : tokens) {
    const ProduceDone done = std::move(produces_.at(token));
    produces_.erase(token);
    ProduceReply reply;
    reply.token = token;
    reply.error = error;
    done(reply);
  }
  for (auto& [token, pending] : std::exchange(deletes_, {})) {
    DeleteRecordsQuery::Part part;
    part.set_error_code(static_cast<int32_t>(error));
    pending.join->Complete(index, pending.slot, std::move(part));
  }
}

// ---- fetch, for any shard's waiters ----

void BrokerShard::OnShard(size_t to, std::function<void(BrokerShard&)> work) {
  if (to == index) {
    work(*this);
    return;
  }
  const std::weak_ptr<BrokerShard> target = peers_->at(to);
  ports.shard_executor(to).Post([target, work = std::move(work)] {
    if (const auto alive = target.lock()) work(*alive);
  });
}

FetchPeers BrokerShard::MakeFetchPeers() {
  FetchPeers peers;
  peers.read = [this](size_t shard, uint64_t wait_id, std::vector<ReadSlot> slots,
                      size_t bytes_max) {
    OnShard(shard, [home = index, wait_id, slots = std::move(slots), bytes_max](BrokerShard& at) {
      at.ReadFor(home, wait_id, slots, bytes_max);
    });
  };
  peers.watch = [this](size_t shard, uint64_t wait_id, std::vector<WatchRequest> watches) {
    OnShard(shard, [home = index, wait_id, watches = std::move(watches)](BrokerShard& at) {
      at.WatchFor(home, wait_id, watches);
    });
  };
  peers.unwatch = [this](size_t shard, uint64_t wait_id, std::vector<PartitionUid> uids) {
    OnShard(shard, [home = index, wait_id, uids = std::move(uids)](BrokerShard& at) {
      at.Unwatch(home, wait_id, uids);
    });
  };
  return peers;
}

void BrokerShard::ReadFor(size_t home, uint64_t wait_id, const std::vector<ReadSlot>& slots,
                          size_t bytes_max) {
  reader_.Read(slots, bytes_max, [this, home, wait_id](std::vector<ReadResult> results) {
    auto shared = std::make_shared<std::vector<ReadResult>>(std::move(results));
    OnShard(home, [wait_id, shared](BrokerShard& at) {
      at.waiters_.OnRead(wait_id, std::move(*shared));
    });
  });
}

void BrokerShard::WatchFor(size_t home, uint64_t wait_id,
                           const std::vector<WatchRequest>& watches) {
  for (const WatchRequest& wanted : watches) {
    PartitionHost* host = Find(wanted.uid);
    if (host == nullptr || host->core.role() != PartitionRole::kLeader) {
      // The wait ends with it: the others need no watch any more.
      OnShard(home, [wait_id](BrokerShard& at) { at.waiters_.OnProgress(wait_id, 0, true); });
      return;
    }
    host->watches.insert_or_assign({.home_shard = home, .wait_id = wait_id}, wanted.seen_end);
    // What came between the read and this watch is reported at the end of this turn.
    if (host->core.high_watermark() > wanted.seen_end) {
      PartitionEffects effects;
      effects.high_watermark_moved = true;
      Absorb(*host, effects);
    }
  }
}

void BrokerShard::Unwatch(size_t home, uint64_t wait_id, const std::vector<PartitionUid>& uids) {
  for (const PartitionUid uid : uids) {
    PartitionHost* host = Find(uid);
    if (host != nullptr) host->watches.erase({.home_shard = home, .wait_id = wait_id});
  }
}

void BrokerShard::ReportProgress(PartitionHost& host, bool look) {
  if (host.watches.empty()) return;
  const Offset end = host.core.high_watermark();
  // What is reported may end waits at once, and with them their watches: first all is gathered.
  std::vector<std::pair<PartitionWatch, size_t>> reports;
  for (auto& [watch, told_end] : host.watches) {
    if (!look && end <= told_end) continue;
    // Where memory does not reach back, there is at least a lot.
    reports.emplace_back(
        watch, tail.BytesBetween(host.uid, told_end, end).value_or(config->fetch_bytes_max));
    told_end = std::max(told_end, end);
  }
  // A watch stays until its wait ends, or until something else than data has happened.
  if (look) host.watches.clear();
  for (const auto& [watch, bytes] : reports) {
    OnShard(watch.home_shard, [wait_id = watch.wait_id, bytes, look](BrokerShard& at) {
      at.waiters_.OnProgress(wait_id, bytes, look);
    });
  }
}

}  // namespace quipu
