// One connection of a Kafka client with small requests at a rate, and how long each took.
//
//   quipu-kafka-latency ADDRESS PORT TOPIC RATE RECORDS
//
// ADDRESS (IPv4) and PORT are the Kafka listener of the broker that leads partition 0 of TOPIC.
// Each record is a Produce request (acks=all) of its own, sent when it is due whatever is still to
// be answered (open loop); latency counts from when it was due. Prints JSON. Exit code 1: a request
// failed.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "base/big_endian.h"
#include "base/measure/latency.h"
#include "core/kafka/log/produce.h"
#include "core/kafka/message.h"
#include "core/record/record_batch_builder.h"

namespace quipu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int16_t kVersion = 9;
constexpr size_t kValueBytes = 100;
constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};

[[noreturn]] void Fail(const std::string& why) {
  std::cerr << why << "\n";
  std::exit(1);
}

int Connect(const std::string& address, uint16_t port) {
  const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  const bool connected = inet_pton(AF_INET, address.c_str(), &to.sin_addr) == 1 &&
                         ::connect(connection, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  if (!connected) Fail(address + " cannot be connected to");
  return connection;
}

void SendAll(int connection, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) Fail("the broker takes nothing");
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string Request(const std::string& topic, int32_t number) {
  RecordBatchBuilder builder({});
  builder.Add({.timestamp = TimestampMs(number), .value = std::string(kValueBytes, 'x')});
  kafka::ProduceRequest request{.acks = -1, .timeout_ms = 10000};
  request.topic_data = {
      {.name = topic,
       .partition_data = {{.index = PartitionIndex(0),
                           .records = {.is_null = false, .slices = {builder.Build()}}}}}};
  return Joined(kafka::EncodeRequest(request, kVersion, number, "quipu-kafka-latency"));
}

// The next answer in `received`, which must be that to `number` and without error; false: more
// bytes are needed.
bool TakeAnswer(std::string& received, int32_t number) {
  if (received.size() < sizeof(int32_t)) return false;
  const auto size = static_cast<size_t>(LoadBigEndian<int32_t>(received.data()));
  if (received.size() < sizeof(int32_t) + size) return false;
  const Bytes frame(received.substr(sizeof(int32_t), size));
  received.erase(0, sizeof(int32_t) + size);
  if (LoadBigEndian<int32_t>(frame.data()) != number) Fail("an answer out of order");
  const auto response = kafka::Decode<kafka::ProduceResponse>(frame, 5, kVersion);
  if (!response.ok()) Fail(response.status().ToString());
  const ErrorCode error = response->responses.at(0).partition_responses.at(0).error_code;
  if (error != ErrorCode::kNone) Fail(std::string(ErrorName(error)));
  return true;
}

void Run(const std::string& address, uint16_t port, const std::string& topic, int64_t rate,
         int32_t records) {
  const int connection = Connect(address, port);
  const Clock::time_point start = Clock::now() + std::chrono::milliseconds(10);
  const auto due = [&](int32_t number) {
    return start + std::chrono::nanoseconds(int64_t{1000000000} * number / rate);
  };
  std::thread sender([&] {
    for (int32_t number = 0; number < records; ++number) {
      const std::string request = Request(topic, number);
      std::this_thread::sleep_until(due(number));
      SendAll(connection, request);
    }
  });
  LatencyHistogram latencies;
  std::string received;
  std::array<char, 65536> part{};
  for (int32_t number = 0; number < records;) {
    const ssize_t size = ::recv(connection, part.data(), part.size(), 0);
    if (size <= 0) Fail("the broker ended the connection, or is silent");
    received.append(part.data(), static_cast<size_t>(size));
    for (; number < records && TakeAnswer(received, number); ++number) {
      latencies.Add(Clock::now() - due(number));
    }
  }
  sender.join();
  ::close(connection);
  const LatencySummary summary = latencies.Summary();
  std::printf("{\"records\": %d, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p99_9_ms\": %.3f}\n",
              records, ToExactMillis(summary.p50), ToExactMillis(summary.p99),
              ToExactMillis(summary.p999));
}

}  // namespace
}  // namespace quipu

int main(int argc, char** argv) {
  int32_t port = 0;
  int64_t rate = 0;
  int32_t records = 0;
  if (argc != 6 || !absl::SimpleAtoi(argv[2], &port) || !absl::SimpleAtoi(argv[4], &rate) ||
      !absl::SimpleAtoi(argv[5], &records) || rate < 1 || records < 1 || port < 1 || port > 65535) {
    std::cerr << "usage: quipu-kafka-latency ADDRESS PORT TOPIC RATE RECORDS\n";
    return 2;
  }
  quipu::Run(argv[1], static_cast<uint16_t>(port), argv[3], rate, records);
  return 0;
}
