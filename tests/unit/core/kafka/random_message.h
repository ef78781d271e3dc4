// Messages with random values, from a seed.
#pragma once

#include <optional>
#include <string>

#include "base/rng.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

// Gives every field of the version a random value: arrays of up to `elements_max` elements, null
// where that is possible. `rng` must outlive it.
class RandomFiller final : public FieldVisitor {
 public:
  RandomFiller(int16_t version, bool flexible, Rng* rng, size_t elements_max)
      : FieldVisitor(version, flexible), rng_(rng), elements_max_(elements_max) {}

 protected:
  void On(bool& value) override { value = Below(2) == 0; }
  void On(int8_t& value) override { value = static_cast<int8_t>(rng_->Next()); }
  void On(int16_t& value) override { value = static_cast<int16_t>(rng_->Next()); }
  void On(int32_t& value) override { value = static_cast<int32_t>(rng_->Next()); }
  void On(int64_t& value) override { value = static_cast<int64_t>(rng_->Next()); }
  void On(ErrorCode& value) override;
  void On(Uuid& value) override;
  void On(std::string& value) override { value = Text(200); }
  void On(std::optional<std::string>& value, bool nullable) override;
  void On(Bytes& value) override { value = Bytes(Text(300)); }
  void On(Records& value) override;
  void OnArray(ArrayRef& array, bool nullable) override;
  void OnStruct(Visit visit) override { visit(*this); }
  void OnPresence(bool& present) override { present = Below(2) == 0; }
  void OnTagged(uint32_t tag, bool is_default, Visit visit) override;

 private:
  uint64_t Below(uint64_t bound) { return rng_->Below(bound); }
  // Any bytes, up to `size_max` of them, often few.
  std::string Text(size_t size_max);

  Rng* rng_;
  size_t elements_max_;
};

}  // namespace quipu::kafka
