// Goal: `quipu doctor` says of each thing that can be wrong that it is, which, and what to do, and
// of nothing else. Method: the facts of a cluster that is well, with one of them changed in each
// test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "client/cli/doctor/report.h"

namespace quipu::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kVersion[] = "1.2.3";
const std::string kCluster(16, 'c');

std::string AddressOf(int id) { return absl::StrCat("10.0.0.", id, ":9092"); }

AddressAnswer NodeAt(const std::string& address, const std::string& role, int id) {
  AddressAnswer answer;
  answer.address = address;
  answer.round_trip = std::chrono::milliseconds(2);
  message::DescribeNodeResponse& node = answer.node.emplace();
  node.set_role(role);
  node.set_node_id(id);
  node.set_cluster_id(kCluster);
  node.set_version(kVersion);
  node.set_data_dir("/data");
  node.set_disk_free_bytes(int64_t{50} << 30);
  node.set_disk_total_bytes(int64_t{100} << 30);
  node.set_ballast_bytes(128 << 20);
  node.set_ballast_bytes_wanted(128 << 20);
  return answer;
}

AddressAnswer Nobody(const std::string& address) {
  AddressAnswer answer;
  answer.address = address;
  answer.status = ToStatus(ErrorCode::kNotConnected, "Connection refused");
  return answer;
}

class DoctorTest : public testing::Test {
 protected:
  DoctorTest()
      : facts_{.bootstrap = {},
               .cluster = message::MetadataResponse(),
               .topics = std::vector<message::TopicInfo>(1),
               .quorum = message::DescribeQuorumResult(),
               .brokers = {},
               .controllers = {},
               .kafka = {}} {
    facts_.cluster->set_cluster_id(kCluster);
    facts_.quorum->set_leader_id(1);
    facts_.quorum->set_voters_committed(true);
    facts_.quorum->set_commit_index(5000);
    message::TopicInfo& topic = facts_.topics->front();
    topic.set_name("payments");
    message::ConfigEntry* minimum = topic.add_configs();
    minimum->set_key("min.insync.replicas");
    minimum->set_value("2");
    for (const int id : {1, 2, 3}) {
      message::BrokerInfo* broker = facts_.cluster->add_brokers();
      broker->set_broker_id(id);
      facts_.brokers[id] = NodeAt(AddressOf(id), "broker", id);
      message::DescribeQuorumResult::Voter* voter = facts_.quorum->add_voters();
      voter->set_id(id);
      voter->set_match_index(4999);
      facts_.controllers[id] = NodeAt(absl::StrCat("10.0.0.", id, ":9191"), "controller", id);
      message::PartitionInfo* partition = topic.add_partitions();
      partition->set_partition(id - 1);
      partition->set_leader(id);
      for (const int replica : {1, 2, 3}) {
        partition->add_replicas(replica);
        partition->add_isr(replica);
      }
    }
    facts_.bootstrap.push_back({.answer = facts_.brokers[1], .metadata = *facts_.cluster});
  }

  message::DescribeNodeResponse& node(int broker) { return *facts_.brokers[broker].node; }
  message::BrokerInfo& told(int broker) { return *facts_.cluster->mutable_brokers(broker - 1); }
  message::PartitionInfo& partition(int index) {
    return *facts_.topics->front().mutable_partitions(index);
  }

  [[nodiscard]] std::vector<Finding> All() const { return Judge(facts_, {}, kVersion); }
  // Those that are not ok.
  [[nodiscard]] std::vector<Finding> Bad() const {
    std::vector<Finding> bad = All();
    std::erase_if(bad, [](const Finding& finding) { return finding.level == Level::kOk; });
    return bad;
  }
  // The one thing that is not well.
  void ExpectOne(Level level, const std::string& subject, const std::string& check,
                 const std::string& what, const std::string& advice) const {
    const std::vector<Finding> bad = Bad();
    ASSERT_EQ(bad.size(), 1U) << DoctorText(bad);
    EXPECT_EQ(LevelName(bad[0].level), std::string(LevelName(level)));
    EXPECT_EQ(bad[0].subject, subject);
    EXPECT_EQ(bad[0].check, check);
    EXPECT_THAT(bad[0].what, HasSubstr(what));
    EXPECT_THAT(bad[0].advice, HasSubstr(advice));
  }

  DoctorFacts facts_;
};

TEST_F(DoctorTest, AClusterThatIsWellHasNothingToMend) {
  EXPECT_THAT(Bad(), IsEmpty()) << DoctorText(Bad());
  for (const Finding& finding : All()) EXPECT_EQ(finding.advice, "") << finding.what;
}

