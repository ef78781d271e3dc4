#include "core/coordinator/classic/consumer_protocol.h"

#include "base/big_endian.h"

namespace quipu {
namespace {

// Takes big-endian fields off the front. Once one does not fit, nothing does any more.
class EmbeddedReader {
 public:
  explicit EmbeddedReader(absl::string_view bytes) : rest_(bytes) {}

  template <typename T>
  std::optional<T> Number() {
    if (!sound_ || rest_.size() < sizeof(T)) return Fail<T>();
    const T value = LoadBigEndian<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::optional<std::string> Text() {
    const auto size = Number<int16_t>();
    if (!size || *size < 0 || rest_.size() < static_cast<size_t>(*size)) return Fail<std::string>();
    std::string text(rest_.substr(0, static_cast<size_t>(*size)));
    rest_.remove_prefix(text.size());
    return text;
  }
  // Bytes behind their length, which may be -1: none.
  void SkipBytes() {
    const auto size = Number<int32_t>();
    if (!size || *size < 0) return;
    if (rest_.size() < static_cast<size_t>(*size)) {
      sound_ = false;
    } else {
      rest_.remove_prefix(static_cast<size_t>(*size));
    }
  }
  // The number of entries that follow, each of at least `entry_bytes`: no more than can be there.
  std::optional<size_t> Count(size_t entry_bytes) {
    const auto count = Number<int32_t>();
    if (!count || *count < 0 || static_cast<size_t>(*count) > rest_.size() / entry_bytes) {
      return Fail<size_t>();
    }
    return static_cast<size_t>(*count);
  }
  [[nodiscard]] bool sound() const { return sound_; }

 private:
  template <typename T>
  std::optional<T> Fail() {
    sound_ = false;
    return std::nullopt;
  }

  absl::string_view rest_;
  bool sound_ = true;
};

bool IsEmbeddedVersion(std::optional<int16_t> version) { return version && *version >= 0; }

TopicNames ReadTopics(EmbeddedReader& reader) {
  const size_t count = reader.Count(sizeof(int16_t)).value_or(0);
  TopicNames topics;
  for (size_t i = 0; i < count && reader.sound(); ++i) {
    topics.push_back(reader.Text().value_or(""));
  }
  return topics;
}

std::optional<NamedPartitions> ReadPartitions(EmbeddedReader& reader) {
  const size_t topics = reader.Count(sizeof(int16_t) + sizeof(int32_t)).value_or(0);
  NamedPartitions named;
  for (size_t i = 0; i < topics && reader.sound(); ++i) {
    auto& [topic, partitions] = named.emplace_back();
    topic = reader.Text().value_or("");
    const size_t count = reader.Count(sizeof(int32_t)).value_or(0);
    for (size_t j = 0; j < count && reader.sound(); ++j) {
      partitions.push_back(reader.Number<int32_t>().value_or(0));
    }
  }
  if (!reader.sound()) return std::nullopt;
  return named;
}

constexpr int32_t kNoBytes = -1;

void AppendText(const std::string& text, std::string& out) {
  AppendBigEndian(out, static_cast<int16_t>(text.size()));
  out += text;
}

void AppendPartitions(const NamedPartitions& named, std::string& out) {
  AppendBigEndian(out, static_cast<int32_t>(named.size()));
  for (const auto& [topic, partitions] : named) {
    AppendText(topic, out);
    AppendBigEndian(out, static_cast<int32_t>(partitions.size()));
    for (const int32_t index : partitions) AppendBigEndian(out, index);
  }
}

}  // namespace

std::string EncodeSubscription(const TopicNames& topics, const NamedPartitions& owned,
                               int32_t generation) {
  std::string bytes;
  AppendBigEndian(bytes, int16_t{2});
  AppendBigEndian(bytes, static_cast<int32_t>(topics.size()));
  for (const std::string& topic : topics) AppendText(topic, bytes);
  AppendBigEndian(bytes, kNoBytes);
  AppendPartitions(owned, bytes);
  AppendBigEndian(bytes, generation);
  return bytes;
}

std::string EncodeAssignment(const NamedPartitions& assigned) {
  std::string bytes;
  AppendBigEndian(bytes, int16_t{0});
  AppendPartitions(assigned, bytes);
  AppendBigEndian(bytes, kNoBytes);
  return bytes;
}

std::optional<TopicNames> SubscribedTopicsIn(absl::string_view metadata) {
  EmbeddedReader reader(metadata);
  if (!IsEmbeddedVersion(reader.Number<int16_t>())) return std::nullopt;
  TopicNames topics = ReadTopics(reader);
  if (!reader.sound()) return std::nullopt;
  return topics;
}

std::optional<NamedPartitions> OwnedPartitionsIn(absl::string_view metadata) {
  EmbeddedReader reader(metadata);
  const auto version = reader.Number<int16_t>();
  if (!IsEmbeddedVersion(version)) return std::nullopt;
  ReadTopics(reader);
  reader.SkipBytes();  // user data
  if (reader.sound() && *version == 0) return NamedPartitions();
  return ReadPartitions(reader);
}

std::optional<NamedPartitions> AssignedPartitionsIn(absl::string_view assignment) {
  if (assignment.empty()) return NamedPartitions();
  EmbeddedReader reader(assignment);
  if (!IsEmbeddedVersion(reader.Number<int16_t>())) return std::nullopt;
  return ReadPartitions(reader);
}

}  // namespace quipu
