#include "core/kafka/field_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "core/kafka/field_writer.h"
#include "core/kafka/kafka_error.h"

namespace quipu::kafka {

void FieldReader::Fail(absl::string_view what) {
  if (failed()) return;
  for (size_t i = 0; i < depth_; ++i) {
    absl::StrAppend(&error_, i == 0 ? "" : ".", path_[i].name, "[", path_[i].index, "]");
  }
  const bool is_element = depth_ > 0 && *field() == '\0';
  absl::StrAppend(&error_, depth_ == 0 || is_element ? "" : ".", field(), ": at byte ", position_,
                  " of ", frame_.size(), ": ", what);
  position_ = end_;
}

absl::string_view FieldReader::Take(size_t size) {
  if (failed()) return {};
  if (size > left()) {
    Fail(absl::StrCat("needs ", size, " bytes, ", left(), " are left"));
    return {};
  }
  const absl::string_view taken = frame_.view().substr(position_, size);
  position_ += size;
  return taken;
}

template <typename T>
T FieldReader::Integer() {
  const absl::string_view bytes = Take(sizeof(T));
  return bytes.empty() ? T{0} : LoadBigEndian<T>(bytes.data());
}
template int8_t FieldReader::Integer();
template int16_t FieldReader::Integer();
template int32_t FieldReader::Integer();
template int64_t FieldReader::Integer();

uint32_t FieldReader::UnsignedVarint() {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 35; shift += 7) {
    const auto byte = static_cast<uint8_t>(Integer<int8_t>());
    value |= uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80U) {
      if (value > UINT32_MAX) break;
      return static_cast<uint32_t>(value);
    }
  }
  Fail("a varint of more than 32 bits");
  return 0;
}

std::optional<size_t> FieldReader::Length(bool is_string) {
  int64_t length = 0;
  if (flexible()) {
    length = int64_t{UnsignedVarint()} - 1;
  } else {
    length = is_string ? int64_t{Integer<int16_t>()} : int64_t{Integer<int32_t>()};
  }
  if (failed() || length == -1) return std::nullopt;
  if (length < 0 || (is_string && static_cast<size_t>(length) > kTextBytesMax)) {
    Fail(absl::StrCat("length ", length));
    return std::nullopt;
  }
  return static_cast<size_t>(length);
}

size_t FieldReader::LengthNotNull(bool is_string) {
  const std::optional<size_t> length = Length(is_string);
  if (!length.has_value()) Fail("null, which this version does not have");
  return length.value_or(0);
}

bool FieldReader::Charge(size_t bytes) {
  if (bytes > memory_left_) {
    Fail(absl::StrCat("the message would take more memory than one may: ", bytes, " bytes here, ",
                      memory_left_, " left"));
    return false;
  }
  memory_left_ -= bytes;
  return true;
}

absl::string_view FieldReader::Copied(size_t size) {
  const absl::string_view bytes = Take(size);
  return Charge(bytes.size()) ? bytes : absl::string_view();
}

std::optional<std::string> FieldReader::ShortString(const char* what) {
  set_field(what);
  const auto length = Integer<int16_t>();
  if (failed() || length == -1) return std::nullopt;
  if (length < 0) {
    Fail(absl::StrCat("length ", length));
    return std::nullopt;
  }
  return std::string(Copied(static_cast<size_t>(length)));
}

void FieldReader::On(ErrorCode& value) { value = FromKafkaErrorCode(Integer<int16_t>()); }

void FieldReader::On(Uuid& value) {
  const auto high = static_cast<uint64_t>(Integer<int64_t>());
  value = Uuid(high, static_cast<uint64_t>(Integer<int64_t>()));
}

void FieldReader::On(std::string& value) { value = std::string(Copied(LengthNotNull(true))); }

