// quipu-chaos-client: the load of the chaos tests. Each mode writes what it does and sees to a
// file, a line of JSON for each event, in the form that quipu-history-check reads. A line is one
// write to the end of the file, so that a SIGKILL takes along no line that was told.
//
//   produce   sends transfers until SIGTERM, then waits for what is under way
//   consume   one member of a group, until SIGTERM
//   read      every partition from its start; --follow until SIGTERM, else up to the present ends
//   state     prints who leads what, once; no history
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/rng.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"

namespace quipu::chaos {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::atomic<bool> stopping{false};

struct Options {
  std::string bootstrap;
  std::string topic;
  std::string history;
  std::string group;
  std::string compression = "none";
  int delivery_timeout_ms = 60000;
  int padding = 0;
  int64_t process = 0;
  int64_t first_value = 0;
  double rate = 100;
  int accounts = 20;
  int in_flight_max = 2000;
  bool follow = false;
  int patience_seconds = 120;
};

class History {
 public:
  explicit History(const Options& options)
      : process_(options.process),
        fd_(open(options.history.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    QUIPU_CHECK_MSG(fd_ >= 0, "the history file cannot be opened");
  }
  ~History() { close(fd_); }
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // `fields`: what follows the common ones, each with its comma before it.
  void Add(const char* type, const char* what, const std::string& fields) {
    const int64_t time = Clock::now().time_since_epoch().count();
    const std::string line =
        absl::StrCat("{\"process\":", process_, ",\"time\":", time, ",\"type\":\"", type,
                     "\",\"f\":\"", what, "\"", fields, "}\n");
    QUIPU_CHECK_MSG(write(fd_, line.data(), line.size()) == static_cast<ssize_t>(line.size()),
                    "the history cannot be written");
  }

 private:
  const int64_t process_;
  const int fd_;
};

// A transfer between two accounts. The record's key is the account that pays.
struct Transfer {
  int64_t value = 0;
  std::string from;
  std::string to;
  int64_t amount = 0;

  [[nodiscard]] std::string Text() const {
    return absl::StrCat(value, " ", from, " ", to, " ", amount);
  }
  [[nodiscard]] std::string Fields() const {
    return absl::StrCat(",\"key\":\"", from, "\",\"value\":", value, ",\"from\":\"", from,
                        "\",\"to\":\"", to, "\",\"amount\":", amount);
  }
};

bool Parse(absl::string_view text, Transfer& transfer) {
  const std::vector<std::string> parts = absl::StrSplit(text, ' ');
  if (parts.size() < 4) return false;  // padding may follow
  transfer.from = parts[1];
  transfer.to = parts[2];
  return absl::SimpleAtoi(parts[0], &transfer.value) &&
         absl::SimpleAtoi(parts[3], &transfer.amount);
}

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "quipu-chaos-client: %s\n", std::string(status.message()).c_str());
  return 1;
}

int Produce(const Options& options) {
  History history(options);
  auto producer =
      Producer::Create({{"bootstrap.servers", options.bootstrap},
                        {"delivery.timeout.ms", absl::StrCat(options.delivery_timeout_ms)},
                        {"request.timeout.ms", "1500"},
                        {"compression.type", options.compression},
                        {"linger.ms", "5"}});
  if (!producer.ok()) return Fail(producer.status());
  Rng rng(static_cast<uint64_t>(options.process) + 1);
  const std::string padding(static_cast<size_t>(options.padding), '.');
  std::atomic<int> in_flight{0};
  const auto pause = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(1.0 / options.rate));
  Clock::time_point next = Clock::now();
  for (int64_t value = options.first_value; !stopping; next += pause) {
    std::this_thread::sleep_until(next);
    next = std::max(next, Clock::now() - milliseconds(100));  // no burst after a long wait
    if (in_flight >= options.in_flight_max) continue;
    Transfer transfer{.value = value++,
                      .from = absl::StrCat("a", rng.Below(static_cast<uint64_t>(options.accounts))),
                      .to = absl::StrCat("b", rng.Below(static_cast<uint64_t>(options.accounts))),
                      .amount = rng.Between(1, 10000)};
    history.Add("invoke", "transfer", transfer.Fields());
    ++in_flight;
    const std::string text = absl::StrCat(transfer.Text(), " ", padding);
    (*producer)->Send({.topic = options.topic, .key = transfer.from, .value = text},
                      [&history, &in_flight, transfer](const DeliveryResult& result) {
                        std::string fields = transfer.Fields();
                        if (result.partition.value() >= 0) {
                          absl::StrAppend(&fields, ",\"partition\":", result.partition.value());
                        }
                        if (result.ok() && result.offset != kNoOffset) {
                          absl::StrAppend(&fields, ",\"offset\":", result.offset.value());
                        }
                        const char* const type = result.ok()                          ? "ok"
                                                 : result.persisted == Persisted::kNo ? "fail"
                                                                                      : "info";
                        history.Add(type, "transfer", fields);
                        --in_flight;
                      });
  }
  const absl::Status closed = (*producer)->Close(std::chrono::seconds(options.patience_seconds));
  return closed.ok() ? 0 : Fail(closed);
}

