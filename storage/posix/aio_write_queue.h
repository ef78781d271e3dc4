// Writes that the kernel carries out while their thread goes on.
#pragma once

#include <memory>

#include "storage/files.h"

namespace quipu {

// By the kernel's own AIO, which containers allow where they forbid io_uring.
// Takes files of SystemFiles() alone. Where the system has none left (fs.aio-max-nr) or does not
// know it: one whose writes are done before Begin returns, which is logged.
std::unique_ptr<WriteQueue> NewAioWriteQueue();

}  // namespace quipu
