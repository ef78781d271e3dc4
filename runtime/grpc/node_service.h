// The service Node: what a process tells of itself, the same for brokers and controllers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/config/config_reader.h"
#include "base/ids.h"
#include "proto/message/node.pb.h"
#include "runtime/grpc/server.h"

namespace quipu {

// What of a process stands in no setting.
struct NodeFacts {
  std::string role;  // broker or controller
  int32_t node_id = -1;
  ClusterId cluster_id;
  DirectoryId directory_id;
  std::string data_dir;          // as it was given; told as an absolute path
  int64_t disk_free_bytes = -1;  // -1, these two: could not be measured
  int64_t disk_total_bytes = -1;
  std::string metrics_endpoint;  // host:port; empty: there is none
};

// `facts` with this process's version, clock and age, and every setting of `configs` with the place
// that it comes from. The part that brokers alone tell is left empty.
message::DescribeNodeResponse DescribeNode(const NodeFacts& facts,
                                           const std::vector<ConfigValue>& configs,
                                           const std::vector<ConfigWarning>& warnings);

// Answers with what `describe` gives to its argument, once, from any thread; it is called on a
// listener's thread and must not block. Call it before `server` is bound.
void AddNodeService(
    GrpcServer& server,
    std::function<void(std::function<void(message::DescribeNodeResponse)>)> describe);

}  // namespace quipu
