// What the tests of streams use to wait and to look.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/raw_stream.h"

namespace quipu {

// Waits on a condition over state that its own mutex guards. Long waits end in a failure, not in a
// hang; no test passes by the time running out.
class Gate {
 public:
  template <typename Change>
  void Update(Change change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    change();
    wake_.notify_all();
  }
  template <typename Condition>
  [[nodiscard]] bool Await(Condition condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(60), condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
};

// One end of a stream: collects what comes.
struct StreamProbe {
  Gate gate;
  std::vector<Bytes> messages;
  bool closed = false;
  absl::Status status;
  bool opened = false;
  std::unique_ptr<RawSender> sender;

  StreamProbe() = default;
  StreamProbe(const StreamProbe&) = delete;
  StreamProbe& operator=(const StreamProbe&) = delete;
  // The handler refers to this object until its on_closed has been.
  ~StreamProbe() {
    sender.reset();
    EXPECT_TRUE(!opened || AwaitClosed());
  }

  RawHandler Handler() {
    opened = true;
    return RawHandler{.on_message =
                          [this](Bytes message) {
                            gate.Update([&] {
                              EXPECT_FALSE(closed) << "a message after on_closed";
                              messages.push_back(std::move(message));
                            });
                            return absl::OkStatus();
                          },
                      .on_closed =
                          [this](absl::Status reason) {
                            gate.Update([&] {
                              EXPECT_FALSE(closed) << "on_closed twice";
                              closed = true;
                              status = std::move(reason);
                            });
                          }};
  }
  [[nodiscard]] bool AwaitMessages(size_t count) {
    return gate.Await([&] { return messages.size() >= count; });
  }
  [[nodiscard]] bool AwaitClosed() {
    return gate.Await([&] { return closed; });
  }
};

}  // namespace quipu
