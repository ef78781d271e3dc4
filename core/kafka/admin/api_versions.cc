// ApiVersions: the fields of request and response, version by version.
#include "core/kafka/admin/api_versions.h"

namespace quipu::kafka {

void ApiVersionsRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("clientSoftwareName", client_software_name, Since(3));
  visitor.Field("clientSoftwareVersion", client_software_version, Since(3));
}

void ApiVersionsResponse::ApiVersion::Describe(FieldVisitor& visitor) {
  visitor.Field("apiKey", api_key);
  visitor.Field("minVersion", min_version);
  visitor.Field("maxVersion", max_version);
}

void ApiVersionsResponse::SupportedFeature::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("minVersion", min_version);
  visitor.Field("maxVersion", max_version);
}

void ApiVersionsResponse::FinalizedFeature::Describe(FieldVisitor& visitor) {
  visitor.Field("name", name);
  visitor.Field("maxVersionLevel", max_version_level);
  visitor.Field("minVersionLevel", min_version_level);
}

void ApiVersionsResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("apiKeys", api_keys);
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Tagged(0, "supportedFeatures", supported_features, Since(3));
  visitor.Tagged(1, "finalizedFeaturesEpoch", finalized_features_epoch, Since(3), int64_t{-1});
  visitor.Tagged(2, "finalizedFeatures", finalized_features, Since(3));
  visitor.Tagged(3, "zkMigrationReady", zk_migration_ready, Since(3));
}

}  // namespace quipu::kafka
