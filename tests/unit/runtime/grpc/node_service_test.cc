// Goal: a process tells who it is, its clock, its disk, and of each setting where it comes from.
// Method: settings read from all places, and a real server asked on 127.0.0.1.
#include "runtime/grpc/node_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "base/config/config_tables.h"
#include "base/version.h"
#include "runtime/grpc/unary_client.h"

namespace quipu {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

constexpr ConfigSpec kKeys[] = {
    {.name = "from.default", .type = ConfigType::kNumber, .fallback = "7", .high = 9},
    {.name = "from.file", .doc = "a text"},
    {.name = "from.environment", .effect = ConfigEffect::kRestartOrSet},
    {.name = "from.flag", .type = ConfigType::kBool, .fallback = "false", .unsafe = true},
};

std::vector<ConfigValue> Settings() {
  ConfigReader reader(kKeys);
  reader.LoadText("from.file=x\n", "node.conf");
  reader.LoadEnvironment({"QUIPU_FROM_ENVIRONMENT=y"});
  reader.Set("from.flag=true");
  return reader.values();
}

message::DescribeNodeResponse Described() {
  return DescribeNode({.role = "broker",
                       .node_id = 3,
                       .cluster_id = ClusterId(1, 2),
                       .directory_id = DirectoryId(3, 4),
                       .data_dir = "relative/../data",
                       .disk_free_bytes = 10,
                       .disk_total_bytes = 20,
                       .metrics_endpoint = "127.0.0.1:9400"},
                      Settings(), {{.key = "from.file", .problem = "is odd"}});
}

TEST(NodeServiceTest, EachSettingSaysWhereItComesFrom) {
  const message::DescribeNodeResponse node = Described();
  std::vector<std::string> origins;
  for (const message::StaticConfig& config : node.configs()) origins.push_back(config.origin());
  EXPECT_THAT(origins,
              ElementsAre("default", "node.conf:1", "environment QUIPU_FROM_ENVIRONMENT", "--set"));
  EXPECT_EQ(node.configs(0).source(), message::StaticConfig::FROM_DEFAULT);
  EXPECT_EQ(node.configs(1).source(), message::StaticConfig::FROM_FILE);
  EXPECT_EQ(node.configs(2).source(), message::StaticConfig::FROM_ENVIRONMENT);
  EXPECT_EQ(node.configs(3).source(), message::StaticConfig::FROM_FLAG);
  EXPECT_EQ(node.configs(0).value(), "7");
  EXPECT_TRUE(node.configs(1).needs_restart());
  EXPECT_FALSE(node.configs(2).needs_restart());
  EXPECT_FALSE(node.configs(0).unsafe());
  EXPECT_TRUE(node.configs(3).unsafe());
  EXPECT_THAT(node.config_warnings(), ElementsAre("from.file: is odd"));
}

TEST(NodeServiceTest, ItTellsWhoItIsWithAnAbsolutePathAndItsClock) {
  const auto micros = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const int64_t before = micros();
  const message::DescribeNodeResponse node = Described();
  EXPECT_LE(before, node.wall_clock_micros());
  EXPECT_LE(node.wall_clock_micros(), micros());
  EXPECT_EQ(node.version(), kVersion);
  EXPECT_EQ(node.cluster_id(), ClusterId(1, 2).ToBytes());
  EXPECT_THAT(node.data_dir(), StartsWith("/"));
  EXPECT_EQ(node.data_dir().find(".."), std::string::npos);
  EXPECT_EQ(node.disk_total_bytes(), 20);
}

TEST(NodeServiceTest, AServerAnswersWithWhatItIsGiven) {
  GrpcServer server({.name = "node"});
  AddNodeService(server, [](const auto& reply) { reply(Described()); });
  ASSERT_EQ(server.Start(), absl::OkStatus());
  CallThread calls;
  UnaryClient client(calls, "127.0.0.1", server.port());
  std::promise<absl::StatusOr<message::DescribeNodeResponse>> answer;
  client.Call<message::DescribeNodeRequest, message::DescribeNodeResponse>(
      "/quipu.rpc.Node/Describe", {}, std::chrono::seconds(5),
      [&](absl::StatusOr<message::DescribeNodeResponse> node) {
        answer.set_value(std::move(node));
      });
  const auto node = answer.get_future().get();
  ASSERT_TRUE(node.ok()) << node.status();
  EXPECT_EQ(node->node_id(), 3);
}

}  // namespace
}  // namespace quipu
