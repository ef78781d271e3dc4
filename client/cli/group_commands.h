// The verbs of `quipu group` that change something; each has its file.
#pragma once

#include "client/cli/cli.h"

namespace quipu::cli {

// `group offsets reset` and `group offsets delete`.
void AddGroupOffsetsCommands(CLI::App& group, Common& common);

}  // namespace quipu::cli