TEST_F(DoctorTest, EveryFindingThatIsNotWellSaysWhatToDo) {
  facts_.brokers[2] = Nobody(AddressOf(2));
  told(3).set_fenced(true);
  node(1).set_version("0.9.0");
  partition(0).set_leader(-1);
  for (const Finding& finding : Bad()) EXPECT_NE(finding.advice, "") << finding.what;
}

// ---- addresses ----
TEST_F(DoctorTest, OneBootstrapAddressOfManyMayBeGone) {
  facts_.bootstrap.push_back({.answer = Nobody("gone:9092"), .metadata = absl::UnknownError("")});
  ExpectOne(Level::kWarn, "gone:9092", "bootstrap", "Connection refused", "check the address");
}

TEST_F(DoctorTest, NoBootstrapAddressAnswers) {
  const absl::Status nobody = ToStatus(ErrorCode::kNotConnected, "nobody");
  facts_ = {.bootstrap = {{.answer = Nobody("gone:9092"), .metadata = nobody}},
            .cluster = nobody,
            .topics = nobody,
            .quorum = nobody,
            .brokers = {},
            .controllers = {},
            .kafka = {}};
  EXPECT_THAT(FailedChecks(All()), ElementsAre("gone:9092: bootstrap", "cluster: metadata"));
}

TEST_F(DoctorTest, AControllerIsNoBootstrapAddress) {
  facts_.bootstrap.push_back(
      {.answer = facts_.controllers[2], .metadata = absl::UnimplementedError("")});
  ExpectOne(Level::kFail, "10.0.0.2:9191", "bootstrap", "controller 2", "listener.client");
}

TEST_F(DoctorTest, ABrokerWithoutControllersTellsNoCluster) {
  facts_.bootstrap.push_back(
      {.answer = facts_.brokers[2],
       .metadata = ToStatus(ErrorCode::kLeaderNotAvailable, "no metadata yet")});
  ExpectOne(Level::kFail, AddressOf(2), "bootstrap", "no metadata yet",
            "controller.quorum.bootstrap.servers");
}

TEST_F(DoctorTest, BootstrapAddressesOfTwoClustersAreToldApart) {
  message::MetadataResponse other = *facts_.cluster;
  other.set_cluster_id(std::string(16, 'd'));
  facts_.bootstrap.push_back({.answer = facts_.brokers[2], .metadata = other});
  ExpectOne(Level::kFail, "cluster", "bootstrap", "different clusters", "one cluster");
}

TEST_F(DoctorTest, AnAdvertisedAddressThatCannotBeReached) {
  facts_.brokers[2] = Nobody("inside:9092");
  ExpectOne(Level::kFail, "broker 2", "address", "clients are told inside:9092",
            "set advertised.listeners of broker 2");
}

TEST_F(DoctorTest, AKafkaAddressThatCannotBeReached) {
  facts_.kafka[2].address = "10.0.0.2:9094";
  EXPECT_THAT(Bad(), IsEmpty());
  facts_.kafka[2] = Nobody("inside:9094");
  ExpectOne(Level::kFail, "broker 2", "kafka-address", "are told inside:9094, and it cannot",
            "set advertised.listeners of broker 2 to KAFKA://");
  facts_.kafka[2] = AddressAnswer();
  facts_.kafka[2].address = "127.0.0.1:9094";
  ExpectOne(Level::kFail, "broker 2", "kafka-address", "a client's own machine", "KAFKA://");
}

TEST_F(DoctorTest, AnAdvertisedAddressThatIsNoPlaceToConnectTo) {
  for (const char* address : {"0.0.0.0:9092", "[::]:9092"}) {
    facts_.brokers[2].address = address;  // it answers: on this machine
    ExpectOne(Level::kFail, "broker 2", "address", "every address of a machine",
              "set advertised.listeners of broker 2");
  }
}

TEST_F(DoctorTest, AnAdvertisedLoopbackAddressIsWrongUnlessAllAreAskedThere) {
  facts_.brokers[2].address = "127.0.0.1:9092";
  ExpectOne(Level::kFail, "broker 2", "address", "a client's own machine", "advertised.listeners");
  facts_.bootstrap[0].answer.address = "localhost:9092";
  EXPECT_THAT(Bad(), IsEmpty());
}

TEST_F(DoctorTest, AnotherNodeListensWhereABrokerIsAdvertised) {
  facts_.brokers[2] = NodeAt(AddressOf(1), "broker", 1);
  node(2).set_disk_full(true);  // that is broker 1's to say
  ExpectOne(Level::kFail, "broker 2", "address", "and broker 1 listens there",
            "advertised.listeners");
  facts_.brokers[2] = NodeAt(AddressOf(2), "broker", 2);
  node(2).set_cluster_id(std::string(16, 'd'));
  ExpectOne(Level::kFail, "broker 2", "address", "broker 2 of another cluster",
            "advertised.listeners");
}

