#include "runtime/grpc/grpc_log.h"

#include <grpc/support/log.h>

#include <string>

#include "base/logging.h"

namespace quipu {
namespace {

void OnGrpcLog(gpr_log_func_args* line) {
  if (line->severity != GPR_LOG_SEVERITY_ERROR) return;
  LogWarn("grpc", {{"at", std::string(line->file) + ":" + std::to_string(line->line)},
                   {"message", line->message}});
}

}  // namespace

void RouteGrpcLog() {
  gpr_set_log_function(&OnGrpcLog);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

}  // namespace quipu
