// quipu-disk-faults: the real storage over disks that fail.
//
//   quipu-disk-faults power-loss --rounds N --from M   N rounds of each store; ends with 1 on a
//                                                      violation
//   quipu-disk-faults power-loss --planted NAME ...    looks for a round that notices the bug; ends
//                                                      with 1 when there is none
#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/disk_faults/log_round.h"
#include "tests/disk_faults/raft_round.h"

namespace quipu::disk_faults {
namespace {

constexpr uint64_t kViolationsMax = 10;  // a campaign ends early

struct PowerLossOptions {
  uint64_t rounds = 500;
  uint64_t from = 1;
  std::string store = "both";
  std::string planted;
  std::string dump;
  bool check_coverage = false;
};

const std::map<std::string, Planted>& PlantedNames() {
  static const std::map<std::string, Planted> names = {
      {"wal-not-synced", Planted::kWalNotSynced},
      {"watermark-before-sync", Planted::kWatermarkBeforeSync},
      {"folder-not-synced", Planted::kFolderNotSynced}};
  return names;
}

// Every figure of a campaign by its name; each has to be there at least once to count.
std::vector<std::pair<const char*, uint64_t>> Named(const RoundCounts& counts) {
  const faultfs::LossCounts& disk = counts.disk;
  return {{"operations acknowledged", counts.operations},
          {"opens", counts.opens},
          {"power losses", disk.power_losses},
          {"power losses in format, open or recovery", counts.losses_in_open},
          {"power losses in an operation", counts.losses_in_write},
          {"operations without an answer that were kept", counts.in_flight_kept},
          {"operations without an answer that were lost", counts.in_flight_lost},
          {"files whose unsynced writes were all kept", disk.files_kept_whole},
          {"files that lost all of them", disk.files_cut},
          {"files that kept the first few", disk.files_prefix},
          {"files cut inside a write", disk.files_torn},
          {"files with a hole", disk.files_holed},
          {"files with a length and no data", disk.files_zero_length},
          {"names lost", disk.names_lost},
          {"synced files lost with their names", disk.synced_files_lost},
          {"removals undone", disk.removals_undone},
          {"renames undone", disk.renames_undone}};
}

template <typename Round>
bool RunOne(const char* store, uint64_t seed, Planted planted, const PowerLossOptions& options,
            RoundCounts& totals) {
  Round round(seed, planted);
  const Violation violation = round.Run();
  totals.Add(round.counts());
  if (violation.empty()) return true;
  std::printf("round %" PRIu64 " (%s): VIOLATION\n  %s\n", seed, store, violation.c_str());
  std::printf("  replay: quipu-disk-faults power-loss --store %s --rounds 1 --from %" PRIu64
              "%s%s\n",
              store, seed, options.planted.empty() ? "" : " --planted ", options.planted.c_str());
  if (!options.dump.empty()) {
    round.machine().disk().DumpTo(options.dump);
    std::printf("  the disk as it was then is in %s\n", options.dump.c_str());
  }
  return false;
}

int PowerLoss(const PowerLossOptions& options) {
  const Planted planted =
      options.planted.empty() ? Planted::kNone : PlantedNames().at(options.planted);
  RoundCounts totals;
  uint64_t violations = 0;
  uint64_t rounds = 0;
  for (uint64_t seed = options.from;
       seed < options.from + options.rounds && violations < kViolationsMax; ++seed) {
    if (options.store != "raft") {
      ++rounds;
      if (!RunOne<LogRound>("log", seed, planted, options, totals)) ++violations;
    }
    if (options.store != "log") {
      ++rounds;
      if (!RunOne<RaftRound>("raft", seed, planted, options, totals)) ++violations;
    }
    if (planted != Planted::kNone && violations > 0) {
      std::printf("%s: found after %" PRIu64 " rounds\n", options.planted.c_str(), rounds);
      return 0;
    }
  }
  uint64_t missing = 0;
  std::printf("%" PRIu64 " rounds, %" PRIu64 " violations\n", rounds, violations);
  for (const auto& [name, count] : Named(totals)) {
    std::printf("  %10" PRIu64 "  %s\n", count, name);
    if (options.check_coverage && count == 0) ++missing;
  }
  if (missing > 0) std::printf("coverage: %" PRIu64 " kinds were never seen\n", missing);
  if (planted != Planted::kNone) std::printf("%s: not found\n", options.planted.c_str());
  return violations > 0 || missing > 0 || planted != Planted::kNone ? 1 : 0;
}

}  // namespace
}  // namespace quipu::disk_faults

int main(int argc, char** argv) {
  CLI::App app("The storage of brokers and controllers over disks that fail");
  app.require_subcommand(1);
  quipu::disk_faults::PowerLossOptions power_loss;
  CLI::App* power = app.add_subcommand("power-loss", "Power losses at random moments");
  power->add_option("--rounds", power_loss.rounds, "How many rounds of each store");
  power->add_option("--from", power_loss.from, "Seed of the first round");
  power->add_option("--store", power_loss.store, "log, raft or both")
      ->check(CLI::IsMember({"log", "raft", "both"}));
  power->add_option("--planted", power_loss.planted, "A rule to take away; the rounds must notice")
      ->check(CLI::IsMember(quipu::disk_faults::PlantedNames()));
  power->add_option("--dump", power_loss.dump, "Folder for the disk of a round that failed");
  power->add_flag("--check-coverage", power_loss.check_coverage,
                  "Fail too when some kind of loss never happened");
  CLI11_PARSE(app, argc, argv);
  return quipu::disk_faults::PowerLoss(power_loss);
}
