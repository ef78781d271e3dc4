// What the group coordinator has to know of topics, and no more.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

// A topic as the coordinator sees it.
struct GroupTopic {
  TopicId id;
  int32_t partition_count = 0;
  absl::string_view name;  // valid as long as the view
};

// Read-only; a call's view must not change during the call.
class GroupTopicView {
 public:
  virtual ~GroupTopicView() = default;
  [[nodiscard]] virtual std::optional<GroupTopic> FindByName(absl::string_view name) const = 0;
  [[nodiscard]] virtual std::optional<GroupTopic> FindById(TopicId id) const = 0;
};

// The view of a metadata image, which must outlive it.
//
// The image has to be at least as new as the entry that made this broker the group's coordinator.
// Then a topic id that the coordinator's state names and the image lacks is that of a deleted
// topic: whoever wrote the state saw the topic before it lost the leadership.
class MetadataGroupTopicView final : public GroupTopicView {
 public:
  explicit MetadataGroupTopicView(const MetadataImage& image) : image_(image) {}

  [[nodiscard]] std::optional<GroupTopic> FindByName(absl::string_view name) const override {
    return ToTopic(image_.FindTopicByName(name));
  }
  [[nodiscard]] std::optional<GroupTopic> FindById(TopicId id) const override {
    return ToTopic(image_.FindTopic(id));
  }

 private:
  static std::optional<GroupTopic> ToTopic(const TopicImage* topic) {
    if (topic == nullptr) return std::nullopt;
    return GroupTopic{.id = topic->id,
                      .partition_count = static_cast<int32_t>(topic->partitions.size()),
                      .name = topic->name};
  }

  const MetadataImage& image_;
};

}  // namespace quipu
