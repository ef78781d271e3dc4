// Sends each line of standard input, "account:amount", as a payment of that account.
//   idempotent_producer SERVERS TOPIC < payments
#include <atomic>
#include <iostream>
#include <string>

#include "client/producer.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto producer = quipu::Producer::Create({{"bootstrap.servers", argv[1]}});
  if (!producer.ok()) return std::cerr << producer.status() << "\n", 1;
  std::atomic<int> failed = 0;
  for (std::string line; failed == 0 && std::getline(std::cin, line);) {
    const std::string account = line.substr(0, line.find(':'));
    (*producer)->Send({.topic = argv[2], .key = account, .value = line}, [&](const auto& result) {
      // After a failure, "yes", "no" or "unknown" says whether the record is in the log.
      if (result.ok()) return;
      std::cerr << result.message << ", persisted: " << PersistedName(result.persisted) << "\n";
      ++failed;
    });
  }
  return (*producer)->Close(std::chrono::seconds(30)).ok() && failed == 0 ? 0 : 1;
}
