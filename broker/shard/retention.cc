#include "broker/shard/retention.h"

#include <algorithm>

#include "base/logging.h"

namespace quipu {
namespace {

// By how much a log grows before its retention is looked at.
constexpr size_t kGrownBytesMin = size_t{1} << 20;
constexpr size_t kGrownBytesMax = size_t{4} << 20;
constexpr size_t kGrownParts = 4;  // of retention.bytes

// Where what is older than `limit` ends, at most `end`; zero: nowhere. How old a batch without a
// time is nobody knows (librdkafka claims 0 for one that it compressed): it goes when one behind it
// does that has a time. `end` itself is where an old batch ends, or a young one begins.
absl::StatusOr<Offset> EndOfOld(LogStore& store, LogId log_id, TimestampMs limit, Offset end) {
  auto young = store.FindByTimestamp(log_id, limit);
  if (!young.ok()) return young.status();
  const Offset cut = young->has_value() ? (*young)->base_offset : end;
  if (cut <= Offset(0)) return Offset(0);
  auto before = store.Read(log_id, Offset(cut.value() - 1), cut, 1);
  if (!before.ok()) return before.status();
  const bool is_old = !before->empty() && before->front().max_timestamp > TimestampMs(0);
  return is_old ? cut : Offset(0);
}

// The lowest offset that both limits want kept. `end`: where everything below may go.
absl::StatusOr<Offset> WantedStart(LogStore& store, LogId log_id, const PartitionConfig& config,
                                   TimestampMs now, Offset end) {
  Offset start{0};
  if (config.retention_bytes >= 0) {
    auto offset = store.OffsetForSize(log_id, config.retention_bytes);
    if (!offset.ok()) return offset.status();
    start = std::max(start, *offset);
  }
  if (config.retention_ms >= 0) {
    auto offset = EndOfOld(store, log_id, now - config.retention_ms, end);
    if (!offset.ok()) return offset.status();
    start = std::max(start, *offset);
  }
  return start;
}

}  // namespace

void Retention::Start() {
  context_.PostAfter(context_.config->retention_check_interval, [this] {
    CheckAll();
    Start();
  });
}

void Retention::CheckAll() {
  for (const auto& [uid, host] : context_.hosts) {
    if (MayCheck(*host)) Check(*host);
  }
}

bool Retention::MayCheck(const PartitionHost& host) {
  const PartitionConfig& config = host.core.config();
  const bool limited = config.retention_ms >= 0 || config.retention_bytes >= 0;
  return host.core.role() == PartitionRole::kLeader && limited && !host.retention_running &&
         !host.core.identity().internal && !host.dropping;
}

void Retention::OnGrown(PartitionHost& host) {
  if (host.grown_bytes < kGrownBytesMin || host.retention_failed) return;
  const int64_t limit = host.core.config().retention_bytes;
  const auto part = limit < 0 ? kGrownBytesMax : static_cast<size_t>(limit) / kGrownParts;
  if (host.grown_bytes < std::min(part, kGrownBytesMax) || !MayCheck(host)) return;
  Check(host);
}

void Retention::Check(PartitionHost& host) {
  host.retention_running = true;
  host.grown_bytes = 0;
  // The high watermark of now: batches that come later are younger than the limit.
  context_.ReadCold(
      [log_id = host.log_id, config = host.core.config(), now = context_.GetNow().wall,
       end = host.core.high_watermark()](LogStore& store) {
        return WantedStart(store, log_id, config, now, end);
      },
      [this, uid = host.uid](const absl::StatusOr<Offset>& start) {
        PartitionHost* again = context_.Find(uid);
        if (again == nullptr) return;
        again->retention_running = false;
        again->retention_failed = !start.ok();
        if (!start.ok()) {
          context_.OnDamage(uid, start.status());
          LogError("retention.failed", {{"partition_uid", uid.ToString()},
                                        {"error", std::string(start.status().message())}});
          return;
        }
        if (*start <= again->core.log_start_offset()) return;
        PartitionEffects effects;
        again->core.OnRetention(*start, context_.GetNow(), effects);
        context_.Absorb(*again, effects);
      });
}

}  // namespace quipu
