#include "runtime/grpc/grpc_setup.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "absl/synchronization/mutex.h"
#include "base/logging.h"

namespace quipu {
namespace {

void OnGrpcLog(gpr_log_func_args* line) {
  if (line->severity != GPR_LOG_SEVERITY_ERROR) return;
  LogWarn("grpc", {{"at", std::string(line->file) + ":" + std::to_string(line->line)},
                   {"message", line->message}});
}

// Its messages name fields and types, never contents. A fatal one ends the process afterwards.
void OnProtobufLog(google::protobuf::LogLevel level, const char* file, int line,
                   const std::string& message) {
  if (level == google::protobuf::LOGLEVEL_INFO) return;
  LogWarn("protobuf",
          {{"at", std::string(file) + ":" + std::to_string(line)}, {"message", message}});
}

}  // namespace

void RouteLibraryLogs() {
  gpr_set_log_function(&OnGrpcLog);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  google::protobuf::SetLogHandler(&OnProtobufLog);
}

void StopDeadlockSearch() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace quipu
