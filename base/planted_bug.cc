#include "base/planted_bug.h"

#include <iterator>

#ifdef QUIPU_PLANTED_BUGS
#include <optional>
#endif

namespace quipu {

#ifdef QUIPU_PLANTED_BUGS
namespace {
std::optional<PlantedBug> g_planted;
}  // namespace

bool IsPlanted(PlantedBug bug) { return g_planted == bug; }
void SetPlantedBug(PlantedBug bug) { g_planted = bug; }
void ClearPlantedBug() { g_planted.reset(); }
#endif

namespace {

// In the order of the enumeration.
constexpr const char* kNames[] = {
    "ack-before-sync",
    "maximal-isr-ignored",
    "no-epoch-check-on-truncation",
    "vote-not-synced",
    "durable-end-over-reported",
    "duplicate-after-failover",
    "same-epoch-after-restart",
    "stale-broker-epoch-joins-isr",
    "high-watermark-below-min-isr",
    "elr-not-cleared",
    "raft-ack-before-sync",
    "zombie-commit-accepted",
    "partition-given-before-revoked",
    "epoch-not-noted-on-election",
    "old-epoch-update-accepted",
    "uncompared-follower-counted",
    "truncation-not-fenced",
    "join-without-epoch-start",
    "stale-high-watermark-known",
    "shrink-before-committed",
    "stale-isr-change-accepted",
    "elr-not-kept",
    "unclean-election",
    "unknown-epoch-taken-as-match",
    "divergence-not-looked-for",
    "commit-without-epoch",
    "stale-metadata-reader",
    "leader-counts-unsynced-end",
    "duplicate-not-recognised",
    "unknown-resent-under-new-epoch",
    "first-sequence-not-zero",
    "failure-takes-nobody-along",
    "sequence-gap-accepted",
    "unknown-reported-as-failed",
    "recent-producer-forgotten",
    "group-answer-before-commit",
    "commit-ahead-of-poll",
    "vote-not-recorded",
    "leader-counts-unsynced-append",
    "leader-resumes-after-restart",
    "old-term-leader-not-told",
    "late-append-counted",
    "older-snapshot-installed",
    "append-cuts-known-entries",
    "heartbeat-commits-unmatched",
    "duplicate-vote-counted",
    "older-term-committed",
    "unclean-registers-clean",
    "unclean-mark-lost-early",
    "unclean-kept-in-elr",
    "rolled-back-registers-clean",
    "empty-disk-registers-clean",
    "damaged-batch-served",
    "repaired-from-other-epoch",
    "repair-without-crc",
    "config-change-before-own-term-commit",
    "removed-leader-counts-itself",
    "same-id-new-disk-votes",
    "static-member-not-fenced",
    "draining-broker-leads",
    "drain-below-minimum",
    "told-to-stop-in-isr",
    "drain-outlives-undrain",
    "classic-commit-not-fenced",
    "classic-generation-reused",
    "classic-silent-member-stays",
    "classic-sync-before-leader",
};
static_assert(std::size(kNames) == kPlantedBugCount);

}  // namespace

const char* PlantedBugName(PlantedBug bug) { return kNames[static_cast<int>(bug)]; }

}  // namespace quipu
