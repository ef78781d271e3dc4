// `quipu storage dump`: what a stopped node's data directory holds.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/records/record_format.h"
#include "storage/rocksdb/offline/offline_store.h"

namespace quipu::cli {
namespace {

struct DumpOptions {
  std::string directory;
  std::vector<uint64_t> uids;  // of partitions; none: all
  int64_t from = 0;            // offset, or Raft index
  int64_t to = INT64_MAX;      // exclusive
  bool batches = false;
  bool payload = false;
  size_t limit = 1000;
};

Json IdentityJson(const OfflineDirectory& directory) {
  const DirectoryIdentity& identity = directory.identity;
  Json voters = Json::array();
  for (const VoterIdentity& voter : identity.voters) voters.push_back(VoterText(voter));
  Json json{{"role", std::string(NodeRoleName(identity.role))},
            {"node_id", identity.node_id},
            {"cluster_id", identity.cluster_id.ToText()},
            {"directory_id", identity.directory_id.ToText()},
            {"observer", identity.observer},
            {"voters", voters},
            {"watermark", nullptr},
            {"last_group", directory.last_group},
            {"unproven", nullptr}};
  if (identity.role == NodeRole::kBroker) {
    json["log_store"] = std::string(LogStoreKindName(identity.log_store));
  }
  if (directory.watermark) {
    json["watermark"] = Json{{"last_group", directory.watermark->last_group},
                             {"broker_epoch", directory.watermark->broker_epoch.value()},
                             {"unclean", directory.watermark->unclean}};
  }
  if (!directory.unproven.empty()) json["unproven"] = directory.unproven;
  return json;
}

void AddPayload(const char* name, const std::optional<absl::string_view>& bytes, Json& json) {
  if (!bytes) {
    json[name] = nullptr;
  } else if (IsUtf8(*bytes)) {
    json[name] = std::string(*bytes);
  } else {
    json[absl::StrCat(name, "_hex")] = absl::BytesToHexString(*bytes);
  }
}

Json RecordsJson(const RecordBatchView& header) {
  Json records = Json::array();
  const absl::StatusOr<DecodedBatch> decoded = DecodedBatch::Decode(header);
  if (!decoded.ok()) return Json{{"error", std::string(decoded.status().message())}};
  for (const RecordView& record : decoded->records()) {
    Json json{{"offset", record.offset.value()}, {"timestamp", record.timestamp.value()}};
    AddPayload("key", record.key, json);
    AddPayload("value", record.value, json);
    records.push_back(std::move(json));
  }
  return records;
}

Json BatchJson(const OfflineBatch& batch, bool payload) {
  Json json{{"base_offset", batch.place.first_offset.value()},
            {"last_offset", batch.place.last_offset.value()},
            {"checksums", batch.damage.empty() ? "ok" : "damaged"}};
  if (!batch.damage.empty()) json["damage"] = batch.damage;
  if (!batch.header) return json;
  const RecordBatchView& header = *batch.header;
  json["leader_epoch"] = header.leader_epoch().value();
  json["records"] = header.record_count();
  json["bytes"] = header.size();
  json["max_timestamp"] = header.max_timestamp().value();
  json["producer_id"] = header.producer_id().value();
  json["producer_epoch"] = header.producer_epoch().value();
  json["base_sequence"] = header.base_sequence().value();
  json["compression"] = static_cast<int>(header.compression());
  json["control"] = header.is_control();
  if (payload && batch.damage.empty()) json["payload"] = RecordsJson(header);
  return json;
}

Json ProducersJson(const ProducerSnapshot& snapshot) {
  Json producers = Json::array();
  for (const ProducerEntry& entry : snapshot.producers) {
    Json batches = Json::array();
    for (const ProducerBatch& batch : entry.batches) {
      batches.push_back(Json{{"base_sequence", batch.base_sequence.value()},
                             {"last_sequence", batch.last_sequence.value()},
                             {"base_offset", batch.base_offset.value()},
                             {"last_offset", batch.last_offset.value()}});
    }
    producers.push_back(Json{{"producer_id", entry.producer_id.value()},
                             {"producer_epoch", entry.producer_epoch.value()},
                             {"last_timestamp", entry.last_timestamp.value()},
                             {"batches", batches}});
  }
  return Json{{"as_of", snapshot.as_of.value()}, {"producers", producers}};
}

// Every batch is checked; those in the range are shown, up to the limit.
absl::Status AddBatches(const DumpOptions& options, OfflineStore& store, const OfflineLog& log,
                        Json& json) {
  size_t count = 0;
  size_t damaged = 0;
  uint64_t bytes = 0;
  uint64_t records = 0;
  Json shown = Json::array();
  QUIPU_RETURN_IF_ERROR(store.EachBatch(
      log.log_id, Offset(options.from), Offset(options.to), [&](const OfflineBatch& batch) {
        ++count;
        damaged += batch.damage.empty() ? 0 : 1;
        bytes += batch.header ? batch.header->size() : 0;
        records += batch.header ? static_cast<uint64_t>(batch.header->record_count()) : 0;
        if (options.batches && shown.size() < options.limit) {
          shown.push_back(BatchJson(batch, options.payload));
        }
        return true;
      }));
  json["batches"] = count;
  json["records"] = records;
  json["bytes"] = bytes;
  json["damaged_batches"] = damaged;
  if (options.batches) json["shown"] = std::move(shown);
  return absl::OkStatus();
}

absl::StatusOr<Json> LogsJson(const DumpOptions& options, OfflineStore& store) {
  QUIPU_ASSIGN_OR_RETURN(const std::vector<OfflineLog> logs, store.Logs());
  Json json = Json::array();
  for (const OfflineLog& log : logs) {
    const bool wanted = options.uids.empty() || std::find(options.uids.begin(), options.uids.end(),
                                                          log.uid.value()) != options.uids.end();
    if (!wanted) continue;
    Json epochs = Json::array();
    for (const EpochEntry& entry : log.epochs) {
      epochs.push_back(Json{{"leader_epoch", entry.epoch.value()},
                            {"start_offset", entry.start_offset.value()}});
    }
    Json one{{"partition_uid", log.uid.value()},
             {"log_id", log.log_id.value()},
             {"leader_epoch", log.state.leader_epoch.value()},
             {"partition_epoch", log.state.partition_epoch.value()},
             {"log_start_offset", log.state.log_start_offset.value()},
             {"high_watermark", log.state.high_watermark.value()},
             {"log_end_offset", log.log_end_offset.value()},
             {"epochs", epochs},
             {"producer_snapshot", nullptr}};
    if (log.snapshot) one["producer_snapshot"] = ProducersJson(*log.snapshot);
    QUIPU_RETURN_IF_ERROR(AddBatches(options, store, log, one));
    json.push_back(std::move(one));
  }
  return json;
}

const char* KindName(message::RaftEntry::Kind kind) {
  if (kind == message::RaftEntry::COMMAND) return "command";
  return kind == message::RaftEntry::VOTERS ? "voters" : "no-op";
}

absl::StatusOr<Json> RaftJson(const DumpOptions& options, OfflineStore& store) {
  QUIPU_ASSIGN_OR_RETURN(const OfflineRaft raft, store.Raft());
  Json json{{"term", raft.hard_state.term.value()},
            {"voted_for", raft.hard_state.voted_for.value()},
            {"voted_directory", raft.hard_state.voted_directory.ToText()},
            {"snapshot", nullptr},
            {"entries", raft.entries.size()},
            {"first_index", nullptr},
            {"last_index", nullptr},
            {"damage", raft.damage}};
  if (raft.snapshot) {
    json["snapshot"] = Json{{"last_index", raft.snapshot->last_index.value()},
                            {"last_term", raft.snapshot->last_term.value()},
                            {"bytes", raft.snapshot->data.size()}};
  }
  if (!raft.entries.empty()) {
    json["first_index"] = raft.entries.front().index();
    json["last_index"] = raft.entries.back().index();
  }
  if (!options.batches) return json;
  Json shown = Json::array();
  for (const message::RaftEntry& entry : raft.entries) {
    const auto index = static_cast<int64_t>(entry.index());
    if (index < options.from || index >= options.to || shown.size() == options.limit) continue;
    Json one{{"index", entry.index()},
             {"term", entry.term()},
             {"kind", KindName(entry.kind())},
             {"bytes", entry.data().size()}};
    if (options.payload) one["data_hex"] = absl::BytesToHexString(entry.data());
    shown.push_back(std::move(one));
  }
  json["shown"] = std::move(shown);
  return json;
}

// As key=value lines, indented by depth; what stands in a list begins with a dash.
void PrintText(const Json& json, const std::string& indent) {
  for (const auto& [key, value] : json.items()) {
    if (!value.is_structured()) {
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      std::printf("%s%s=%s\n", indent.c_str(), key.c_str(), text.c_str());
    } else if (value.is_object()) {
      std::printf("%s%s:\n", indent.c_str(), key.c_str());
      PrintText(value, indent + "  ");
    } else {
      std::printf("%s%s: %zu\n", indent.c_str(), key.c_str(), value.size());
      for (const Json& one : value) {
        std::printf("%s  -\n", indent.c_str());
        PrintText(one.is_object() ? one : Json{{"value", one}}, indent + "    ");
      }
    }
  }
}

bool IsSound(const Json& json) {
  if (!json["directory"]["unproven"].is_null()) return false;
  if (json.contains("raft")) return json["raft"]["damage"].empty();
  return std::all_of(json["partitions"].begin(), json["partitions"].end(),
                     [](const Json& partition) { return partition["damaged_batches"] == 0; });
}

absl::Status Dump(Common& common, DumpOptions options) {
  if (options.payload) options.batches = true;
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OfflineStore> store,
                         OfflineStore::Open(options.directory));
  Json json{{"directory", IdentityJson(store->directory())}};
  if (store->directory().identity.role == NodeRole::kController) {
    QUIPU_ASSIGN_OR_RETURN(json["raft"], RaftJson(options, *store));
  } else {
    QUIPU_ASSIGN_OR_RETURN(json["partitions"], LogsJson(options, *store));
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintText(json, "");
  }
  if (!IsSound(json)) common.exit_code = kExitUnhealthy;
  return absl::OkStatus();
}

}  // namespace

