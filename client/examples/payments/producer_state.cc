#include "client/examples/payments/producer_state.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/examples/payments/ledger.h"

namespace quipu::payments {
namespace {

std::string PathIn(const std::string& directory) { return directory + "/producer.state"; }

}  // namespace

absl::StatusOr<std::optional<ProducerIdentityPair>> LoadProducerState(
    const std::string& directory) {
  const absl::StatusOr<std::string> text = ReadWholeFile(PathIn(directory));
  if (absl::IsNotFound(text.status())) return std::optional<ProducerIdentityPair>();
  if (!text.ok()) return text.status();
  const std::vector<std::string> fields =
      absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  int64_t id = 0;
  int32_t epoch = 0;
  if (fields.size() != 2 || !absl::SimpleAtoi(fields[0], &id) ||
      !absl::SimpleAtoi(fields[1], &epoch) || id < 0 || epoch < 0 || epoch > INT16_MAX) {
    return absl::DataLossError(
        absl::StrCat(PathIn(directory),
                     " is damaged: expected a producer id and an epoch. Without it nobody "
                     "knows what was sent; start with a new topic and an empty --state-dir"));
  }
  return std::optional<ProducerIdentityPair>(
      {ProducerId(id), ProducerEpoch(static_cast<int16_t>(epoch))});
}

absl::Status SaveProducerState(const std::string& directory, const ProducerIdentityPair& identity) {
  const int highest = identity.second.value() + kEpochBumpsMax;
  if (highest >= INT16_MAX) {
    return absl::ResourceExhaustedError(
        "the producer id has used up its epochs; start with a new topic and an empty --state-dir");
  }
  return WriteFileDurably(directory, PathIn(directory),
                          absl::StrCat(identity.first.value(), " ", highest, "\n"));
}

}  // namespace quipu::payments
