#include "tests/unit/core/kafka/json_visitors.h"

#include <tuple>
#include <utility>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace quipu::kafka {
namespace {

std::string Base64(absl::string_view bytes) {
  std::string text;
  absl::Base64Escape(bytes, &text);
  return text;
}

std::string FromBase64(const std::string& text) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(text, &bytes)) << text;
  return bytes;
}

}  // namespace

void JsonMaker::Put(Json value) {
  if (current_->is_array()) {
    current_->push_back(std::move(value));
  } else if (current_->is_object()) {
    (*current_)[field()] = std::move(value);
  } else {
    *current_ = std::move(value);
  }
}

void JsonMaker::On(Uuid& value) {
  std::string text;
  absl::WebSafeBase64Escape(value.ToBytes(), &text);
  Put(text);
}

void JsonMaker::On(std::optional<std::string>& value, bool /*nullable*/) {
  Put(value.has_value() ? Json(*value) : Json());
}

void JsonMaker::On(Bytes& value) { Put(Base64(value.view())); }

void JsonMaker::On(Records& value) {
  Put(value.is_null ? Json() : Json(Base64(Joined(value.slices))));
}

void JsonMaker::OnArray(ArrayRef& array, bool /*nullable*/) {
  const char* const name = field();
  Json made = array.is_null() ? Json() : Json::array();
  Json* const outer = std::exchange(current_, &made);
  for (size_t i = 0; i < array.size(); ++i) array.VisitElement(i, *this);
  current_ = outer;
  set_field(name);
  Put(std::move(made));
}

void JsonMaker::OnStruct(Visit visit) {
  const char* const name = field();
  Json made = Json::object();
  Json* const outer = std::exchange(current_, &made);
  visit(*this);
  current_ = outer;
  set_field(name);
  Put(std::move(made));
}

void JsonMaker::OnPresence(bool& present) {
  if (!present) Put(Json());
}

void JsonMaker::OnTagged(uint32_t /*tag*/, bool is_default, Visit visit) {
  if (!is_default) visit(*this);
}

const Json& JsonTaker::Here() {
  static const Json null;
  if (at_value_) return *current_;
  const auto found = current_->find(field());
  if (found != current_->end()) return *found;
  missing_.emplace_back(field());
  return null;
}

void JsonTaker::On(ErrorCode& value) {
  int16_t number = 0;
  Get(number);
  value = ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

void JsonTaker::On(Uuid& value) {
  std::string text;
  std::string bytes;
  Get(text);
  EXPECT_TRUE(absl::WebSafeBase64Unescape(text, &bytes)) << text;
  value = Uuid::FromBytes(bytes).value_or(Uuid());
}

void JsonTaker::On(std::optional<std::string>& value, bool /*nullable*/) {
  const Json& json = Here();
  value.reset();
  if (!json.is_null()) value = json.get<std::string>();
}

void JsonTaker::On(Bytes& value) {
  std::string text;
  Get(text);
  value = Bytes(FromBase64(text));
}

void JsonTaker::On(Records& value) {
  const Json& json = Here();
  value = Records{.is_null = json.is_null(), .slices = {}};
  if (!json.is_null()) value.slices.emplace_back(FromBase64(json.get<std::string>()));
}

void JsonTaker::OnArray(ArrayRef& array, bool /*nullable*/) {
  const Json& json = Here();
  if (json.is_null()) return array.SetNull();
  array.Resize(json.size());
  const std::pair outer(std::exchange(current_, nullptr), std::exchange(at_value_, true));
  for (size_t i = 0; i < json.size(); ++i) {
    current_ = &json[i];
    at_value_ = true;
    array.VisitElement(i, *this);
  }
  std::tie(current_, at_value_) = outer;
}

void JsonTaker::OnStruct(Visit visit) {
  const Json& json = Here();
  const std::pair outer(std::exchange(current_, &json), std::exchange(at_value_, false));
  visit(*this);
  std::tie(current_, at_value_) = outer;
}

void JsonTaker::OnPresence(bool& present) { present = !Here().is_null(); }

void JsonTaker::OnTagged(uint32_t /*tag*/, bool /*is_default*/, Visit visit) {
  if (current_->contains(field())) visit(*this);
}

}  // namespace quipu::kafka