// One event for each partition of a poll. False: a record that no producer of these tests made.
bool TellPoll(History& history, const std::vector<ConsumerRecord>& records) {
  std::map<int32_t, std::string> by_partition;
  for (const ConsumerRecord& record : records) {
    Transfer transfer;
    if (!Parse(record.value().value_or(absl::string_view()), transfer)) return false;
    std::string& list = by_partition[record.partition().value()];
    absl::StrAppend(&list, list.empty() ? "" : ",", "[", record.offset().value(), ",",
                    transfer.value, ",\"", transfer.from, "\",\"", transfer.to, "\",",
                    transfer.amount, "]");
  }
  for (const auto& [partition, list] : by_partition) {
    history.Add("ok", "poll",
                absl::StrCat(",\"partition\":", partition, ",\"records\":[", list, "]"));
  }
  return true;
}

void TellAssigned(History& history, int32_t partition, Offset offset) {
  history.Add("ok", "assign",
              absl::StrCat(",\"partition\":", partition,
                           ",\"offset\":", offset == kNoOffset ? 0 : offset.value()));
}

int Consume(const Options& options) {
  History history(options);
  auto consumer = Consumer::Create({{"bootstrap.servers", options.bootstrap},
                                    {"group.id", options.group},
                                    {"auto.offset.reset", "earliest"},
                                    {"default.api.timeout.ms", "5000"},
                                    {"request.timeout.ms", "5000"}});
  if (!consumer.ok()) return Fail(consumer.status());
  RebalanceListener listener;
  listener.on_assigned = [&history](const NamedOffsets& assigned) {
    for (const auto& [partition, committed] : assigned) {
      TellAssigned(history, partition.partition.value(), committed.offset);
    }
  };
  absl::Status status = (*consumer)->Subscribe({options.topic}, listener);
  if (!status.ok()) return Fail(status);
  while (!stopping) {
    const auto records = (*consumer)->Poll(milliseconds(200));
    if (!records.ok()) {  // not connected, or no coordinator for a while: it tries on by itself
      std::fprintf(stderr, "poll: %s\n", std::string(records.status().message()).c_str());
      std::this_thread::sleep_for(milliseconds(100));
      continue;
    }
    if (records->empty()) continue;
    if (!TellPoll(history, *records)) return Fail(absl::DataLossError("a foreign record"));
    status = (*consumer)->CommitSync();
    if (!status.ok()) {
      std::fprintf(stderr, "commit: %s\n", std::string(status.message()).c_str());
    }
  }
  status = (*consumer)->Close(std::chrono::seconds(10));
  if (!status.ok()) std::fprintf(stderr, "close: %s\n", std::string(status.message()).c_str());
  return 0;
}

int Read(const Options& options) {
  History history(options);
  auto consumer = Consumer::Create({{"bootstrap.servers", options.bootstrap},
                                    {"auto.offset.reset", "earliest"},
                                    {"default.api.timeout.ms", "60000"},
                                    {"request.timeout.ms", "5000"}});
  if (!consumer.ok()) return Fail(consumer.status());
  const auto partitions = (*consumer)->PartitionsOf(options.topic);
  if (!partitions.ok()) return Fail(partitions.status());
  const absl::Status assigned = (*consumer)->Assign(*partitions);
  if (!assigned.ok()) return Fail(assigned);
  std::map<int32_t, int64_t> left;  // partition -> end, not reached yet
  if (!options.follow) {
    const auto ends = (*consumer)->EndOffsets(*partitions);
    if (!ends.ok()) return Fail(ends.status());
    for (const auto& [partition, end] : *ends) {
      if (end.offset > Offset(0)) left[partition.partition.value()] = end.offset.value();
    }
  }
  for (const NamedPartition& partition : *partitions) {
    TellAssigned(history, partition.partition.value(), Offset(0));
  }
  const auto deadline = Clock::now() + std::chrono::seconds(options.patience_seconds);
  while (!stopping && (options.follow || !left.empty())) {
    const auto records = (*consumer)->Poll(milliseconds(200));
    if (!options.follow && Clock::now() > deadline) {
      return Fail(absl::DeadlineExceededError("the end of the log was not reached in time"));
    }
    if (!records.ok()) {
      // Anything but a lack of connection would be a loss: the log is never trimmed here.
      if (CodeOf(records.status()) != ErrorCode::kNotConnected) return Fail(records.status());
      continue;
    }
    if (!TellPoll(history, *records)) return Fail(absl::DataLossError("a foreign record"));
    for (const NamedPartition& partition : *partitions) {
      const auto position = (*consumer)->Position(partition);
      const auto end = left.find(partition.partition.value());
      if (position.ok() && end != left.end() && position->offset.value() >= end->second) {
        left.erase(end);
      }
    }
  }
  return 0;
}

