// Goal: a broker's configuration is read whole, and what is wrong in it is named.
#include "broker/process/broker_settings.h"

#include <gtest/gtest.h>

#include "base/error_code.h"

namespace quipu {
namespace {

const std::vector<std::string> kSound = {
    "log.dir=/tmp/x", "listener.client=127.0.0.1:0", "listener.peer=127.0.0.1:0",
    "controller.quorum.bootstrap.servers=127.0.0.1:9093,localhost:9094"};

absl::StatusOr<BrokerSettings> Load(std::vector<std::string> more) {
  std::vector<std::string> all = kSound;
  all.insert(all.end(), more.begin(), more.end());
  return LoadBrokerSettings("", all);
}

TEST(BrokerSettingsTest, ListenersAndControllersAreRead) {
  const auto settings = Load({"listener.client=127.0.0.1:9092", "broker.id=3", "num.shards=5"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->client_listener, (HostPort{"127.0.0.1", 9092}));
  ASSERT_EQ(settings->node.controllers.size(), 2U);
  EXPECT_EQ(settings->node.controllers[1], (HostPort{"localhost", 9094}));
  EXPECT_EQ(settings->broker_id, 3);
  EXPECT_EQ(settings->node.num_shards, 5U);
}

TEST(BrokerSettingsTest, MillisecondsBecomeDurations) {
  const auto settings = Load({"replica.lag.time.max.ms=1500"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->node.partition.replica_lag_max, std::chrono::milliseconds(1500));
}

TEST(BrokerSettingsTest, SettingsOfClassicGroupsAreReadAndFitTogether) {
  const auto settings =
      Load({"group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=100",
            "group.max.session.timeout.ms=200", "group.max.size=7"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->node.group_initial_rebalance_delay, Duration::zero());
  EXPECT_EQ(settings->node.classic_session_timeout_min, std::chrono::milliseconds(100));
  EXPECT_EQ(settings->node.classic_session_timeout_max, std::chrono::milliseconds(200));
  EXPECT_EQ(settings->node.classic_group_size_max, 7);
  const auto refused = Load({"group.max.session.timeout.ms=5999"});
  EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kInvalidConfig);
  EXPECT_NE(refused.status().message().find("group.min.session.timeout.ms=6000 is too long"),
            absl::string_view::npos);
}

TEST(BrokerSettingsTest, AListenerBeyondThisMachineNeedsTheUnsafeKey) {
  for (const char* listener : {"listener.client=0.0.0.0:1", "listener.peer=10.0.0.1:1",
                               "listener.client=[::]:1", "listener.peer=example.org:1"}) {
    const auto refused = Load({listener});
    ASSERT_FALSE(refused.ok()) << listener;
    EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kInvalidConfig);
    EXPECT_NE(refused.status().message().find("quipu.unsafe.plaintext.network"),
              absl::string_view::npos);
    EXPECT_TRUE(Load({listener, "quipu.unsafe.plaintext.network=true",
                      "advertised.listeners=CLIENT://a:1,PEER://a:2"})
                    .ok());
  }
  EXPECT_TRUE(Load({"listener.client=[::1]:1", "listener.peer=127.1.2.3:1"}).ok());
}

TEST(BrokerSettingsTest, EveryAddressOfTheMachineIsNotToldToOthers) {
  const std::vector<std::string> wildcard = {"listener.kafka=0.0.0.0:9094",
                                             "quipu.unsafe.plaintext.network=true"};
  const auto refused = Load(wildcard);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("KAFKA://HOST:PORT"), absl::string_view::npos);
  auto told = wildcard;
  told.emplace_back("advertised.listeners=KAFKA://pay.example:9094");
  const auto settings = Load(told);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->advertised.kafka, (HostPort{"pay.example", 9094}));
  EXPECT_FALSE(Load({"advertised.listeners=KAFKA://pay.example:9094"}).ok());  // no such listener
  EXPECT_FALSE(Load({"advertised.listeners=9094"}).ok());
}

TEST(BrokerSettingsTest, TheLogsQueueTakesAllThatTheShardsMayAccept) {
  const auto settings = Load({"num.shards=63", "quipu.unsynced.tail.bytes.max=1073741824"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_GT(LogQueueBytesMax(settings->node), size_t{63} << 30);
}

TEST(BrokerSettingsTest, ControllersWithoutPortAreRefused) {
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:1,", "a:1;b:2"}) {
    EXPECT_FALSE(Load({std::string("controller.quorum.bootstrap.servers=") + bad}).ok()) << bad;
  }
}

TEST(BrokerSettingsTest, EachRequiredKeyIsMissedByName) {
  for (size_t i = 0; i < kSound.size(); ++i) {
    std::vector<std::string> some = kSound;
    const std::string key = some[i].substr(0, some[i].find('='));
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(i));
    const auto settings = LoadBrokerSettings("", some);
    ASSERT_FALSE(settings.ok());
    EXPECT_NE(settings.status().message().find(key + " is missing"), absl::string_view::npos)
        << settings.status();
  }
}

TEST(BrokerSettingsTest, ABadClusterIdIsRefused) {
  EXPECT_FALSE(Load({"cluster.id=abc"}).ok());
  EXPECT_TRUE(Load({"cluster.id=000102030405060708090a0b0c0d0e0f"}).ok());
}

}  // namespace
}  // namespace quipu