TEST_F(DoctorTest, AnOlderBrokerIsReachedAndTellsNothing) {
  facts_.brokers[2] = Nobody(AddressOf(2));
  facts_.brokers[2].status = ToStatus(ErrorCode::kUnsupportedVersion, "older");
  ExpectOne(Level::kWarn, "broker 2", "version", "older than this program", "upgrade");
}

TEST_F(DoctorTest, PartitionsThatNobodyTellsOf) {
  facts_.topics = ToStatus(ErrorCode::kRequestTimedOut, "no answer");
  ExpectOne(Level::kFail, "cluster", "metadata", "partitions are not known", "bootstrap addresses");
}

// ---- state ----
TEST_F(DoctorTest, AFencedBrokerIsToldOnce) {
  told(2).set_fenced(true);
  ExpectOne(Level::kFail, "broker 2", "state", "although something answers", "its log");
  facts_.brokers[2] = Nobody(AddressOf(2));
  ExpectOne(Level::kFail, "broker 2", "state", "nobody answers at 10.0.0.2:9092", "start it");
}

TEST_F(DoctorTest, BrokersThatDoNotTakePart) {
  told(1).set_drain(record::DRAIN_MAINTENANCE);
  ExpectOne(Level::kWarn, "broker 1", "state", "drained", "quipu broker undrain 1");
  told(1).set_drain(record::DRAIN_NONE);
  told(1).set_in_controlled_shutdown(true);
  ExpectOne(Level::kWarn, "broker 1", "state", "stopping", "start it again");
  told(1).set_in_controlled_shutdown(false);
  told(1).set_disk_stalled(true);
  ExpectOne(Level::kFail, "broker 1", "state", "disk does not answer", "look at the disk");
  told(1).set_disk_stalled(false);
  told(1).set_unclean(true);
  ExpectOne(Level::kWarn, "broker 1", "unclean", "copies what it lacks", "every ISR is full");
}

// ---- what nodes tell ----
TEST_F(DoctorTest, AClockIsOffOnlyWhereTheNetworkDoesNotExplainIt) {
  facts_.brokers[2].clock_difference = -std::chrono::milliseconds(1500);
  ExpectOne(Level::kFail, "broker 2", "clock", "1500.0 ms behind", "NTP");
  facts_.brokers[2].round_trip = std::chrono::milliseconds(1200);  // it may be 900 ms
  EXPECT_THAT(Bad(), IsEmpty());
  facts_.controllers[3].clock_difference = std::chrono::seconds(2);
  ExpectOne(Level::kFail, "controller 3", "clock", "2000.0 ms ahead", "NTP");
}

TEST_F(DoctorTest, AnotherVersion) {
  node(3).set_version("1.3.0");
  ExpectOne(Level::kWarn, "broker 3", "version", "it runs 1.3.0, and this program is 1.2.3",
            "finish the upgrade");
}

TEST_F(DoctorTest, DisksThatAreFullOrNearlySo) {
  node(1).set_disk_free_bytes(int64_t{9} << 30);
  ExpectOne(Level::kWarn, "broker 1", "disk", "9.0 GiB of 100.0 GiB (9 %)", "retention");
  node(1).set_disk_full(true);
  ExpectOne(Level::kFail, "broker 1", "disk", "produce is refused", "retention");
  node(1).set_disk_full(false);
  node(1).set_disk_free_bytes(-1);
  ExpectOne(Level::kWarn, "broker 1", "disk", "could not be measured", "file system");
  facts_.brokers[1] = NodeAt(AddressOf(1), "broker", 1);
  node(1).set_ballast_bytes(0);
  ExpectOne(Level::kWarn, "broker 1", "ballast", "no ballast is held", "broker.no_ballast");
  node(1).set_ballast_bytes_wanted(0);
  EXPECT_THAT(Bad(), IsEmpty());
}

TEST_F(DoctorTest, SettingsThatAreUnsafeOrDoubtful) {
  message::StaticConfig* config = node(2).add_configs();
  config->set_key("quipu.unsafe.plaintext.network");
  config->set_value("true");
  config->set_origin("broker.conf:7");
  EXPECT_THAT(Bad(), IsEmpty());
  config->set_unsafe(true);
  ExpectOne(Level::kWarn, "broker 2", "unsafe",
            "quipu.unsafe.plaintext.network=true (broker.conf:7)", "take it back");
  config->set_unsafe(false);
  node(2).add_config_warnings("a.b: 1 ms is too short");
  ExpectOne(Level::kWarn, "broker 2", "settings", "a.b: 1 ms is too short", "change it");
}

