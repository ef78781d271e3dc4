// Decodes a message.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

// How much one message may become.
struct DecodeLimits {
  // Of all arrays together. A client that names each of 10^5 partitions with a topic of its own has
  // 2 * 10^5; what a request is turned into grows with them, and is in no budget of bytes.
  size_t elements_max = size_t{1} << 18U;
  // Arrays and texts of one message, without its records, which stay slices of the frame. An array
  // whose elements are two bytes on the wire takes some twenty times as much in memory; this is
  // what bounds it. 2^16 partitions of a fetch take 5 MiB.
  size_t memory_bytes_max = size_t{64} << 20U;
};

// Reads `frame` from `position` on. Never reads outside of it; never allocates by a length or count
// that the bytes left, or the limits, do not allow; nests as deeply as the description does. Fields
// with unknown tags are skipped. An ErrorCode is read as FromKafkaErrorCode() has it.
//
// After the first error every further read does nothing: whoever uses it looks at error() once, at
// the end. One owner; the frame must outlive the reader, and records share its memory.
class FieldReader final : public FieldVisitor {
 public:
  FieldReader(int16_t version, bool flexible, Bytes frame, size_t position,
              const DecodeLimits& limits)
      : FieldVisitor(version, flexible),
        frame_(std::move(frame)),
        position_(position),
        end_(frame_.size()),
        elements_left_(limits.elements_max),
        memory_left_(limits.memory_bytes_max) {}

  // What is wrong: "topics[2].partitions[0].records: at byte 91 of 4096: length -2". Empty:
  // nothing.
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] size_t position() const { return position_; }
  [[nodiscard]] size_t left() const { return end_ - position_; }

  // Primitives, for headers too. `what` names the field in an error. 0 or nullopt after an error.
  template <typename T>
  T Integer();
  std::optional<std::string> ShortString(const char* what);
  // A section of tagged fields of which none is known.
  void SkipTags(const char* what);

 protected:
  void On(bool& value) override { value = Integer<int8_t>() != 0; }
  void On(int8_t& value) override { value = Integer<int8_t>(); }
  void On(int16_t& value) override { value = Integer<int16_t>(); }
  void On(int32_t& value) override { value = Integer<int32_t>(); }
  void On(int64_t& value) override { value = Integer<int64_t>(); }
  void On(ErrorCode& value) override;
  void On(Uuid& value) override;
  void On(std::string& value) override;
  void On(std::optional<std::string>& value, bool nullable) override;
  void On(Bytes& value) override;
  void On(Records& value) override;
  void OnArray(ArrayRef& array, bool nullable) override;
  void OnStruct(Visit visit) override;
  void OnPresence(bool& present) override;
  void OnTagged(uint32_t tag, bool is_default, Visit visit) override;

 private:
  // Where an error is told to be: one step for each array that is being read. No description nests
  // deeper.
  static constexpr size_t kDepthMax = 8;
  struct Step {
    const char* name;
    size_t index;
  };
  // The tagged fields of the struct that is being read: [begin, end) of the frame, count included.
  struct Tags {
    bool found = false;
    size_t begin = 0;
    size_t end = 0;
  };
  struct TaggedField {
    uint32_t tag = 0;
    size_t begin = 0;
    size_t size = 0;
  };

  [[nodiscard]] bool failed() const { return !error_.empty(); }
  void Fail(absl::string_view what);
  uint32_t UnsignedVarint();
  // A length or count as it stands: nullopt for null, and after an error.
  std::optional<size_t> Length(bool is_string);
  // The same, where null is an error; 0 then.
  size_t LengthNotNull(bool is_string);
  // The next `size` bytes, or an error and nothing.
  absl::string_view Take(size_t size);
  // Whether the message may take `bytes` more of memory; an error if not.
  bool Charge(size_t bytes);
  // The bytes of a text or of opaque bytes that are copied.
  absl::string_view Copied(size_t size);
  // Finds the section of tagged fields, which begins here, and steps behind it.
  void FindTags();
  TaggedField NextTaggedField();

  Bytes frame_;
  size_t position_;
  size_t end_;  // of the frame, or of the tagged field that is being read
  size_t elements_left_;
  size_t memory_left_;
  Tags tags_;
  std::array<Step, kDepthMax> path_{};
  size_t depth_ = 0;
  std::string error_;
};

}  // namespace quipu::kafka
