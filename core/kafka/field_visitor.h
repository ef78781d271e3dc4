// How a message says which fields it has: one description serves decoding, encoding, sizing and
// printing.
//
// Every message and every struct inside one has a function `Describe(FieldVisitor&)` that names its
// fields in the order of the wire, each with the versions that have it, tagged fields last and by
// rising tag. A visitor is a plain virtual class, so that a description is compiled once.
// Source: Kafka's protocol guide; KIP-482 (compact types and tagged fields).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "base/error_code.h"
#include "base/strong_int.h"
#include "base/uuid.h"

namespace quipu::kafka {

// Kafka's clients refuse longer texts, in flexible versions too.
inline constexpr size_t kTextBytesMax = INT16_MAX;

// Versions of a message that have a field, both ends inclusive.
struct Versions {
  int16_t first = 0;
  int16_t last = INT16_MAX;

  [[nodiscard]] constexpr bool Has(int16_t version) const {
    return first <= version && version <= last;
  }
};
inline constexpr Versions kAlways{};
constexpr Versions Since(int16_t first) { return {.first = first}; }
constexpr Versions Until(int16_t last) { return {.last = last}; }
constexpr Versions Between(int16_t first, int16_t last) { return {.first = first, .last = last}; }

// Record batches, one after the other. Slices of a frame or of the store, shared and never copied.
struct Records {
  // On the wire null differs from no bytes; to Kafka's clients both mean "no records".
  bool is_null = true;
  ByteChain slices{};

  [[nodiscard]] size_t size() const { return SizeOf(slices); }
  // The same bytes, however they are sliced.
  friend bool operator==(const Records& a, const Records& b) {
    return a.is_null == b.is_null && Joined(a.slices) == Joined(b.slices);
  }
};

class FieldVisitor;

// An array of a message, whatever its elements are. A view: valid during the call that gives it.
class ArrayRef {
 public:
  ArrayRef() = default;
  ArrayRef(const ArrayRef&) = delete;
  ArrayRef& operator=(const ArrayRef&) = delete;
  virtual ~ArrayRef() = default;

  [[nodiscard]] virtual bool is_null() const = 0;
  [[nodiscard]] virtual size_t size() const = 0;  // 0 when null
  // Memory of one element, without what it owns elsewhere.
  [[nodiscard]] virtual size_t element_bytes() const = 0;
  // Makes it null. Only where the field may be null.
  virtual void SetNull() = 0;
  // Makes it `count` default elements.
  virtual void Resize(size_t count) = 0;
  // `index` below size().
  virtual void VisitElement(size_t index, FieldVisitor& visitor) = 0;
  // An element of default value: the smallest that the wire can carry.
  virtual void VisitDefault(FieldVisitor& visitor) = 0;
};

// What a description talks to. One owner; a description must not keep it.
class FieldVisitor {
 public:
  // The version of the message; whether that is a flexible one (KIP-482).
  FieldVisitor(int16_t version, bool flexible) : version_(version), flexible_(flexible) {}
  FieldVisitor(const FieldVisitor&) = delete;
  FieldVisitor& operator=(const FieldVisitor&) = delete;
  virtual ~FieldVisitor() = default;

  [[nodiscard]] int16_t version() const { return version_; }
  [[nodiscard]] bool flexible() const { return flexible_; }

  // A field of Kafka's `name`, present in `versions`; in others it keeps its value and is not sent.
  // An optional one may be null in the versions `nullable`.
  template <typename T>
  void Field(const char* name, T& value, Versions versions = kAlways, Versions nullable = kAlways) {
    if (!versions.Has(version_)) return;
    field_ = name;
    Value(value, nullable.Has(version_));
  }

  // The same with a tag. Left out of the wire while it has its default value.
  template <typename T>
  void Tagged(uint32_t tag, const char* name, T& value, Versions versions = kAlways,
              const T& default_value = T{}) {
    if (!versions.Has(version_)) return;
    field_ = name;
    OnTagged(tag, value == default_value,
             [&value](FieldVisitor& visitor) { visitor.Value(value, true); });
  }

