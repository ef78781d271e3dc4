// What a leader knows of one follower in its epoch.
#pragma once

#include <algorithm>

#include "base/ids.h"
#include "base/time.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Made anew for each leader epoch, so that nothing that a follower acknowledged to another leader
// counts (R06). Plain data of LeaderRole and IsrTracker.
struct FollowerProgress {
  ReplicaInfo info;  // as of the newest image

  // Of its stream; kNoBrokerEpoch: never heard in this leader epoch.
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  bool connected = false;  // there is a stream, and it has said where to send from
  // Its (last epoch, fetch offset) was found in this log: what it holds is a prefix of it.
  bool matched = false;
  // It does not know what producers have sent, and this leader does: it does not join the ISR yet.
  bool wants_producers = false;
  Offset producers_as_of = kNoOffset;  // what it was told of them last
  Offset joins_at = kNoOffset;         // it must hold the log up to here to know all of them
  Offset durable_end = kNoOffset;      // the acknowledgement; valid when matched
  Offset log_start = kNoOffset;
  // Marks of the replica sender.
  Offset sent_end = kNoOffset;
  Offset told_high_watermark = kNoOffset;
  Offset told_log_start = kNoOffset;

  // Kafka's rule for "caught up": at `last_caught_up` it held all that the log held then.
  Instant last_caught_up;
  Instant last_update;
  Offset log_end_at_last_update = kNoOffset;

  // An acknowledgement of `durable` at `now`, while the log ends at `log_end`. A follower that now
  // holds what the log held at its last update was caught up at that time.
  void NoteUpdate(Offset durable, Offset log_end, Instant now) {
    durable_end = durable;
    if (durable >= log_end) {
      last_caught_up = std::max(last_caught_up, now);
    } else if (log_end_at_last_update != kNoOffset && durable >= log_end_at_last_update) {
      last_caught_up = std::max(last_caught_up, last_update);
    }
    last_update = now;
    log_end_at_last_update = log_end;
  }

  void AddTo(Fingerprint& state) const {
    state.Add(info, broker_epoch, connected, matched, wants_producers, producers_as_of, joins_at,
              durable_end, log_start, last_caught_up, last_update);
    if (connected) state.Add(sent_end, told_high_watermark, told_log_start);
    // It decides nothing but whether to be caught up at last_update.
    if (state.counts_time() && last_update > last_caught_up) state.Add(log_end_at_last_update);
  }

  // Another life of that broker: nothing is known of it.
  void Forget(BrokerEpoch epoch) {
    broker_epoch = epoch;
    connected = matched = wants_producers = false;
    producers_as_of = joins_at = kNoOffset;
    durable_end = log_start = sent_end = kNoOffset;
    log_end_at_last_update = kNoOffset;
  }
};

}  // namespace quipu
