// A server of the chain: leader and follower are the same, but for who is behind them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/floor/chain.h"
#include "tests/bench/floor/raw_journal.h"

namespace quipu::floor {

// Takes the stream from `upstream`, passes it on to each of `downstreams`, writes it to the
// journal, and tells upstream the position up to which it and all behind it have it durable. Ends
// when upstream closes. The bytes lie in one ring, from which they are sent and written.
class Node {
 public:
  // `journal_path` empty: what is received counts as durable.
  Node(const ChainOptions& options, const std::string& journal_path, int upstream,
       std::vector<int> downstreams);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void Run();
  // After Run.
  [[nodiscard]] NodeUse Use() const;

 private:
  struct Downstream {
    int connection;
    uint64_t sent = 0;     // position
    uint64_t has = 0;      // durable there
    bool blocked = false;  // its socket is full
  };

  bool Receive();  // false: upstream has closed
  void PassOn(Downstream& downstream);
  void HearOf(Downstream& downstream);
  void Acknowledge();
  [[nodiscard]] uint64_t OldestNeeded() const;
  void Commit();  // the committer's thread
  void WriteGroup(uint64_t from, uint64_t bytes);

  const size_t batch_bytes_;
  const int upstream_;
  std::vector<Downstream> downstreams_;
  char* const ring_;
  std::atomic<uint64_t> received_{0};
  std::atomic<uint64_t> durable_{0};
  std::atomic<bool> ending_{false};
  uint64_t told_ = 0;
  std::unique_ptr<RawJournal> journal_;
  char* group_ = nullptr;  // for batches that are no whole blocks
  int durable_event_ = -1;
  std::thread committer_;
};

}  // namespace quipu::floor
