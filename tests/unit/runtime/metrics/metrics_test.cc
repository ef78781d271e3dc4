// Goal: the table is sound, a scrape tells exactly what was gathered, and a thread that does not
// answer delays nobody and is asked once. Method: the real endpoint on 127.0.0.1, read over a
// socket.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <regex>
#include <set>
#include <string>

#include "base/config/config_tables.h"
#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/metrics/gatherer.h"
#include "runtime/metrics/metrics_server.h"
#include "runtime/metrics/metrics_settings.h"

namespace quipu {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Get(uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
    answer.append(buffer, static_cast<size_t>(got));
  }
  close(fd);
  return answer;
}

TEST(MetricTable, NamesAreUniqueAndWellFormed) {
  std::set<std::string> names;
  const std::regex form("[a-z][a-z0-9_]*");
  for (const MetricDefinition& metric : MetricTable()) {
    for (const absl::string_view view : {metric.name, metric.alias}) {
      const std::string name(view);
      if (name.empty()) continue;
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_TRUE(std::regex_match(name, form)) << name;
    }
    const std::string name(metric.name);
    EXPECT_EQ(name.ends_with("_total"), metric.type == MetricType::kCounter) << name;
    EXPECT_FALSE(metric.help.empty()) << name;
    if (metric.owner != MetricOwner::kLibrary) {
      EXPECT_TRUE(name.starts_with("quipu_")) << name;
    }
    EXPECT_EQ(FindMetric(metric.name), &metric);
  }
  EXPECT_EQ(FindMetric("quipu_nothing"), nullptr);
}

TEST(MetricsServer, TellsRowsAliasesAndCumulativeBuckets) {
  auto server = MetricsServer::Start("127.0.0.1", 0, [] {
    MetricSet set;
    set.Family("quipu_group_lag_records").Add({"g\"1", "t", "3"}, 17);
    Histogram histogram(kLatencyBounds);
    histogram.Observe(std::chrono::microseconds(200));
    histogram.Observe(std::chrono::milliseconds(20));
    set.Family("quipu_produce_seconds").Add({"sync"}, histogram);
    (void)set.Family("quipu_topic_partitions");  // without a row: not told
    return set;
  });
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string text = Get((*server)->port(), "/metrics");
  EXPECT_THAT(text, HasSubstr("# TYPE quipu_group_lag_records gauge"));
  EXPECT_THAT(text,
              HasSubstr(R"(quipu_group_lag_records{group="g\"1",topic="t",partition="3"} 17)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(kafka_consumergroup_lag{consumergroup="g\"1",topic="t",partition="3"} 17)"));
  EXPECT_THAT(text, HasSubstr("# TYPE quipu_produce_seconds histogram"));
  EXPECT_THAT(text, HasSubstr(R"(quipu_produce_seconds_count{stage="sync"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(quipu_produce_seconds_bucket{stage="sync",le="0.01"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(quipu_produce_seconds_bucket{stage="sync",le="+Inf"} 2)"));
  EXPECT_THAT(text, Not(HasSubstr("quipu_topic_partitions")));
  EXPECT_THAT(Get((*server)->port(), "/other"), HasSubstr("404"));
}

TEST(MetricsServer, APortThatIsTakenIsToldWithWhatToDo) {
  const auto source = [] { return MetricSet(); };
  auto first = MetricsServer::Start("127.0.0.1", 0, source);
  ASSERT_TRUE(first.ok());
  auto second = MetricsServer::Start("127.0.0.1", (*first)->port(), source);
  EXPECT_EQ(CodeOf(second.status()), ErrorCode::kStorageError);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("ss -ltnp"));
}

TEST(MetricSet, AMisfitIsAFailedCheck) {
  MetricSet set;
  EXPECT_DEATH(set.Set("quipu_nothing", 1), "not in the table");
  EXPECT_DEATH(set.Family("quipu_topic_partitions").Add({}, 1), "labels");
}

TEST(Gatherer, AThreadThatDoesNotAnswerIsToldAsBeforeAndAskedOnce) {
  Gatherer<int> gatherer(2);
  int asked = 0;
  Gatherer<int>::Done late;
  bool silent = false;
  const auto ask = [&](size_t i, Gatherer<int>::Done done) {
    if (i == 1) ++asked;
    if (i == 1 && silent) {
      late = std::move(done);
    } else {
      done(10 * asked + static_cast<int>(i));
    }
  };
  auto first = gatherer.Gather(std::chrono::seconds(10), ask);
  EXPECT_EQ(first.incomplete, 0U);
  EXPECT_EQ(*first.newest[1], 11);
  silent = true;
  for (int i = 0; i < 3; ++i) {
    auto again = gatherer.Gather(std::chrono::milliseconds(1), ask);
    EXPECT_EQ(again.incomplete, 1U);
    EXPECT_EQ(*again.newest[1], 11);
    EXPECT_EQ(asked, 2);
  }
  late(99);
  silent = false;
  const auto last = gatherer.Gather(std::chrono::seconds(10), ask);
  EXPECT_EQ(last.incomplete, 0U);
  EXPECT_EQ(asked, 3);
}

TEST(Gatherer, AnAnswerAfterItsEndDoesNothing) {
  Gatherer<int>::Done late;
  {
    Gatherer<int> gatherer(1);
    const auto result = gatherer.Gather(
        Duration(0), [&](size_t, Gatherer<int>::Done done) { late = std::move(done); });
    EXPECT_EQ(result.newest[0], nullptr);
  }
  late(1);
}

TEST(MetricsSettings, AListenerBeyondThisMachineNeedsTheUnsafeSetting) {
  const auto problems = [](const std::string& listener, bool unsafe) {
    ConfigReader reader(BrokerConfigTable());
    reader.Set("metrics.listener=" + listener);
    const MetricsSettings settings = ReadMetricsSettings(reader, /*of_broker=*/true);
    CheckMetricsListener(reader, settings, unsafe);
    EXPECT_EQ(settings.on(), !listener.empty() && listener != "nowhere");
    return reader.problems().size();
  };
  EXPECT_EQ(problems("0.0.0.0:9400", false), 1U);
  EXPECT_EQ(problems("0.0.0.0:9400", true), 0U);
  EXPECT_EQ(problems("127.0.0.1:0", false), 0U);
  EXPECT_EQ(problems("nowhere", false), 1U);
  EXPECT_EQ(problems("", false), 0U);
}

}  // namespace
}  // namespace quipu
