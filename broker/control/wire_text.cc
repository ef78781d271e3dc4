#include "broker/control/wire_text.h"

#include <vector>

#include "core/request/wire_format.h"
#include "google/protobuf/descriptor.h"

namespace quipu {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// `at`: the place in a repeated field, -1 of a single one.
std::optional<std::string> Look(const Message& message, const FieldDescriptor& field, int at) {
  const Reflection& reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return FieldThatIsNotUtf8(at < 0 ? reflection.GetMessage(message, &field)
                                     : reflection.GetRepeatedMessage(message, &field, at));
  }
  if (field.type() != FieldDescriptor::TYPE_STRING) return std::nullopt;
  std::string room;
  const std::string& text = at < 0
                                ? reflection.GetStringReference(message, &field, &room)
                                : reflection.GetRepeatedStringReference(message, &field, at, &room);
  if (IsUtf8(text)) return std::nullopt;
  return field.name();
}

}  // namespace

std::optional<std::string> FieldThatIsNotUtf8(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      std::optional<std::string> found = Look(message, *field, field->is_repeated() ? i : -1);
      if (found) return found;
    }
  }
  return std::nullopt;
}

}  // namespace quipu
