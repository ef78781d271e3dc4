// New identities for clusters and directories.
#pragma once

#include "base/uuid.h"

namespace quipu::cli {

// From the system's random device.
Uuid RandomId();

}  // namespace quipu::cli
