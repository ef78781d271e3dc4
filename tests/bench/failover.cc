// How long partitions take no records when a broker is stopped.
//
//   quipu-bench-failover -b HOST:PORT,... --topic T --partitions 0,3,6 --pid PID [--signal 9]
//
// A record goes to each of the partitions; once all are acknowledged the signal is sent to the
// process, and at the same time the next record to each of them. How long those take to be
// acknowledged is what is measured. Prints JSON. Exit code 1: one was not.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "client/producer.h"

namespace quipu {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct Options {
  std::string bootstrap;
  std::string topic;
  std::vector<int32_t> partitions;
  pid_t pid = 0;
  int signal = SIGKILL;
  int patience_seconds = 60;
};

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "quipu-bench-failover: %s\n", why.c_str());
  std::_Exit(1);
}

// One record to each partition, and how long each took.
class Wave {
 public:
  Wave(const Options& options, Producer& producer) : options_(options), producer_(producer) {}

  void Send() {
    start_ = Clock::now();
    for (const int32_t partition : options_.partitions) {
      producer_.Send(
          {.topic = options_.topic, .partition = PartitionIndex(partition), .value = "x"},
          [this](const DeliveryResult& result) { OnResult(result); });
    }
  }

  // Milliseconds, ascending, once all are acknowledged.
  std::vector<double> Await() {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto all = [this] { return millis_.size() == options_.partitions.size(); };
    if (!wake_.wait_for(lock, std::chrono::seconds(options_.patience_seconds), all)) {
      Fail(std::to_string(options_.partitions.size() - millis_.size()) + " of " +
           std::to_string(options_.partitions.size()) + " records were not acknowledged in time");
    }
    std::sort(millis_.begin(), millis_.end());
    return millis_;
  }

 private:
  void OnResult(const DeliveryResult& result) {
    if (!result.ok()) Fail(result.ToStatus().ToString());
    const std::lock_guard<std::mutex> lock(mutex_);
    millis_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start_).count());
    wake_.notify_one();
  }

  const Options& options_;
  Producer& producer_;
  Clock::time_point start_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<double> millis_;  // under mutex_
};

void Run(const Options& options) {
  const auto producer =
      Producer::Create({{"bootstrap.servers", options.bootstrap}, {"linger.ms", "0"}});
  if (!producer.ok()) Fail(producer.status().ToString());
  for (int i = 0; i < 2; ++i) {  // the second is on open streams
    Wave before(options, **producer);
    before.Send();
    before.Await();
  }
  Wave after(options, **producer);
  if (::kill(options.pid, options.signal) != 0) Fail("the process cannot be sent the signal");
  after.Send();
  const std::vector<double> millis = after.Await();
  std::cout << Json{{"partitions", millis.size()},
                    {"first_ms", millis.front()},
                    {"median_ms", millis[millis.size() / 2]},
                    {"last_ms", millis.back()}}
                   .dump(2)
            << "\n";
}

int Main(int argc, char** argv) {
  CLI::App app("How long partitions take no records when a broker is stopped");
  Options options;
  app.add_option("-b,--bootstrap-server", options.bootstrap)->required();
  app.add_option("--topic", options.topic)->required();
  app.add_option("--partitions", options.partitions)->delimiter(',')->required();
  app.add_option("--pid", options.pid)->required()->check(CLI::PositiveNumber);
  app.add_option("--signal", options.signal)->check(CLI::Range(1, 31));
  app.add_option("--patience", options.patience_seconds, "Seconds")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  Run(options);
  return 0;
}

}  // namespace
}  // namespace quipu

int main(int argc, char** argv) { return quipu::Main(argc, argv); }
