// What the leaders of other partitions said of their logs' ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/statusor.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/coordinator/group_state.h"
#include "core/metadata/metadata_image.h"
#include "proto/message/client.pb.h"

namespace quipu {

// High watermarks of partitions that this broker holds no replica of. It says whom to ask for what,
// and keeps what was answered until it is too old. A leader that owes answers is asked nothing
// more, and what is not wanted any more is forgotten, so its size follows what is wanted. Pure: no
// clock and no network inside. One owner.
class LeaderEnds {
 public:
  // So that a request is below FrameReader::kUntrustedBodyBytesMax.
  static constexpr size_t kPartitionsPerRequestMax = 500;

  struct Request {
    BrokerId leader;
    HostPort endpoint;  // its peer listener
    message::ListOffsetsRequest message;
  };
  using Ends = absl::btree_map<TopicPartition, Offset>;
  using Failures = absl::btree_map<std::string, uint64_t>;

  // An answer older than `age_max` is not told any more.
  LeaderEnds(BrokerId self, Duration age_max) : self_(self), age_max_(age_max) {}

  // What to ask now. Each request is owed one OnAnswer. Partitions without a leader, of a leader
  // that is not in `image`, or that this broker leads itself are not asked for.
  std::vector<Request> Ask(const MetadataImage& image,
                           const absl::btree_set<TopicPartition>& wanted);
  // The answer to one request, or why there is none.
  void OnAnswer(BrokerId leader, Instant now,
                const absl::StatusOr<message::ListOffsetsResponse>& answer);

  // High watermarks, exclusive ends; what is not known is not in it.
  [[nodiscard]] Ends Known(Instant now) const;
  // By reason: the error of a partition in an answer; NOT_CONNECTED and REQUEST_TIMED_OUT, always
  // there, of a request without one.
  [[nodiscard]] const Failures& failures() const { return failures_; }

 private:
  struct End {
    Offset offset;
    Instant at;
  };
  const BrokerId self_;
  const Duration age_max_;
  absl::btree_map<TopicPartition, End> ends_;
  absl::btree_map<BrokerId, size_t> open_;  // requests that each owes an answer to
  Failures failures_{{"NOT_CONNECTED", 0}, {"REQUEST_TIMED_OUT", 0}};
};

}  // namespace quipu
