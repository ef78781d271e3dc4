// OffsetFetch: committed offsets of one group, from version 8 on of several (KIP-709).
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/group/group_bytes.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/offset_fetch.h"

namespace quipu::kafka {
namespace {

constexpr int16_t kSeveralGroupsSince = 8;
constexpr int16_t kWholeErrorSince = 2;  // before it each partition carries the group's error

using OffsetsOfGroup = OffsetFetchResponse::Group;

// Java's consumers before 3.9 repeat this request for two codes only and give up at any other.
ErrorCode FetchError(ErrorCode error) {
  const bool passes = error == ErrorCode::kRequestTimedOut ||
                      error == ErrorCode::kCoordinatorNotAvailable ||
                      error == ErrorCode::kBrokerShuttingDown || error == ErrorCode::kLimitReached;
  return passes ? ErrorCode::kNotCoordinator : error;
}

OffsetFetchResponse::Partition NoOffset(PartitionIndex index, ErrorCode error) {
  return {
      .partition_index = index, .committed_offset = kNoOffset, .metadata = "", .error_code = error};
}

// What is committed, by topic and partition.
using Committed = std::map<std::pair<TopicId, PartitionIndex>, OffsetFetchResponse::Partition>;

Committed ToCommitted(const message::OffsetFetchResponse& result) {
  Committed committed;
  for (const auto& partition : result.partitions()) {
    const std::optional<Uuid> topic = Uuid::FromBytes(partition.topic_id());
    if (!topic) continue;
    const PartitionIndex index(partition.partition());
    committed[{*topic, index}] = {.partition_index = index,
                                  .committed_offset = Offset(partition.offset()),
                                  .committed_leader_epoch = LeaderEpoch(partition.leader_epoch()),
                                  .metadata = partition.metadata(),
                                  .error_code = FetchError(ErrorOf(partition.error_code()))};
  }
  return committed;
}

// Answers in the shape of what was asked.
void FillAsked(const std::vector<OffsetFetchRequest::Topic>& topics, const MetadataImage* image,
               const Committed& committed, OffsetsOfGroup& group) {
  for (const auto& topic : topics) {
    const FoundTopic found = FindTopic(image, topic.name, topic.topic_id);
    auto& answered = group.topics.emplace_back();
    answered.name = topic.name;
    answered.topic_id = topic.topic_id;
    // A topic that is gone has no offsets: to a client that names it, that is as if nothing was
    // committed; one that has its id hears that the id is nobody's.
    ErrorCode missing = group.error_code;
    if (missing == ErrorCode::kNone && found.error == ErrorCode::kUnknownTopicId) {
      missing = found.error;
    }
    for (const PartitionIndex index : topic.partition_indexes) {
      const auto at =
          found.topic == nullptr ? committed.end() : committed.find({found.id(), index});
      answered.partitions.push_back(at == committed.end() ? NoOffset(index, missing) : at->second);
    }
  }
}

// Answers with all that the group has.
void FillAll(const MetadataImage* image, const Committed& committed, OffsetsOfGroup& group) {
  for (const auto& [key, partition] : committed) {
    const FoundTopic found = FindTopic(image, key.first);
    if (found.topic == nullptr) continue;
    if (group.topics.empty() || group.topics.back().topic_id != key.first) {
      group.topics.push_back({.name = found.topic->name, .topic_id = key.first});
    }
    group.topics.back().partitions.push_back(partition);
  }
}

message::OffsetFetchRequest ToAsked(const OffsetFetchRequest::Group& group,
                                    const MetadataImage* image) {
  message::OffsetFetchRequest asked;
  asked.set_group_id(group.group_id);
  asked.set_member_id(group.member_id.value_or(""));
  asked.set_member_epoch(group.member_epoch);
  if (!group.topics) return asked;
  for (const auto& topic : *group.topics) {
    const FoundTopic found = FindTopic(image, topic.name, topic.topic_id);
    if (found.topic == nullptr) continue;
    auto* out = asked.add_partitions();
    out->set_topic_id(found.id().ToBytes());
    for (const PartitionIndex index : topic.partition_indexes) out->add_partitions(index.value());
  }
  // That nothing is committed is the coordinator's to say, also for topics that nobody knows: here
  // it may be the metadata that are old.
  if (asked.partitions().empty()) AddNobodys(asked.mutable_partitions());
  return asked;
}

OffsetFetchResponse ToResponse(std::vector<OffsetsOfGroup> groups, int16_t version) {
  OffsetFetchResponse response;
  if (version >= kSeveralGroupsSince) {
    response.groups = std::move(groups);
    return response;
  }
  response.topics = std::move(groups.front().topics);
  if (version >= kWholeErrorSince) response.error_code = groups.front().error_code;
  return response;
}

// Each group once, with each partition once.
void DropRepeated(std::vector<OffsetFetchRequest::Group>& groups) {
  absl::flat_hash_set<std::string> seen;
  std::erase_if(groups, [&seen](const auto& group) { return !seen.insert(group.group_id).second; });
  for (OffsetFetchRequest::Group& group : groups) {
    if (!group.topics) continue;
    MergeRepeated(*group.topics, &OffsetFetchRequest::Topic::name,
                  &OffsetFetchRequest::Topic::partition_indexes, std::identity());
  }
}

// Reads the offsets of one group after the other.
class Reader {
 public:
  using Groups = std::vector<OffsetFetchRequest::Group>;
  using Answers = std::vector<OffsetsOfGroup>;