void FieldReader::On(std::optional<std::string>& value, bool nullable) {
  const std::optional<size_t> length = nullable ? Length(true) : LengthNotNull(true);
  value.reset();
  if (length.has_value()) value = std::string(Copied(*length));
}

void FieldReader::On(Bytes& value) { value = Bytes::CopyOf(Copied(LengthNotNull(false))); }

void FieldReader::On(Records& value) {
  const std::optional<size_t> length = Length(false);
  value = Records{.is_null = !length.has_value(), .slices = {}};
  const size_t start = position_;
  if (!Take(length.value_or(0)).empty()) value.slices.push_back(frame_.Slice(start, *length));
}

void FieldReader::OnArray(ArrayRef& array, bool nullable) {
  const char* const name = field();
  const std::optional<size_t> count = nullable ? Length(false) : LengthNotNull(false);
  if (failed()) return;
  if (!count.has_value()) return array.SetNull();
  FieldWriter smallest(version(), flexible(), nullptr);
  array.VisitDefault(smallest);
  const size_t element_size = std::max<size_t>(1, smallest.size());
  if (*count > left() / element_size) {
    return Fail(absl::StrCat(*count, " elements of at least ", element_size, " bytes, ", left(),
                             " are left"));
  }
  if (*count > elements_left_) {
    return Fail(absl::StrCat(
        *count, " elements are more than one message may have: ", elements_left_, " left"));
  }
  elements_left_ -= *count;
  if (!Charge(*count * array.element_bytes())) return;
  QUIPU_CHECK(depth_ < kDepthMax);
  array.Resize(*count);
  path_[depth_++] = {.name = name, .index = 0};
  for (size_t i = 0; i < *count && !failed(); ++i) {
    path_[depth_ - 1].index = i;
    set_field("");
    array.VisitElement(i, *this);
  }
  --depth_;
}

void FieldReader::OnPresence(bool& present) {
  const auto marker = Integer<int8_t>();
  present = marker == 1;
  if (marker != 1 && marker != -1 && !failed()) {
    Fail(absl::StrCat("a struct is there (1) or null (-1), not ", int{marker}));
  }
}

void FieldReader::OnStruct(Visit visit) {
  const Tags outer = std::exchange(tags_, Tags{});
  visit(*this);
  if (flexible() && !tags_.found) FindTags();
  tags_ = outer;
}

FieldReader::TaggedField FieldReader::NextTaggedField() {
  const uint32_t tag = UnsignedVarint();
  const uint32_t size = UnsignedVarint();
  const TaggedField next{.tag = tag, .begin = position_, .size = size};
  Take(size);
  return next;
}

void FieldReader::FindTags() {
  tags_ = {.found = true, .begin = position_, .end = 0};
  const uint32_t count = UnsignedVarint();
  int64_t previous = -1;
  for (uint32_t i = 0; i < count && !failed(); ++i) {
    const TaggedField next = NextTaggedField();
    if (int64_t{next.tag} <= previous) Fail(absl::StrCat("tag ", next.tag, " behind ", previous));
    previous = next.tag;
  }
  tags_.end = position_;
}

void FieldReader::SkipTags(const char* what) {
  set_field(what);
  FindTags();
}

void FieldReader::OnTagged(uint32_t tag, bool /*is_default*/, Visit visit) {
  if (!tags_.found) FindTags();
  if (failed()) return;
  const size_t outer_end = std::exchange(end_, tags_.end);
  position_ = tags_.begin;
  for (uint32_t left_over = UnsignedVarint(); left_over > 0; --left_over) {
    const TaggedField next = NextTaggedField();
    if (next.tag < tag) continue;
    if (next.tag > tag) break;
    position_ = next.begin;
    end_ = next.begin + next.size;
    visit(*this);
    if (position_ != end_) Fail(absl::StrCat(left(), " bytes too many in tag ", tag));
    break;
  }
  end_ = outer_end;
  position_ = failed() ? end_ : tags_.end;
}

}  // namespace quipu::kafka
