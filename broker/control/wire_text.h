// Texts in a message that protobuf would not take back.
#pragma once

#include <optional>
#include <string>

#include "google/protobuf/message.h"

namespace quipu {

// The name of a `string` field of `message`, at any depth, that is not UTF-8; nullopt where each
// is. Whoever parses a message with one refuses all of it (protobuf, language guide for proto3),
// and ends the stream that it came by, with all that others have under way there. Messages that
// were parsed themselves have none; those that are made of bytes of a Kafka client may.
std::optional<std::string> FieldThatIsNotUtf8(const google::protobuf::Message& message);

}  // namespace quipu
