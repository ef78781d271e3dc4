#include "tests/history/history_json.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace quipu::history {
namespace {

using Json = nlohmann::json;

constexpr std::pair<const char*, EventType> kTypes[] = {{"invoke", EventType::kInvoke},
                                                        {"ok", EventType::kOk},
                                                        {"fail", EventType::kFail},
                                                        {"info", EventType::kInfo}};
constexpr std::pair<const char*, EventKind> kKinds[] = {{"send", EventKind::kSend},
                                                        {"poll", EventKind::kPoll},
                                                        {"assign", EventKind::kAssign},
                                                        {"transfer", EventKind::kTransfer}};

template <typename Names>
auto ByName(const Names& names, const std::string& name) {
  for (const auto& [known, value] : names) {
    if (name == known) return value;
  }
  throw std::invalid_argument("unknown word '" + name + "'");
}

template <typename Names, typename Value>
const char* NameOf(const Names& names, Value value) {
  for (const auto& [name, known] : names) {
    if (value == known) return name;
  }
  return "?";
}

Record ReadRecord(const Json& json) {
  if (!json.is_array() || (json.size() != 2 && json.size() != 5)) {
    throw std::invalid_argument("a record is [offset,value] or [offset,value,from,to,amount]");
  }
  Record record{.offset = json[0].get<int64_t>(),
                .value = json[1].get<int64_t>(),
                .has_transfer = json.size() == 5,
                .transfer = {}};
  if (record.has_transfer) {
    record.transfer = {.from = json[2].get<std::string>(),
                       .to = json[3].get<std::string>(),
                       .amount = json[4].get<int64_t>()};
  }
  return record;
}

// False: there is no such field.
bool ReadField(const std::string& name, const Json& value, Event& event) {
  if (name == "process") {
    event.process = value.get<int64_t>();
  } else if (name == "time") {
    event.time_ns = value.get<int64_t>();
  } else if (name == "type") {
    event.type = ByName(kTypes, value.get<std::string>());
  } else if (name == "f") {
    event.kind = ByName(kKinds, value.get<std::string>());
  } else if (name == "partition") {
    event.partition = value.get<int64_t>();
  } else if (name == "key" || name == "account") {
    event.key = value.get<std::string>();
  } else if (name == "value") {
    event.value = value.get<int64_t>();
  } else if (name == "offset") {
    event.offset = value.get<int64_t>();
  } else if (name == "from") {
    event.transfer.from = value.get<std::string>();
  } else if (name == "to") {
    event.transfer.to = value.get<std::string>();
  } else if (name == "amount") {
    event.transfer.amount = value.get<int64_t>();
  } else if (name == "records") {
    for (const Json& record : value) event.records.push_back(ReadRecord(record));
  } else {
    return false;
  }
  return true;
}

Event ReadEvent(const Json& json) {
  if (!json.is_object()) throw std::invalid_argument("not an object");
  Event event;
  for (const char* needed : {"process", "time", "type", "f"}) {
    if (!json.contains(needed)) throw std::invalid_argument(std::string("no ") + needed);
  }
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) continue;
    if (!ReadField(name, value, event)) throw std::invalid_argument("unknown field '" + name + "'");
  }
  const bool sends = event.kind == EventKind::kSend || event.kind == EventKind::kTransfer;
  if (sends && event.value == kNone && event.records.empty()) {
    throw std::invalid_argument("a send without a value");
  }
  const bool placed = event.kind == EventKind::kAssign ||
                      (event.kind == EventKind::kPoll && event.type == EventType::kOk);
  if (placed && event.partition == kNone) throw std::invalid_argument("no partition");
  return event;
}

Json WriteRecord(const Record& record) {
  Json json = Json::array({record.offset, record.value});
  if (record.has_transfer) {
    json.push_back(record.transfer.from);
    json.push_back(record.transfer.to);
    json.push_back(record.transfer.amount);
  }
  return json;
}

}  // namespace

ReadResult ReadJsonLines(std::istream& input) {
  ReadResult result;
  std::string line;
  for (size_t number = 1; std::getline(input, line); ++number) {
    if (line.empty()) continue;
    try {
      if (result.events.size() == kEventsMax) throw std::invalid_argument("too many events");
      result.events.push_back(ReadEvent(Json::parse(line)));
    } catch (const std::exception& error) {
      result.error = "line " + std::to_string(number) + ": " + error.what();
      return result;
    }
  }
  if (input.bad()) result.error = "the input could not be read";
  return result;
}

std::string ToJsonLine(const Event& event) {
  Json json{{"process", event.process},
            {"time", event.time_ns},
            {"type", NameOf(kTypes, event.type)},
            {"f", NameOf(kKinds, event.kind)}};
  if (event.partition != kNone) json["partition"] = event.partition;
  if (!event.key.empty()) json["key"] = event.key;
  if (event.value != kNone) json["value"] = event.value;
  if (event.offset != kNone) json["offset"] = event.offset;
  if (event.kind == EventKind::kTransfer) {
    json["from"] = event.transfer.from;
    json["to"] = event.transfer.to;
    json["amount"] = event.transfer.amount;
  }
  for (const Record& record : event.records) json["records"].push_back(WriteRecord(record));
  return json.dump();
}

}  // namespace quipu::history
