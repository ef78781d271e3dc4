// The one place that computes a partition's next leader, ISR and ELR.
#pragma once

#include <optional>
#include <vector>

#include "core/metadata/leader_selector.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

// The change that makes `target_isr` the ISR.
//
// ELR (KIP-966): below `min_isr` everyone who was in ISR or ELR and is not in the new ISR becomes
// or stays eligible, for the high watermark was frozen before any of them could miss a committed
// record (R15, R16). At `min_isr` or above the ELR is emptied in this very record (R17).
// Leader: kept while it is in the new ISR and active; else elected from the ISR, then from the ELR
// (which makes the elected the whole ISR); else there is none and the ISR may be empty.
// A member whose disk stalls leaves the ISR as soon as another one may lead: it holds what is
// committed, but new records would wait for it (D6). Where it is alone it stays and leads.
//
// `lost`: a broker that came back without a complete log. It is not in `target_isr`, and stays not
// eligible either, so that ISR and ELR may both be empty: nobody may lead then (D4).
// nullopt: nothing would change.
std::optional<record::PartitionChange> ChangeIsr(const PartitionImage& partition,
                                                 const std::vector<BrokerId>& target_isr,
                                                 int32_t min_isr, const LeaderSelector& selector,
                                                 BrokerId lost = kNoBroker);

// The change that moves leadership to `leader`, a member of the ISR.
record::PartitionChange ChangeLeader(const PartitionImage& partition, BrokerId leader);

// The change by which a person makes `leader` the whole ISR of a partition that nobody may lead.
record::PartitionChange RecoverUnclean(const PartitionImage& partition, BrokerId leader);

}  // namespace quipu
