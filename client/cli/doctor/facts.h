// What `quipu doctor` looks at: what a cluster says of itself, and what can be reached from here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "client/config_map.h"
#include "proto/message/admin.pb.h"
#include "proto/message/client.pb.h"
#include "proto/message/node.pb.h"

namespace quipu::cli {

// What came of asking whoever listens at an address who it is.
struct AddressAnswer {
  std::string address;  // host:port
  // kNotConnected: nobody, with the reason; kUnsupportedVersion: somebody who is older than the
  // question, or no node.
  absl::Status status;
  std::optional<message::DescribeNodeResponse> node;
  // Of the quickest of the calls.
  Duration round_trip{};
  // The node's wall clock minus this machine's, to within half of `round_trip`.
  Duration clock_difference{};
  [[nodiscard]] bool reached() const;
};

struct BootstrapAnswer {
  AddressAnswer answer;
  // What a client that starts there is told; the answer's error when nobody answers.
  absl::StatusOr<message::MetadataResponse> metadata;
};

struct DoctorFacts {
  std::vector<BootstrapAnswer> bootstrap;
  // The error of these three: nobody told.
  absl::StatusOr<message::MetadataResponse> cluster;
  absl::StatusOr<std::vector<message::TopicInfo>> topics;
  absl::StatusOr<message::DescribeQuorumResult> quorum;
  // At the addresses that the cluster advertises, by id.
  std::map<int32_t, AddressAnswer> brokers;
  std::map<int32_t, AddressAnswer> controllers;
  // Of the brokers that have a listener for the Kafka protocol; nobody there tells who it is.
  std::map<int32_t, AddressAnswer> kafka;
};

// A status in words, without the name of its code.
std::string ReasonOf(const absl::Status& status);
// An id of 16 bytes as text.
std::string IdText(const std::string& bytes);
// The host of host:port, without the brackets of IPv6.
std::string HostOf(const std::string& address);

// How many addresses are asked at the same time.
inline constexpr size_t kProbesAtOnce = 16;
// How long a bootstrap address alone is asked for the cluster's metadata, at most.
inline constexpr Duration kBootstrapMetadataWait = std::chrono::seconds(3);

// How long an address of the Kafka protocol is asked, at most.
inline constexpr Duration kKafkaWait = std::chrono::seconds(3);

// Asks what listens there which APIs of the Kafka protocol it serves. kNotConnected: it serves none
// of the versions that a client asks for, is something else, or does not answer in time.
absl::Status AskKafka(const std::string& host, uint16_t port, Duration timeout);

// Asks all of them. What does not answer is a fact, not an error: those are of `config`, which is
// that of an Admin (kInvalidConfig). Blocks for a few times its time-outs at most.
absl::StatusOr<DoctorFacts> CollectDoctorFacts(const ConfigMap& config);
// `config` with those bootstrap addresses alone that told of a cluster, if any did: one that is
// silent takes up the time of whoever asks it first.
ConfigMap WithAnsweringServers(const ConfigMap& config, const DoctorFacts& facts);

}  // namespace quipu::cli
