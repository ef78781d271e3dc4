// The fuzz targets without libFuzzer: the corpus as it is, then mutations of it from a seed.
//
//   quipu-fuzz-corpus CORPUS [--mutations N] [--seed S] [target...]
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/logging.h"
#include "base/rng.h"
#include "tests/fuzz/targets.h"

namespace quipu::fuzz {
namespace {

std::vector<std::string> ReadCorpus(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  if (!std::filesystem::is_directory(folder)) return {};
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// One to eight small changes.
std::string Mutated(std::string bytes, const std::vector<std::string>& corpus, Rng& rng) {
  for (uint64_t changes = 1 + rng.Below(8); changes > 0; --changes) {
    const size_t at = rng.Below(bytes.size() + 1);
    switch (rng.Below(6)) {
      case 0:
        bytes.insert(at, 1, static_cast<char>(rng.Next()));
        break;
      case 1:
        bytes.erase(at, 1 + rng.Below(8));
        break;
      case 2:  // rarely, since little is left
        if (rng.Chance(1, 8)) bytes.resize(at);
        break;
      case 3: {  // a piece of another input
        const std::string& other = corpus[rng.Below(corpus.size())];
        const size_t from = rng.Below(other.size() + 1);
        bytes.insert(at, other.substr(from, rng.Below(64)));
        break;
      }
      case 4:
        if (at < bytes.size()) bytes[at] = "\x00\x01\x7f\x80\xff"[rng.Below(5)];
        break;
      default:
        if (at < bytes.size())
          bytes[at] = static_cast<char>(static_cast<uint8_t>(bytes[at]) ^ (1U << rng.Below(8)));
    }
  }
  return bytes;
}

int Run(const std::string& folder, const std::vector<std::string>& names, uint64_t mutations,
        uint64_t seed) {
  for (const Target& target : Targets()) {
    if (!names.empty() && std::find(names.begin(), names.end(), target.name) == names.end()) {
      continue;
    }
    const std::vector<std::string> corpus = ReadCorpus(std::filesystem::path(folder) / target.name);
    if (corpus.empty()) {
      std::fprintf(stderr, "quipu-fuzz-corpus: no corpus for %s\n", target.name.c_str());
      return 1;
    }
    std::printf("%-36s %3zu inputs, %llu mutations\n", target.name.c_str(), corpus.size(),
                static_cast<unsigned long long>(mutations));
    std::fflush(stdout);
    for (const std::string& input : corpus) target.run(input);
    Rng rng(seed);
    for (uint64_t i = 0; i < mutations; ++i) {
      target.run(Mutated(corpus[rng.Below(corpus.size())], corpus, rng));
    }
  }
  return 0;
}

}  // namespace
}  // namespace quipu::fuzz

int main(int argc, char** argv) {
  GTEST_FLAG_SET(break_on_failure, true);
  quipu::SetLogLevel(quipu::LogLevel::kError);
  std::string corpus;
  std::vector<std::string> names;
  uint64_t mutations = 0;
  uint64_t seed = 1;
  CLI::App app{"Runs the fuzz targets over their corpus.", "quipu-fuzz-corpus"};
  app.add_option("corpus", corpus)->required()->check(CLI::ExistingDirectory);
  app.add_option("targets", names);
  app.add_option("--mutations", mutations, "of each target's corpus");
  app.add_option("--seed", seed);
  CLI11_PARSE(app, argc, argv);
  for (const std::string& name : names) {
    if (quipu::fuzz::FindTarget(name) == nullptr) {
      std::fprintf(stderr, "quipu-fuzz-corpus: no target %s\n", name.c_str());
      return 2;
    }
  }
  return quipu::fuzz::Run(corpus, names, mutations, seed);
}
