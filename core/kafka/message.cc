#include "core/kafka/message.h"

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "base/error_code.h"
#include "core/kafka/field_writer.h"

namespace quipu::kafka {
namespace {

// Key, version and correlation id: what every request begins with.
constexpr size_t kFixedHeaderBytes = 8;
constexpr size_t kFrameSizeBytes = 4;

// Puts the size of the frame before it. No slices: it has none that the wire can carry.
ByteChain Finish(ByteChainBuilder& out) {
  const size_t size = out.size() - kFrameSizeBytes;
  if (size > kFrameBytesMax) return {};
  StoreBigEndian(static_cast<int32_t>(size), out.text().data());
  return out.Finish();
}

}  // namespace

absl::StatusOr<RequestFrame> ParseRequest(const Bytes& frame) {
  if (frame.size() < kFixedHeaderBytes) {
    return ToStatus(ErrorCode::kInvalidRequest,
                    absl::StrCat("a frame of ", frame.size(), " bytes is too short for a request"));
  }
  const auto key = LoadBigEndian<int16_t>(frame.data());
  RequestFrame request{.api = FindApi(key),
                       .version = LoadBigEndian<int16_t>(frame.data() + 2),
                       .correlation_id = LoadBigEndian<int32_t>(frame.data() + 4),
                       .client_id = std::nullopt,
                       .frame = frame,
                       .body = 0};
  if (request.api == nullptr) {
    return ToStatus(ErrorCode::kInvalidRequest,
                    absl::StrCat("API key ", key, " version ", request.version,
                                 ": this broker has no such API"));
  }
  FieldReader reader(request.version, false, frame, kFixedHeaderBytes, {});
  request.client_id = reader.ShortString("clientId");
  const bool unknown_rest =
      request.api->key == ApiKey::kApiVersions && !request.api->Serves(request.version);
  if (!unknown_rest && RequestHeaderVersion(*request.api, request.version) == 2) {
    reader.SkipTags("tagged fields of the header");
  }
  if (!reader.error().empty()) {
    return ToStatus(ErrorCode::kInvalidRequest,
                    absl::StrCat(request.api->name, " v", request.version,
                                 " request header: ", reader.error()));
  }
  request.body = reader.position();
  return request;
}

namespace internal {

absl::Status Decode(ApiKey api, MessageKind kind, int16_t version, const Bytes& frame,
                    size_t position, const DecodeLimits& limits, Visit visit) {
  const ApiInfo& info = InfoOf(api);
  const auto refuse = [&info, version, kind](ErrorCode error, const std::string& why) {
    return ToStatus(
        error, absl::StrCat(info.name, " v", version,
                            kind == MessageKind::kRequest ? " request: " : " response: ", why));
  };
  if (!info.Serves(version)) {
    return refuse(
        ErrorCode::kUnsupportedVersion,
        absl::StrCat("versions ", info.version_min, " to ", info.version_max, " are served"));
  }
  QUIPU_CHECK(position <= frame.size());
  FieldReader reader(version, info.IsFlexible(version), frame, position, limits);
  visit(reader);
  if (!reader.error().empty()) {
    return refuse(ErrorCode::kInvalidRequest, std::string(reader.error()));
  }
  // What follows in a request is passed over, as Kafka does: librdkafka 2.16 leaves three bytes
  // behind a Metadata request of version 13 for all topics.
  if (kind == MessageKind::kResponse && reader.left() > 0) {
    return refuse(ErrorCode::kInvalidRequest,
                  absl::StrCat("ends at byte ", reader.position(), " of ", frame.size()));
  }
  return absl::OkStatus();
}

ByteChain EncodeResponse(ApiKey api, int16_t version, int32_t correlation_id, Visit visit,
                         std::vector<ErrorCode>* errors) {
  const ApiInfo& info = InfoOf(api);
  QUIPU_CHECK(info.Serves(version));
  ByteChainBuilder out;
  FieldWriter writer(version, info.IsFlexible(version), &out);
  writer.Integer(int32_t{0});  // the size, see Finish
  writer.Integer(correlation_id);
  if (ResponseHeaderVersion(info, version) == 1) writer.UnsignedVarint(0);
  writer.CollectErrors(errors);
  visit(writer);
  return Finish(out);
}

ByteChain EncodeRequest(ApiKey api, int16_t version, int32_t correlation_id,
                        const std::optional<std::string>& client_id, Visit visit) {
  const ApiInfo& info = InfoOf(api);
  QUIPU_CHECK(info.Serves(version));
  ByteChainBuilder out;
  FieldWriter writer(version, info.IsFlexible(version), &out);
  writer.Integer(int32_t{0});  // the size, see Finish
  writer.Integer(static_cast<int16_t>(api));
  writer.Integer(version);
  writer.Integer(correlation_id);
  writer.ShortString(client_id);
  if (RequestHeaderVersion(info, version) == 2) writer.UnsignedVarint(0);
  visit(writer);
  return Finish(out);
}

size_t EncodedSize(ApiKey api, int16_t version, Visit visit) {
  const ApiInfo& info = InfoOf(api);
  QUIPU_CHECK(info.Serves(version));
  FieldWriter counter(version, info.IsFlexible(version), nullptr);
  visit(counter);
  return counter.size();
}

}  // namespace internal
}  // namespace quipu::kafka
