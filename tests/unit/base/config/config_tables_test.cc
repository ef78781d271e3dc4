// Goal: the tables of settings are sound: what is written in them can be read, and by one name.
#include "base/config/config_tables.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/config/config_doc.h"

namespace quipu {
namespace {

TEST(ConfigTablesTest, EachDefaultIsValid) {
  for (const ConfigScope scope : kConfigScopes) {
    for (const ConfigSpec& spec : ConfigTableOf(scope)) {
      if (spec.fallback.empty()) continue;
      EXPECT_TRUE(IsValidConfig(spec, spec.fallback)) << spec.name << "=" << spec.fallback;
    }
  }
}

TEST(ConfigTablesTest, NamesAndVariablesAreUniqueWithinATable) {
  for (const ConfigScope scope : kConfigScopes) {
    std::set<std::string> variables;
    for (const ConfigSpec& spec : ConfigTableOf(scope)) {
      EXPECT_TRUE(variables.insert(EnvironmentName(spec.name)).second) << spec.name;
    }
  }
}

TEST(ConfigTablesTest, EachRowIsWhole) {
  for (const ConfigScope scope : kConfigScopes) {
    for (const ConfigSpec& spec : ConfigTableOf(scope)) {
      EXPECT_FALSE(spec.doc.empty()) << spec.name;
      const bool has_words = spec.type == ConfigType::kChoice || spec.type == ConfigType::kList;
      EXPECT_EQ(has_words, !spec.words.empty()) << spec.name;
      const bool has_range = spec.type == ConfigType::kNumber || spec.type == ConfigType::kDecimal;
      EXPECT_EQ(has_range, spec.low < spec.high) << spec.name;
      const bool is_time = spec.name.size() > 3 && spec.name.substr(spec.name.size() - 3) == ".ms";
      EXPECT_EQ(is_time, spec.unit == "ms") << spec.name;
      EXPECT_FALSE(spec.required && !spec.fallback.empty()) << spec.name;
      EXPECT_EQ(spec.unsafe, spec.name.substr(0, 13) == "quipu.unsafe.") << spec.name;
      EXPECT_EQ(spec.doc.find('|'), absl::string_view::npos) << spec.name;  // a table's column ends
    }
  }
}

TEST(ConfigTablesTest, ThePageHasEachKey) {
  const std::string page = ConfigurationPage();
  for (const ConfigScope scope : kConfigScopes) {
    for (const ConfigSpec& spec : ConfigTableOf(scope)) {
      EXPECT_NE(page.find("| `" + std::string(spec.name) + "` |"), std::string::npos) << spec.name;
    }
  }
}

TEST(ConfigSpecTest, TheNearestKeyIsTheOneWithTheFewestEdits) {
  EXPECT_EQ(NearestConfig(BrokerConfigTable(), "num.shard"), "num.shards");
  EXPECT_EQ(NearestConfig(TopicConfigTable(), "retention.sm"), "retention.ms");
  EXPECT_EQ(NearestConfig(ProducerConfigTable(), "linger"), "linger.ms");
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
  EXPECT_EQ(EditDistance("", "abc"), 3U);
}

TEST(ConfigSpecTest, ListsHaveKnownWordsOnce) {
  const ConfigSpec spec{.name = "key", .type = ConfigType::kList, .words = "a, b"};
  for (const char* good : {"a", "b", "a,b", "b, a"}) EXPECT_TRUE(IsValidConfig(spec, good)) << good;
  for (const char* bad : {"", "c", "a,", "a,,b", "a,a", "a b"}) {
    EXPECT_FALSE(IsValidConfig(spec, bad)) << bad;
  }
}

TEST(ConfigSpecTest, ReplicasAreAPartitionAndABroker) {
  const ConfigSpec spec{.name = "key", .type = ConfigType::kReplicas};
  for (const char* good : {"", "*", "0:1", "0:1,0:2, 3:2147483647"}) {
    EXPECT_TRUE(IsValidConfig(spec, good)) << good;
  }
  for (const char* bad :
       {"0", "0:", ":1", "0:1:2", "0:1,", "a:1", "-1:1", "0:2147483648", "*,0:1"}) {
    EXPECT_FALSE(IsValidConfig(spec, bad)) << bad;
  }
}

TEST(ConfigSpecTest, DecimalsAreWithinTheirRange) {
  const ConfigSpec spec{.name = "key", .type = ConfigType::kDecimal, .low = 0, .high = 1};
  for (const char* good : {"0", "0.5", "1", "1.0", "5e-1"}) EXPECT_TRUE(IsValidConfig(spec, good));
  for (const char* bad : {"", "1.1", "-0.1", "nan", "inf", "half"}) {
    EXPECT_FALSE(IsValidConfig(spec, bad)) << bad;
  }
}

TEST(ConfigSpecTest, WholeNumbersAreDigitsAlone) {
  int64_t value = 7;
  for (const char* bad :
       {"", "+1", " 1", "1 ", "1.0", "0x10", "--1", "9223372036854775808", "ten"}) {
    EXPECT_FALSE(ParseWholeNumber(bad, -10, kConfigHighMax, &value)) << bad;
  }
  EXPECT_EQ(value, 7);
  EXPECT_TRUE(ParseWholeNumber("-10", -10, 10, &value));
  EXPECT_EQ(value, -10);
  EXPECT_FALSE(ParseWholeNumber("11", -10, 10, &value));
}

}  // namespace
}  // namespace quipu