void AddStorageDumpCommand(CLI::App& storage, Common& common) {
  auto options = std::make_shared<DumpOptions>();
  CLI::App* dump = storage.add_subcommand(
      "dump", "What a stopped node's data directory holds; changes nothing in it");
  dump->add_option("directory", options->directory, "log.dir of the node")->required();
  dump->add_option("--partition-uid", options->uids, "Brokers: only these; repeatable");
  dump->add_option("--from", options->from, "From this offset (controllers: index)")
      ->check(CLI::NonNegativeNumber);
  dump->add_option("--to", options->to, "Up to this one, exclusive")->check(CLI::NonNegativeNumber);
  dump->add_flag("--batches,--entries", options->batches,
                 "Each batch (controllers: each entry), not their number alone");
  dump->add_flag("--payload", options->payload,
                 "Contents of the records too, which are otherwise never shown");
  dump->add_option("--limit", options->limit, "Batches shown of each partition")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  AddOutputOption(*dump, common);
  dump->footer(
      "Exit code 4: something is damaged, or the log cannot be shown to be complete.\n"
      "Examples:\n"
      "  quipu storage dump /srv/quipu/b1\n"
      "  quipu storage dump /srv/quipu/b1 --partition-uid 7 --batches --from 1000 --to 1100\n"
      "  quipu storage dump /srv/quipu/c1 --entries -o json");
  OnCall(*dump, common, [&common, options] { return Dump(common, *options); });
}

}  // namespace quipu::cli
