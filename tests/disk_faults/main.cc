// quipu-disk-faults: the real storage over disks that fail.
//
//   quipu-disk-faults power-loss --rounds N --from M   N rounds of each store; ends with 1 on a
//                                                      violation
//   quipu-disk-faults power-loss --planted NAME ...    looks for a round that notices the bug; ends
//                                                      with 1 when there is none
//   quipu-disk-faults call-errors --calls N            N trials, each with one failing call or with
//                                                      syncs that lie from one on
//   quipu-disk-faults bad-reads --trials N             N trials, in each of which reads of a sound
//   disk
//                                                      fail, are short, damaged, or from elsewhere
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/disk_faults/bad_reads.h"
#include "tests/disk_faults/call_errors.h"
#include "tests/disk_faults/log_round.h"
#include "tests/disk_faults/raft_round.h"

namespace quipu::disk_faults {
namespace {

constexpr uint64_t kViolationsMax = 10;  // a campaign ends early

struct PowerLossOptions {
  uint64_t rounds = 500;
  uint64_t from = 1;
  std::string store = "all";
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
    if (options.store == "log" || options.store == "all") {
      ++rounds;
      if (!RunOne<LogRound>("log", seed, planted, options, totals)) ++violations;
    }
    if (options.store == "journal" || options.store == "all") {
      ++rounds;
      if (!RunOne<JournalRound>("journal", seed, planted, options, totals)) ++violations;
    }
    if (options.store == "raft" || options.store == "all") {
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

struct CallErrorOptions {
  bool journal = false;
  uint64_t trials = 200;
  uint64_t from = 1;
};

// Trials over all calls of the list of operations, each kind of error in turn. The list changes
// with the seed once every call of it has failed.
int CallErrors(const CallErrorOptions& options) {
  constexpr CallError kErrors[] = {CallError::kIoError, CallError::kNoSpace, CallError::kLie};
  CallErrorCounts counts;
  CallErrorCounts uncounted;
  uint64_t violations = 0;
  uint64_t seed = options.from;
  CallErrorTrial whole(seed, CallError::kPowerOff, 0, options.journal);
  Violation violation = whole.Run(uncounted);
  uint64_t calls = whole.calls_made();
  if (!violation.empty()) std::printf("without a fault: %s\n", violation.c_str());
  // Fewer trials than calls: spread over the list.
  const uint64_t step = std::max<uint64_t>(1, 3 * calls / std::max<uint64_t>(1, options.trials));
  uint64_t call = 1;
  while (violation.empty() && counts.trials < options.trials && violations < kViolationsMax) {
    for (const CallError error : kErrors) {
      CallErrorTrial trial(seed, error, call, options.journal);
      const Violation found = trial.Run(counts);
      if (found.empty()) continue;
      ++violations;
      std::printf("list %" PRIu64 ", call %" PRIu64 ", error %d: VIOLATION\n  %s\n", seed, call,
                  static_cast<int>(error), found.c_str());
    }
    call += step;
    if (call <= calls) continue;
    call = 1;
    CallErrorTrial next(++seed, CallError::kPowerOff, 0, options.journal);
    violation = next.Run(uncounted);
    calls = next.calls_made();
  }
  std::printf("%" PRIu64 " trials over %" PRIu64 " lists of operations, the last with %" PRIu64
              " calls, %" PRIu64 " violations\n",
              counts.trials, seed - options.from + 1, calls, violations);
  std::printf("  %10" PRIu64 "  operations acknowledged\n", counts.acknowledged);
  std::printf("  %10" PRIu64 "  ended the process\n", counts.fatal);
  std::printf("  %10" PRIu64 "  refused an opening\n", counts.refused_open);
  std::printf("  %10" PRIu64 "  harmless to the log\n", counts.harmless);
  std::printf("  %10" PRIu64 "  lies found out as unproven\n", counts.unproven);
  std::printf("  %10" PRIu64 "  lies that cost the one last group\n", counts.last_group_lost);
  const bool seen = counts.fatal > 0 && counts.refused_open > 0 && counts.unproven > 0;
  return violations > 0 || !violation.empty() || !seen ? 1 : 0;
}

int BadReads(uint64_t trials, uint64_t from, bool journal) {
  constexpr std::pair<const char*, faultfs::Fault> kFaults[] = {
      {"error", faultfs::Fault::kIoError},
      {"short read", faultfs::Fault::kShortRead},
      {"flipped bit", faultfs::Fault::kFlippedBit},
      {"read from elsewhere", faultfs::Fault::kMisdirected}};
  BadReadCounts counts;
  uint64_t violations = 0;
  for (uint64_t seed = from; counts.trials < trials && violations < kViolationsMax; ++seed) {
    const auto& [name, fault] = kFaults[seed % std::size(kFaults)];
    // One in four is a controller's.
    const bool controller = seed / std::size(kFaults) % 4 == 3;
    const Violation violation = controller ? BadReadsOfController(seed, fault, counts)
                                           : BadReadsOfBroker(seed, fault, journal, counts);
    if (violation.empty()) continue;
    ++violations;
    std::printf("trial %" PRIu64 " (%s, %s): VIOLATION\n  %s\n", seed,
                controller ? "controller" : "broker", name, violation.c_str());
  }
  std::printf("%" PRIu64 " trials, %" PRIu64 " violations\n", counts.trials, violations);
  std::printf("  %10" PRIu64 "  bad reads\n", counts.bad_reads);
  std::printf("  %10" PRIu64 "  refused an opening\n", counts.refused);
  std::printf("  %10" PRIu64 "  marked the log as unproven\n", counts.unclean);
  std::printf("  %10" PRIu64 "  opened\n", counts.opened);
  std::printf("  %10" PRIu64 "  batches served, each right\n", counts.batches);
  std::printf("  %10" PRIu64 "  reads that reported an error\n", counts.reads_failed);
  std::printf("  %10" PRIu64 "  operations acknowledged meanwhile\n", counts.operations);
  std::printf("  %10" PRIu64 "  ended the process\n", counts.fatal);
  const bool seen = counts.refused > 0 && counts.unclean > 0 && counts.batches > 0 &&
                    counts.reads_failed > 0 && counts.operations > 0;
  if (!seen) std::printf("coverage: something of this was never seen\n");
  return violations > 0 || !seen ? 1 : 0;
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
  power->add_option("--store", power_loss.store, "log, journal, raft or all")
      ->check(CLI::IsMember({"log", "journal", "raft", "all"}));
  power->add_option("--planted", power_loss.planted, "A rule to take away; the rounds must notice")
      ->check(CLI::IsMember(quipu::disk_faults::PlantedNames()));
  power->add_option("--dump", power_loss.dump, "Folder for the disk of a round that failed");
  power->add_flag("--check-coverage", power_loss.check_coverage,
                  "Fail too when some kind of loss never happened");
  quipu::disk_faults::CallErrorOptions call_errors;
  CLI::App* calls = app.add_subcommand("call-errors", "One failing call, at each call in turn");
  calls->add_option("--calls", call_errors.trials, "How many trials");
  calls->add_option("--from", call_errors.from, "Seed of the first list of operations");
  calls->add_flag("--journal", call_errors.journal, "Of a broker with log.store=journal");
  uint64_t trials = 200;
  uint64_t from = 1;
  CLI::App* reads = app.add_subcommand("bad-reads", "Reads that fail, or are wrong");
  reads->add_option("--trials", trials, "How many trials");
  reads->add_option("--from", from, "Seed of the first trial");
  bool journal = false;
  reads->add_flag("--journal", journal, "Brokers have log.store=journal");
  CLI11_PARSE(app, argc, argv);
  if (reads->parsed()) return quipu::disk_faults::BadReads(trials, from, journal);
  if (calls->parsed()) return quipu::disk_faults::CallErrors(call_errors);
  return quipu::disk_faults::PowerLoss(power_loss);
}