// {"controller":1,"brokers":{"1":7,...},"partitions":[{"leader":2,"isr":[1,2],"replicas":[1,2]},
// ...]}: brokers with their epochs, -1 while fenced; -1 for a leader: nobody.
int State(const Options& options) {
  const auto admin = Admin::Create({{"bootstrap.servers", options.bootstrap},
                                    {"default.api.timeout.ms", "4000"},
                                    {"request.timeout.ms", "1000"}});
  if (!admin.ok()) return Fail(admin.status());
  const auto topic = (*admin)->DescribeTopic(options.topic);
  if (!topic.ok()) return Fail(topic.status());
  const auto cluster = (*admin)->DescribeCluster();
  if (!cluster.ok()) return Fail(cluster.status());
  const auto quorum = (*admin)->DescribeQuorum();
  std::string brokers;
  for (const message::BrokerInfo& broker : cluster->brokers()) {
    absl::StrAppend(&brokers, brokers.empty() ? "" : ",", "\"", broker.broker_id(),
                    "\":", broker.fenced() ? -1 : broker.broker_epoch());
  }
  std::string partitions;
  for (const message::PartitionInfo& partition : topic->partitions()) {
    absl::StrAppend(&partitions, partitions.empty() ? "" : ",", "{\"leader\":", partition.leader(),
                    ",\"isr\":[", absl::StrJoin(partition.isr(), ","), "],\"replicas\":[",
                    absl::StrJoin(partition.replicas(), ","), "]}");
  }
  std::printf("{\"controller\":%d,\"brokers\":{%s},\"partitions\":[%s]}\n",
              quorum.ok() ? quorum->leader_id() : -1, brokers.c_str(), partitions.c_str());
  return 0;
}

void AddCommon(CLI::App& verb, Options& options) {
  verb.add_option("-b,--bootstrap-server", options.bootstrap)->required();
  verb.add_option("--topic", options.topic)->required();
  verb.add_option("--history", options.history, "File that events are appended to")->required();
  verb.add_option("--process", options.process, "Number of this client in the history")->required();
  verb.add_option("--patience", options.patience_seconds, "Seconds that the end may take");
}

}  // namespace
}  // namespace quipu::chaos

int main(int argc, char** argv) {
  using namespace quipu::chaos;  // NOLINT: this file only
  struct sigaction stop{};
  stop.sa_handler = [](int) { stopping = true; };
  sigaction(SIGTERM, &stop, nullptr);
  Options options;
  CLI::App app{"The load of the chaos tests.", "quipu-chaos-client"};
  app.require_subcommand(1);
  CLI::App* produce = app.add_subcommand("produce", "Send transfers until SIGTERM");
  AddCommon(*produce, options);
  produce->add_option("--first-value", options.first_value, "Values count up from it")->required();
  produce->add_option("--rate", options.rate, "Transfers per second")->check(CLI::PositiveNumber);
  produce->add_option("--compression", options.compression);
  produce->add_option("--delivery-timeout", options.delivery_timeout_ms, "Milliseconds");
  produce->add_option("--padding", options.padding, "Bytes that each record is longer")
      ->check(CLI::Range(0, 100000));
  CLI::App* consume = app.add_subcommand("consume", "A member of a group, until SIGTERM");
  AddCommon(*consume, options);
  consume->add_option("--group", options.group)->required();
  CLI::App* read = app.add_subcommand("read", "Every partition from its start");
  AddCommon(*read, options);
  read->add_flag("--follow", options.follow, "Go on until SIGTERM");
  CLI::App* state = app.add_subcommand("state", "Who leads what");
  state->add_option("-b,--bootstrap-server", options.bootstrap)->required();
  state->add_option("--topic", options.topic)->required();
  CLI11_PARSE(app, argc, argv);
  if (*state) return State(options);
  if (*produce) return Produce(options);
  return *consume ? Consume(options) : Read(options);
}
