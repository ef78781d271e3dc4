#include "storage/posix/aio_write_queue.h"

#include <libaio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "storage/posix/posix_file.h"
#include "storage/posix/posix_open_file.h"

namespace quipu {
namespace {

class AioWriteQueue final : public WriteQueue {
 public:
  explicit AioWriteQueue(io_context_t context) : context_(context) {}
  // Waits for what is under way.
  ~AioWriteQueue() override { io_destroy(context_); }
  AioWriteQueue(const AioWriteQueue&) = delete;
  AioWriteQueue& operator=(const AioWriteQueue&) = delete;

  absl::Status Begin(size_t slot, OpenFile& file, uint64_t position,
                     absl::string_view bytes) override {
    Slot& s = slots_.at(slot);
    QUIPU_CHECK_MSG(s.file == nullptr, "a slot of a write queue has a write under way");
    s.file = static_cast<PosixOpenFile*>(&file);
    s.position = position;
    s.bytes = bytes;
    // The kernel only reads there.
    io_prep_pwrite(&s.request, s.file->descriptor(), const_cast<char*>(bytes.data()), bytes.size(),
                   static_cast<long long>(position));
    s.request.data = &s;
    iocb* request = &s.request;
    if (io_submit(context_, 1, &request) != 1) {  // not begun: done here, or what hinders it
      s.file = nullptr;
      return file.WriteAt(position, bytes);
    }
    s.under_way = true;
    return absl::OkStatus();
  }

  absl::Status Finish(size_t slot) override {
    Slot& s = slots_.at(slot);
    if (s.file == nullptr) return absl::OkStatus();
    while (s.under_way) {
      std::array<io_event, kSlots> events = {};
      const int count = io_getevents(context_, 1, events.size(), events.data(), nullptr);
      if (count == -EINTR) continue;
      QUIPU_CHECK_MSG(count > 0, strerror(-count));  // never with a context and room of our own
      for (int i = 0; i < count; ++i) {
        const io_event& event = events[static_cast<size_t>(i)];
        Slot& done = *static_cast<Slot*>(event.data);
        done.under_way = false;
        done.result = static_cast<long>(event.res);
      }
    }
    PosixOpenFile& file = *std::exchange(s.file, nullptr);
    if (s.result < 0 && s.result != -EINTR) {
      errno = static_cast<int>(-s.result);
      return FileError("cannot write", file.path());
    }
    // As after a write() that was cut short: the rest, by whole blocks, or what hinders it.
    const auto written = static_cast<size_t>(std::max(s.result, 0L));
    if (written == s.bytes.size()) return absl::OkStatus();
    const size_t whole = written - written % kDirectAlignment;
    return file.WriteAt(s.position + whole, s.bytes.substr(whole));
  }

 private:
  struct Slot {
    iocb request = {};
    PosixOpenFile* file = nullptr;  // of a write that is not finished
    uint64_t position = 0;
    absl::string_view bytes;
    bool under_way = false;
    long result = 0;  // bytes; below 0: an errno
  };

  const io_context_t context_;
  std::array<Slot, kSlots> slots_;
};

}  // namespace

std::unique_ptr<WriteQueue> NewAioWriteQueue() {
  io_context_t context = nullptr;
  const int made = io_setup(WriteQueue::kSlots, &context);
  if (made == 0) return std::make_unique<AioWriteQueue>(context);
  LogWarn("storage.no_aio", {{"error", strerror(-made)},
                             {"effect", "one write at a time"},
                             {"see", "/proc/sys/fs/aio-nr and aio-max-nr"}});
  return std::make_unique<WriteQueue>();
}

}  // namespace quipu