  // A value without a name: an element of an array, the inside of a tagged field.
  template <typename T>
  void Value(T& value, bool nullable) {
    if constexpr (requires { value.Describe(*this); }) {
      OnStruct([&value](FieldVisitor& visitor) { value.Describe(visitor); });
    } else {
      Leaf(value, nullable);
    }
  }

 protected:
  using Visit = absl::FunctionRef<void(FieldVisitor&)>;

  virtual void On(bool& value) = 0;
  virtual void On(int8_t& value) = 0;
  virtual void On(int16_t& value) = 0;
  virtual void On(int32_t& value) = 0;
  virtual void On(int64_t& value) = 0;
  virtual void On(ErrorCode& value) = 0;
  virtual void On(Uuid& value) = 0;
  virtual void On(std::string& value) = 0;
  virtual void On(std::optional<std::string>& value, bool nullable) = 0;
  // Bytes that outlive their frame: decoding copies them.
  virtual void On(Bytes& value) = 0;
  virtual void On(Records& value) = 0;
  virtual void OnArray(ArrayRef& array, bool nullable) = 0;
  // `visit` describes the struct.
  virtual void OnStruct(Visit visit) = 0;
  // Whether a struct that may be null is there.
  virtual void OnPresence(bool& present) = 0;
  // `visit` visits the value of the field.
  virtual void OnTagged(uint32_t tag, bool is_default, Visit visit) = 0;

  // Kafka's name of the field that is being visited, for errors and for people.
  [[nodiscard]] const char* field() const { return field_; }
  void set_field(const char* name) { field_ = name; }

 private:
  template <typename T>
  class Array;

  template <typename T>
  void Leaf(T& value, bool /*nullable*/) {
    On(value);
  }
  template <typename Tag, typename Rep>
  void Leaf(StrongInt<Tag, Rep>& value, bool /*nullable*/) {
    Rep plain = value.value();
    On(plain);
    value = StrongInt<Tag, Rep>(plain);
  }
  void Leaf(std::optional<std::string>& value, bool nullable) { On(value, nullable); }
  template <typename T>
  void Leaf(std::vector<T>& value, bool /*nullable*/) {
    Array<T> array(&value, nullptr);
    OnArray(array, false);
  }
  template <typename T>
  void Leaf(std::optional<std::vector<T>>& value, bool nullable) {
    Array<T> array(value.has_value() ? &*value : nullptr, &value);
    OnArray(array, nullable);
  }
  template <typename T>
    requires std::is_class_v<T>
  void Leaf(std::optional<T>& value, bool /*nullable*/) {
    bool present = value.has_value();
    OnPresence(present);
    if (!present) return value.reset();
    if (!value.has_value()) value.emplace();
    Value(*value, false);
  }

  int16_t version_;
  bool flexible_;
  const char* field_ = "";
};

template <typename T>
class FieldVisitor::Array final : public ArrayRef {
 public:
  // `nullable` is what holds `items`, if that may be null.
  Array(std::vector<T>* items, std::optional<std::vector<T>>* nullable)
      : items_(items), nullable_(nullable) {}

  [[nodiscard]] bool is_null() const override { return items_ == nullptr; }
  [[nodiscard]] size_t size() const override { return items_ == nullptr ? 0 : items_->size(); }
  [[nodiscard]] size_t element_bytes() const override { return sizeof(T); }
  void SetNull() override {
    nullable_->reset();
    items_ = nullptr;
  }
  void Resize(size_t count) override {
    if (items_ == nullptr) items_ = &nullable_->emplace();
    items_->resize(count);
  }
  void VisitElement(size_t index, FieldVisitor& visitor) override {
    visitor.Value((*items_)[index], false);
  }
  void VisitDefault(FieldVisitor& visitor) override {
    T element{};
    visitor.Value(element, false);
  }

 private:
  std::vector<T>* items_;
  std::optional<std::vector<T>>* nullable_;
};

}  // namespace quipu::kafka