// ---- controllers ----
TEST_F(DoctorTest, AVoterThatIsSilentOrBehind) {
  facts_.quorum->mutable_voters(1)->set_last_contact_ms(6000);
  ExpectOne(Level::kFail, "controller 2", "quorum", "6000 ms ago", "controller replace");
  facts_.quorum->mutable_voters(1)->set_last_contact_ms(-1);
  ExpectOne(Level::kFail, "controller 2", "quorum", "never heard", "controller replace");
  facts_.quorum->mutable_voters(1)->set_last_contact_ms(5);
  facts_.quorum->mutable_voters(1)->set_match_index(3000);
  ExpectOne(Level::kWarn, "controller 2", "quorum", "2000 entries behind", "caught up");
}

TEST_F(DoctorTest, AControllerThatCannotBeReachedFromHereIsNoFailure) {
  facts_.controllers[2] = Nobody("10.0.0.2:9191");
  ExpectOne(Level::kWarn, "controller 2", "address", "cannot be reached from here",
            "clients need not");
  facts_.controllers[2] = NodeAt("10.0.0.2:9191", "broker", 2);
  ExpectOne(Level::kWarn, "controller 2", "address", "broker 2 listens", "controller replace");
}

TEST_F(DoctorTest, AQuorumThatChangesOrDoesNotLead) {
  facts_.quorum->set_voters_committed(false);
  ExpectOne(Level::kWarn, "controllers", "quorum", "being committed", "look again");
  facts_.quorum->mutable_joining()->set_id(3);
  ExpectOne(Level::kWarn, "controllers", "quorum", "to become a voter", "no observer");
  facts_.quorum = ToStatus(ErrorCode::kRequestTimedOut, "nobody leads");
  facts_.controllers.clear();
  ExpectOne(Level::kFail, "controllers", "quorum", "nobody leads", "majority");
}

// ---- partitions ----
TEST_F(DoctorTest, PartitionsWithoutALeaderOrEnoughReplicas) {
  partition(1).clear_isr();
  partition(1).add_isr(1);
  partition(1).add_isr(2);
  ExpectOne(Level::kWarn, "partitions", "replication",
            "1 with a replica out of the ISR: payments/1", "--under-replicated");
  partition(1).mutable_isr()->RemoveLast();
  EXPECT_THAT(FailedChecks(Bad()), ElementsAre("partitions: min-isr"));
  partition(1).set_leader(-1);
  EXPECT_THAT(FailedChecks(Bad()), ElementsAre("partitions: offline", "partitions: min-isr"));
}

TEST_F(DoctorTest, ManyPartitionsAreCountedAndSomeNamed) {
  for (int i = 0; i < 10; ++i) {
    message::PartitionInfo* more = facts_.topics->front().add_partitions();
    *more = partition(0);
    more->set_partition(3 + i);
  }
  for (message::PartitionInfo& each : *facts_.topics->front().mutable_partitions()) {
    each.set_leader(-1);
  }
  ExpectOne(Level::kFail, "partitions", "offline",
            "13 without a leader: payments/0, payments/1, payments/2, payments/3, payments/4 and 8 "
            "more",
            "partition recover");
}

// ---- what is printed ----
TEST_F(DoctorTest, TextAndJsonSayTheSame) {
  facts_.brokers[2] = Nobody(AddressOf(2));
  node(1).set_version("1.3.0");
  const std::vector<Finding> all = All();
  const std::string text = DoctorText(all);
  const auto json = DoctorJson(facts_, all, kVersion);
  EXPECT_EQ(json["failed"], nlohmann::ordered_json({"broker 2: address"}));
  EXPECT_EQ(json["healthy"], false);
  EXPECT_EQ(json["warnings"], 1);
  EXPECT_THAT(text, HasSubstr("1 warn, 1 fail (broker 2: address)\n"));
  for (const auto& finding : json["findings"]) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat(finding["subject"].get<std::string>(), ": ",
                                             finding["check"].get<std::string>(), ": ",
                                             finding["what"].get<std::string>(), "\n")));
    if (!finding["do"].is_null()) {
      EXPECT_THAT(text, HasSubstr(absl::StrCat("do: ", finding["do"].get<std::string>(), "\n")));
    }
  }
  EXPECT_EQ(json["advertised"]["brokers"][1]["reached"], false);
  EXPECT_EQ(json["nodes"].size(), 5U);
}

}  // namespace
}  // namespace quipu::cli
