// Handles every record before its offset is committed: after a crash some come again, none is
// missed. Handling must bear a repetition.
//   at_least_once SERVERS TOPIC GROUP COUNT     prints COUNT records, then ends
#include <cstdlib>
#include <iostream>

#include "client/consumer.h"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  auto consumer = quipu::Consumer::Create({{"bootstrap.servers", argv[1]}, {"group.id", argv[3]}});
  if (!consumer.ok()) return std::cerr << consumer.status() << "\n", 1;
  absl::Status status = (*consumer)->Subscribe({argv[2]});
  for (int left = std::atoi(argv[4]); status.ok() && left > 0;) {
    auto records = (*consumer)->Poll(std::chrono::milliseconds(500));
    if (!records.ok()) return std::cerr << records.status() << "\n", 1;
    for (const quipu::ConsumerRecord& record : *records) {
      std::cout << record.value().value_or("") << std::endl;  // the handling; std::endl flushes
      --left;
    }
    if (!records->empty()) status = (*consumer)->CommitSync();
  }
  if (!status.ok()) return std::cerr << status << "\n", 1;
  return (*consumer)->Close().ok() ? 0 : 1;
}
