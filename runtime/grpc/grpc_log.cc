#include "runtime/grpc/grpc_log.h"

#include <google/protobuf/stubs/logging.h>
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

}  // namespace quipu
