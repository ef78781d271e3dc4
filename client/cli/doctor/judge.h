// The judgement of `quipu doctor` on its facts. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/doctor/facts.h"

namespace quipu::cli {

enum class Level { kOk, kWarn, kFail };
// "ok", "warn", "fail".
const char* LevelName(Level level);

struct Finding {
  Level level = Level::kOk;
  std::string check{};    // what was looked at: "bootstrap", "address", "clock", ...
  std::string subject{};  // of what: "broker 2", "127.0.0.1:9092", "cluster"
  std::string what{};     // one sentence, with values
  std::string advice{};   // what to do; empty when all is well
};

struct DoctorLimits {
  Duration clock_difference_max = std::chrono::seconds(1);  // beyond it fails
  int disk_free_percent_min = 10;                           // below it warns
  Duration voter_silence_max = std::chrono::seconds(5);     // beyond it fails
  int64_t voter_lag_max = 1000;                             // entries; beyond it warns
  size_t named_max = 5;  // partitions that one finding names; the others are counted
};

// Every check that could be made, well or not, in the order in which a person would look: bootstrap
// addresses, brokers, controllers, partitions. `version`: of this program.
std::vector<Finding> Judge(const DoctorFacts& facts, const DoctorLimits& limits,
                           const std::string& version);

// Who answers where `role` `id` of the cluster is to be, if it is another.
std::optional<std::string> Stranger(const AddressAnswer& answer, const std::string& role,
                                    int32_t id, const std::string& cluster_id);

// ---- its parts ----
// "1.5 ms".
std::string MillisText(Duration duration);
void JudgeBootstrap(const DoctorFacts& facts, std::vector<Finding>& out);
void JudgeBrokers(const DoctorFacts& facts, const DoctorLimits& limits, const std::string& version,
                  std::vector<Finding>& out);
void JudgeControllers(const DoctorFacts& facts, const DoctorLimits& limits,
                      const std::string& version, std::vector<Finding>& out);
void JudgePartitions(const DoctorFacts& facts, const DoctorLimits& limits,
                     std::vector<Finding>& out);

}  // namespace quipu::cli