  Reader(const KafkaContext& context, Groups groups)
      : node_(context.node),
        image_(context.node.image()),
        groups_(std::make_shared<const Groups>(std::move(groups))) {}

  void operator()(const Gather<Answers>::Ptr& gather, size_t i) const {
    const auto fill = [gather, i, image = image_, groups = groups_,
                       bytes = bytes_](const message::OffsetFetchResponse& result) {
      ErrorCode error = FetchError(ErrorOf(result.error_code()));
      const bool fits = error != ErrorCode::kNone || bytes->Take(result.ByteSizeLong());
      if (!fits) error = GroupBytes::kRefusal;
      const Committed committed = fits ? ToCommitted(result) : Committed();
      gather->Complete([&](Answers& all) {
        const OffsetFetchRequest::Group& group = (*groups)[i];
        all[i].group_id = group.group_id;
        all[i].error_code = error;
        if (group.topics) {
          FillAsked(*group.topics, image.get(), committed, all[i]);
        } else {
          FillAll(image.get(), committed, all[i]);
        }
      });
    };
    if (image_ == nullptr || bytes_->full()) {
      message::OffsetFetchResponse refused;
      refused.set_error_code(static_cast<int32_t>(image_ == nullptr ? ErrorCode::kNotCoordinator
                                                                    : GroupBytes::kRefusal));
      fill(refused);
    } else {
      node_.OffsetFetch(ToAsked((*groups_)[i], image_.get()), fill);
    }
  }

 private:
  BrokerNode& node_;
  const MetadataImagePtr image_;
  const std::shared_ptr<const Groups> groups_;
  const std::shared_ptr<GroupBytes> bytes_ = std::make_shared<GroupBytes>();
};

}  // namespace

absl::Status HandleOffsetFetch(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(OffsetFetchRequest request, call->Decode<OffsetFetchRequest>());
  std::vector<OffsetFetchRequest::Group> groups = std::move(request.groups);
  if (call->version() < kSeveralGroupsSince) {
    groups = {{.group_id = std::move(request.group_id), .topics = std::move(request.topics)}};
  }
  DropRepeated(groups);
  const size_t count = groups.size();
  Gather<Reader::Answers>::Run(
      Reader::Answers(count), count, kLargeAskedAtOnceMax, Reader(context, std::move(groups)),
      [call](Reader::Answers all) { call->Answer(ToResponse(std::move(all), call->version())); });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
