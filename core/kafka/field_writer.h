// Encodes a message, or counts how many bytes that would take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/byte_chain.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

// Never changes what it visits. A value that is null where the version has no null is written as an
// empty one. Texts longer than kTextBytesMax
// are cut: in a response that is a text for people, or a name that came in by the same wire. An
// ErrorCode is written as KafkaErrorCode() has it.
// One owner. Source: Kafka's protocol guide, "Protocol Primitive Types".
class FieldWriter final : public FieldVisitor {
 public:
  // Writes at the end of `out`, which must outlive it; counts alone when that is nullptr.
  FieldWriter(int16_t version, bool flexible, ByteChainBuilder* out)
      : FieldVisitor(version, flexible), out_(out) {}

  // From now on each error but kNone that is written is added to `errors`, which must outlive this.
  void CollectErrors(std::vector<ErrorCode>* errors) { errors_ = errors; }

  // Bytes written or counted so far.
  [[nodiscard]] size_t size() const { return size_; }

  // Primitives, for headers too.
  template <typename T>
  void Integer(T value);
  void UnsignedVarint(uint32_t value);
  // int16 length and the bytes, whatever the version.
  void ShortString(const std::optional<std::string>& value);

 protected:
  void On(bool& value) override { Integer(static_cast<int8_t>(value)); }
  void On(int8_t& value) override { Integer(value); }
  void On(int16_t& value) override { Integer(value); }
  void On(int32_t& value) override { Integer(value); }
  void On(int64_t& value) override { Integer(value); }
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
  // The tagged fields of the struct that is being written.
  struct Tags {
    uint32_t count = 0;
    uint32_t next = 0;          // the lowest tag that may follow
    size_t count_position = 0;  // in the builder's text
    bool begun = false;
  };

  void Raw(absl::string_view bytes);
  void Text(absl::string_view text);
  // The length of bytes or records, or the count of an array; nullopt: null.
  void Length(std::optional<size_t> length);
  void BeginTags();

  ByteChainBuilder* out_;
  std::vector<ErrorCode>* errors_ = nullptr;
  size_t size_ = 0;
  Tags tags_;
};

}  // namespace quipu::kafka
