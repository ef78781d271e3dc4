// Goal: advertised.listeners is read as Kafka's, and what nobody could connect to is refused.
#include "broker/process/advertised_listeners.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace quipu {
namespace {

TEST(AdvertisedListenersTest, NamesGoToTheirListeners) {
  const auto all = ParseAdvertisedListeners(
      " CLIENT://a.example:9092, kafka://[fd00::1]:9094,PEER://10.0.0.1:9093 ");
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->client, (HostPort{"a.example", 9092}));
  EXPECT_EQ(all->kafka, (HostPort{"fd00::1", 9094}));
  EXPECT_EQ(all->peer, (HostPort{"10.0.0.1", 9093}));
  EXPECT_EQ(*ParseAdvertisedListeners(""), AdvertisedListeners());
}

TEST(AdvertisedListenersTest, MistakesAreNamed) {
  const std::pair<absl::string_view, absl::string_view> kWrong[] = {
      {"host:9092", "has no NAME://"},
      {"PLAINTEXT://host:9092", "names no listener"},
      {"KAFKA://a:1,Kafka://b:2", "for the second time"},
      {"KAFKA://host", "has no address"},
      {"KAFKA://:9092", "has no address"},
      {"KAFKA://host:0", "others can connect to"},
      {"KAFKA://0.0.0.0:9092", "others can connect to"},
      {"KAFKA://[::]:9092", "others can connect to"},
      {"KAFKA://host:1,", "has no NAME://"},
  };
  for (const auto& [text, why] : kWrong) {
    const auto read = ParseAdvertisedListeners(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_TRUE(absl::StrContains(read.status().message(), why)) << read.status();
  }
}

}  // namespace
}  // namespace quipu
