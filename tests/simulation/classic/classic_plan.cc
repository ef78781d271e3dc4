#include "tests/simulation/classic/classic_plan.h"

#include <algorithm>

#include "base/big_endian.h"

namespace quipu::sim {
namespace {

constexpr int16_t kVersion = 3;
constexpr int16_t kVersionWithGeneration = 2;  // what the coordinator itself writes
constexpr int32_t kNull = -1;

void AppendText(std::string& out, const std::string& text) {
  AppendBigEndian(out, static_cast<int16_t>(text.size()));
  out += text;
}

void AppendPartitions(std::string& out, const std::string& topic, const Indices& partitions) {
  AppendBigEndian(out, static_cast<int32_t>(partitions.empty() ? 0 : 1));
  if (partitions.empty()) return;
  AppendText(out, topic);
  AppendBigEndian(out, static_cast<int32_t>(partitions.size()));
  for (const int32_t index : partitions) AppendBigEndian(out, index);
}

// Takes fields off the front; once one does not fit, `sound` is false and all are empty.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}
  template <typename T>
  T Number() {
    if (rest_.size() < sizeof(T)) sound_ = false;
    if (!sound_) return T{};
    const T value = LoadBigEndian<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  void Skip(int32_t bytes) {
    if (bytes > 0 && rest_.size() < static_cast<size_t>(bytes)) sound_ = false;
    if (sound_ && bytes > 0) rest_.remove_prefix(static_cast<size_t>(bytes));
  }
  Indices Partitions() {
    Indices partitions;
    const int32_t topics = Number<int32_t>();
    if (topics > 1) sound_ = false;
    if (topics != 1) return partitions;
    Skip(Number<int16_t>());
    for (int32_t left = Number<int32_t>(); left > 0 && sound_; --left) {
      partitions.insert(Number<int32_t>());
    }
    return partitions;
  }
  [[nodiscard]] bool sound() const { return sound_; }
  [[nodiscard]] bool done() const { return sound_ && rest_.empty(); }

 private:
  absl::string_view rest_;
  bool sound_ = true;
};

}  // namespace

std::string EncodeSubscription(const std::string& topic, const ClassicClaim& claim) {
  std::string bytes;
  AppendBigEndian(bytes, kVersion);
  AppendBigEndian(bytes, int32_t{1});
  AppendText(bytes, topic);
  AppendBigEndian(bytes, kNull);  // user data
  AppendPartitions(bytes, topic, claim.owned);
  AppendBigEndian(bytes, claim.generation);
  AppendBigEndian(bytes, static_cast<int16_t>(kNull));  // rack
  return bytes;
}

std::string EncodeAssignment(const std::string& topic, const Indices& partitions) {
  std::string bytes;
  AppendBigEndian(bytes, kVersion);
  AppendPartitions(bytes, topic, partitions);
  AppendBigEndian(bytes, kNull);  // user data
  return bytes;
}

std::optional<ClassicClaim> DecodeSubscription(absl::string_view bytes) {
  Reader reader(bytes);
  const auto version = reader.Number<int16_t>();
  const bool known = version == kVersion || version == kVersionWithGeneration;
  if (!known || reader.Number<int32_t>() != 1) return std::nullopt;
  reader.Skip(reader.Number<int16_t>());
  reader.Skip(reader.Number<int32_t>());
  ClassicClaim claim;
  claim.owned = reader.Partitions();
  claim.generation = reader.Number<int32_t>();
  if (version == kVersion) reader.Skip(reader.Number<int16_t>());
  return reader.done() ? std::optional(claim) : std::nullopt;
}

std::optional<Indices> DecodeAssignment(absl::string_view bytes) {
  if (bytes.empty()) return Indices();
  Reader reader(bytes);
  const auto version = reader.Number<int16_t>();
  if (version != kVersion && version != 0) return std::nullopt;  // 0: of the coordinator
  const Indices partitions = reader.Partitions();
  reader.Skip(reader.Number<int32_t>());
  return reader.done() ? std::optional(partitions) : std::nullopt;
}

ClassicPlan PlanRange(const ClassicClaims& members, int32_t partitions) {
  ClassicPlan plan;
  const auto count = static_cast<int32_t>(members.size());
  int32_t next = 0;
  int32_t place = 0;
  for (const auto& [member, claim] : members) {
    const int32_t share = partitions / count + (place++ < partitions % count ? 1 : 0);
    Indices& mine = plan[member];
    for (int32_t i = 0; i < share; ++i) mine.insert(next++);
  }
  return plan;
}

bool IsClaimedByAnother(const ClassicClaims& members, const std::string& member,
                        int32_t partition) {
  const ClassicClaim& own = members.at(member);
  const int32_t since = own.owned.contains(partition) ? own.generation : -1;
  return std::any_of(members.begin(), members.end(), [&](const auto& item) {
    return item.first != member && item.second.owned.contains(partition) &&
           item.second.generation >= since;
  });
}

ClassicPlan PlanCooperative(const ClassicClaims& members, int32_t partitions) {
  ClassicPlan plan;
  for (const auto& [member, claim] : members) plan[member];
  const size_t count = members.size();
  const auto all = static_cast<size_t>(partitions);
  const auto fewest = [&plan] {
    return std::min_element(plan.begin(), plan.end(), [](const auto& a, const auto& b) {
      return a.second.size() < b.second.size();
    });
  };
  Indices open;
  for (int32_t index = 0; index < partitions; ++index) {
    const auto owner = std::find_if(members.begin(), members.end(), [&](const auto& item) {
      return item.second.owned.contains(index) && !IsClaimedByAnother(members, item.first, index);
    });
    // Some may have one more than others.
    const bool stays =
        owner != members.end() && plan[owner->first].size() < (all + count - 1) / count;
    if (stays) plan[owner->first].insert(index);
    if (!stays) open.insert(index);
  }
  for (const int32_t index : open) fewest()->second.insert(index);
  for (auto& [member, given] : plan) {
    std::erase_if(given, [&members, &who = member](int32_t index) {
      return IsClaimedByAnother(members, who, index);
    });
  }
  return plan;
}

}  // namespace quipu::sim
