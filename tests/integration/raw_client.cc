// Sends bytes that no client of Quipu would send: one message per line of standard input, in
// hexadecimal digits, over a gRPC method of the caller's choice.
//
//   quipu-raw-client HOST PORT METHOD unary|stream MILLISECONDS
//
// Prints what comes back, one per line: `answer HEX`, then `end CODE text` of the call. A stream
// ends when the server ends it, when as many answers as messages have come, or with the time.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "runtime/grpc/stream_client.h"
#include "runtime/grpc/unary_client.h"

namespace quipu {
namespace {

// What came back; filled on the call thread.
class Answers {
 public:
  void Add(const Bytes& answer) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::printf("answer %s\n", absl::BytesToHexString(answer.view()).c_str());
    ++count_;
    changed_.notify_all();
  }
  void End(const absl::Status& status) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::printf("end %d %s\n", static_cast<int>(status.code()),
                std::string(status.message()).c_str());
    ended_ = true;
    changed_.notify_all();
  }
  // Until the call has ended or so many answers have come.
  void Await(size_t answers, std::chrono::milliseconds limit) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return ended_ || count_ >= answers; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
  bool ended_ = false;
};

void CallUnary(CallThread& calls, const StreamTarget& target, const std::vector<std::string>& sent,
               std::chrono::milliseconds limit, const std::shared_ptr<Answers>& answers) {
  UnaryClient client(calls, target.host, target.port);
  client.CallRaw(target.method, Bytes(sent.empty() ? "" : sent[0]), limit,
                 [answers](absl::StatusOr<Bytes> answer) {
                   if (answer.ok()) answers->Add(*answer);
                   answers->End(answer.status());
                 });
  answers->Await(2, limit);  // its end, which comes with the answer
}

void CallStream(CallThread& calls, const StreamTarget& target, const std::vector<std::string>& sent,
                std::chrono::milliseconds limit, const std::shared_ptr<Answers>& answers) {
  const auto sender =
      OpenRawStream(calls, target,
                    {.on_message =
                         [answers](const Bytes& answer) {
                           answers->Add(answer);
                           return absl::OkStatus();
                         },
                     .on_closed = [answers](const absl::Status& status) { answers->End(status); }});
  for (const std::string& message : sent) sender->Send({Bytes(message)});
  answers->Await(sent.size(), limit);
}

int Run(char** argv) {
  const StreamTarget target{
      .host = argv[1], .port = static_cast<uint16_t>(std::atoi(argv[2])), .method = argv[3]};
  const bool unary = std::string(argv[4]) == "unary";
  const std::chrono::milliseconds limit(std::atoi(argv[5]));
  std::vector<std::string> messages;
  std::string line;
  while (std::getline(std::cin, line)) messages.push_back(absl::HexStringToBytes(line));
  const auto answers = std::make_shared<Answers>();
  CallThread calls;
  if (unary) {
    CallUnary(calls, target, messages, limit, answers);
  } else {
    CallStream(calls, target, messages, limit, answers);
  }
  return 0;
}

}  // namespace
}  // namespace quipu

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fputs("usage: quipu-raw-client HOST PORT METHOD unary|stream MILLISECONDS\n", stderr);
    return 2;
  }
  return quipu::Run(argv);
}
