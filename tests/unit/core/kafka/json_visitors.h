// Kafka's JSON of a message, by its description: to JSON and from it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

using Json = nlohmann::json;

// Makes JSON as Kafka's converters do: fields of the version alone, tagged ones unless they have
// their default value, bytes in Base64, ids in the URL's.
class JsonMaker final : public FieldVisitor {
 public:
  using FieldVisitor::FieldVisitor;
  // Of the one message that was visited.
  [[nodiscard]] const Json& json() const { return *current_; }

 protected:
  void On(bool& value) override { Put(value); }
  void On(int8_t& value) override { Put(value); }
  void On(int16_t& value) override { Put(value); }
  void On(int32_t& value) override { Put(value); }
  void On(int64_t& value) override { Put(value); }
  void On(ErrorCode& value) override { Put(static_cast<int16_t>(value)); }
  void On(Uuid& value) override;
  void On(std::string& value) override { Put(value); }
  void On(std::optional<std::string>& value, bool nullable) override;
  void On(Bytes& value) override;
  void On(Records& value) override;
  void OnArray(ArrayRef& array, bool nullable) override;
  void OnStruct(Visit visit) override;
  void OnPresence(bool& present) override;
  void OnTagged(uint32_t tag, bool is_default, Visit visit) override;

 private:
  void Put(Json value);

  Json root_;
  Json* current_ = &root_;  // an object, an array, or nothing yet
};

// Sets a message from such JSON. A field that the version has and the JSON lacks is counted.
class JsonTaker final : public FieldVisitor {
 public:
  JsonTaker(int16_t version, bool flexible, const Json& json)
      : FieldVisitor(version, flexible), current_(&json) {}
  [[nodiscard]] const std::vector<std::string>& missing() const { return missing_; }

 protected:
  void On(bool& value) override { Get(value); }
  void On(int8_t& value) override { Get(value); }
  void On(int16_t& value) override { Get(value); }
  void On(int32_t& value) override { Get(value); }
  void On(int64_t& value) override { Get(value); }
  void On(ErrorCode& value) override;
  void On(Uuid& value) override;
  void On(std::string& value) override { Get(value); }
  void On(std::optional<std::string>& value, bool nullable) override;
  void On(Bytes& value) override;
  void On(Records& value) override;
  void OnArray(ArrayRef& array, bool nullable) override;
  void OnStruct(Visit visit) override;
  void OnPresence(bool& present) override;
  void OnTagged(uint32_t tag, bool is_default, Visit visit) override;

 private:
  // The JSON of the value that is visited.
  const Json& Here();
  template <typename T>
  void Get(T& value) {
    const Json& json = Here();
    if (!json.is_null()) value = json.get<T>();
  }

  const Json* current_;
  bool at_value_ = true;  // `current_` is the value itself, not the object that has it
  std::vector<std::string> missing_;
};

}  // namespace quipu::kafka
