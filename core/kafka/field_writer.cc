#include "core/kafka/field_writer.h"

#include <algorithm>
#include <utility>

#include "base/big_endian.h"
#include "base/check.h"
#include "core/kafka/kafka_error.h"

namespace quipu::kafka {
namespace {

// The count of tagged fields is put into one byte before it is known. No struct has so many.
constexpr uint32_t kTagCountMax = 0x7F;

}  // namespace

void FieldWriter::Raw(absl::string_view bytes) {
  size_ += bytes.size();
  if (out_ != nullptr) out_->text().append(bytes.data(), bytes.size());
}

template <typename T>
void FieldWriter::Integer(T value) {
  size_ += sizeof(T);
  if (out_ != nullptr) AppendBigEndian(out_->text(), value);
}
template void FieldWriter::Integer(int8_t value);
template void FieldWriter::Integer(int16_t value);
template void FieldWriter::Integer(int32_t value);
template void FieldWriter::Integer(int64_t value);

void FieldWriter::UnsignedVarint(uint32_t value) {
  char buffer[5];
  size_t size = 0;
  for (; value >= 0x80U; value >>= 7U) buffer[size++] = static_cast<char>((value & 0x7FU) | 0x80U);
  buffer[size++] = static_cast<char>(value);
  Raw({buffer, size});
}

void FieldWriter::ShortString(const std::optional<std::string>& value) {
  if (!value.has_value()) return Integer(int16_t{-1});
  const absl::string_view text = absl::string_view(*value).substr(0, kTextBytesMax);
  Integer(static_cast<int16_t>(text.size()));
  Raw(text);
}

void FieldWriter::On(ErrorCode& value) {
  if (errors_ != nullptr && value != ErrorCode::kNone) errors_->push_back(value);
  Integer(KafkaErrorCode(value));
}

void FieldWriter::On(Uuid& value) {
  Integer(static_cast<int64_t>(value.high()));
  Integer(static_cast<int64_t>(value.low()));
}

void FieldWriter::Text(absl::string_view text) {
  text = text.substr(0, kTextBytesMax);
  if (flexible()) {
    UnsignedVarint(static_cast<uint32_t>(text.size()) + 1);
  } else {
    Integer(static_cast<int16_t>(text.size()));
  }
  Raw(text);
}

void FieldWriter::On(std::string& value) { Text(value); }

void FieldWriter::On(std::optional<std::string>& value, bool nullable) {
  if (value.has_value()) return Text(*value);
  if (!nullable) return Text("");
  if (flexible()) {
    UnsignedVarint(0);
  } else {
    Integer(int16_t{-1});
  }
}

void FieldWriter::Length(std::optional<size_t> length) {
  // What is longer than the number can say makes the whole frame too large: see Finish.
  if (flexible()) {
    UnsignedVarint(length.has_value() ? static_cast<uint32_t>(*length) + 1 : 0);
  } else {
    Integer(length.has_value() ? static_cast<int32_t>(*length) : -1);
  }
}

void FieldWriter::On(Bytes& value) {
  Length(value.size());
  Raw(value.view());
}

void FieldWriter::On(Records& value) {
  if (value.is_null) return Length(std::nullopt);
  Length(value.size());
  size_ += value.size();
  if (out_ == nullptr) return;
  for (const Bytes& slice : value.slices) out_->Share(slice);
}

void FieldWriter::OnArray(ArrayRef& array, bool nullable) {
  if (array.is_null() && nullable) return Length(std::nullopt);
  const size_t count = array.size();
  Length(count);
  for (size_t i = 0; i < count; ++i) array.VisitElement(i, *this);
}

void FieldWriter::OnPresence(bool& present) { Integer(present ? int8_t{1} : int8_t{-1}); }

void FieldWriter::OnStruct(Visit visit) {
  const Tags outer = std::exchange(tags_, Tags{});
  visit(*this);
  if (flexible()) {
    BeginTags();
    QUIPU_CHECK(tags_.count <= kTagCountMax);
    if (out_ != nullptr) out_->text()[tags_.count_position] = static_cast<char>(tags_.count);
  }
  tags_ = outer;
}

void FieldWriter::BeginTags() {
  if (tags_.begun) return;
  tags_.begun = true;
  if (out_ != nullptr) tags_.count_position = out_->text().size();
  Integer(int8_t{0});
}

void FieldWriter::OnTagged(uint32_t tag, bool is_default, Visit visit) {
  QUIPU_CHECK(flexible() && tag >= tags_.next);  // else the description is wrong
  tags_.next = tag + 1;
  BeginTags();
  if (is_default) return;
  ++tags_.count;
  FieldWriter counter(version(), true, nullptr);
  visit(counter);
  UnsignedVarint(tag);
  UnsignedVarint(static_cast<uint32_t>(counter.size()));
  visit(*this);
}

}  // namespace quipu::kafka
