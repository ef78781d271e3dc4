// The fuzz targets under libFuzzer. QUIPU_FUZZ_TARGET names the one to run.
//
//   QUIPU_FUZZ_TARGET=record_batch build/fuzz/bin/quipu-fuzz FILE      one input again
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/logging.h"
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const quipu::fuzz::Target* const target = [] {
    // What the worlds of the unit tests expect counts here too.
    GTEST_FLAG_SET(break_on_failure, true);
    quipu::SetLogLevel(quipu::LogLevel::kError);
    const char* const name = std::getenv("QUIPU_FUZZ_TARGET");
    const quipu::fuzz::Target* found =
        quipu::fuzz::FindTarget(name == nullptr ? "" : absl::string_view(name));
    if (found == nullptr) {
      std::fprintf(stderr, "quipu-fuzz: QUIPU_FUZZ_TARGET must name one of:\n");
      for (const auto& each : quipu::fuzz::Targets()) {
        std::fprintf(stderr, "  %-36s %s\n", each.name.c_str(), each.what.c_str());
      }
      std::exit(2);
    }
    return found;
  }();
  target->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
