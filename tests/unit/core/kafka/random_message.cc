#include "tests/unit/core/kafka/random_message.h"

namespace quipu::kafka {

std::string RandomFiller::Text(size_t size_max) {
  std::string text(Below(Below(size_max) + 1), '\0');
  for (char& letter : text) letter = static_cast<char>(rng_->Next());
  return text;
}

void RandomFiller::On(ErrorCode& value) {
  value = ErrorCodeFromWire(static_cast<int32_t>(Below(120))).value_or(ErrorCode::kNone);
}

void RandomFiller::On(Uuid& value) {
  const uint64_t high = rng_->Next();
  value = Uuid(high, rng_->Next());
}

void RandomFiller::On(std::optional<std::string>& value, bool nullable) {
  value.reset();
  if (!nullable || Below(3) > 0) value = Text(50);
}

void RandomFiller::On(Records& value) {
  value = Records{.is_null = Below(4) == 0, .slices = {}};
  if (value.is_null) return;
  for (uint64_t slices = Below(4); slices > 0; --slices) value.slices.emplace_back(Text(500));
}

void RandomFiller::OnArray(ArrayRef& array, bool nullable) {
  if (nullable && Below(4) == 0) return array.SetNull();
  array.Resize(Below(elements_max_ + 1));
  for (size_t i = 0; i < array.size(); ++i) array.VisitElement(i, *this);
}

void RandomFiller::OnTagged(uint32_t /*tag*/, bool /*is_default*/, Visit visit) {
  if (Below(2) == 0) visit(*this);
}

}  // namespace quipu::kafka
