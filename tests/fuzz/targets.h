// The fuzz targets: each takes any bytes and must neither crash nor break what it asserts.
//
// tests/fuzz/main.cc runs them over the corpus and over mutations of it, fuzzer.cc under libFuzzer.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quipu::fuzz {

struct Target {
  std::string name;
  std::string what;  // one line
  std::function<void(absl::string_view bytes)> run;
};

// All of them, by name.
const std::vector<Target>& Targets();
// nullptr when there is none.
const Target* FindTarget(absl::string_view name);

// ---- record_targets.cc ----
void RecordBatch(absl::string_view bytes);
void Gzip(absl::string_view bytes);
void Snappy(absl::string_view bytes);
void Lz4(absl::string_view bytes);
void Zstd(absl::string_view bytes);

// ---- request_targets.cc ----
void LogCodec(absl::string_view bytes);
void ProducerState(absl::string_view bytes);
void ConsumerProtocol(absl::string_view bytes);
void StreamFrames(absl::string_view bytes);

// ---- kafka_targets.cc ----
void KafkaMessages(absl::string_view bytes);
void KafkaFrames(absl::string_view bytes);
void KafkaHandlers(absl::string_view bytes);
// kafka_api_..., one for each API that has a handler.
void AddKafkaApis(std::vector<Target>& targets);

// ---- storage_targets.cc ----
void StorageKeys(absl::string_view bytes);
void StorageValues(absl::string_view bytes);
void WatermarkSlots(absl::string_view bytes);
void DirectoryIdentityFile(absl::string_view bytes);

// ---- text_targets.cc ----
void ConfigText(absl::string_view bytes);
void ServerSettings(absl::string_view bytes);
void ClientSettings(absl::string_view bytes);
void PaymentsCsv(absl::string_view bytes);

// ---- controller_targets.cc ----
void RaftMessage(absl::string_view bytes);
void RaftQuorum(absl::string_view bytes);
void ControllerCommands(absl::string_view bytes);

// ---- broker_targets.cc ----
void BrokerRequests(absl::string_view bytes);
void BrokerShards(absl::string_view bytes);

}  // namespace quipu::fuzz
