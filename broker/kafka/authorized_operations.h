// What a client may do with a resource, for those that ask. There are no ACLs on this listener: all
// that Kafka knows for a resource of that kind.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace quipu::kafka {

// Kafka's AclOperation: the numbers of the bits.
enum class AclOperation : uint8_t {
  kRead = 3,
  kWrite = 4,
  kCreate = 5,
  kDelete = 6,
  kAlter = 7,
  kDescribe = 8,
  kClusterAction = 9,
  kDescribeConfigs = 10,
  kAlterConfigs = 11,
  kIdempotentWrite = 12,
};

constexpr int32_t Bits(std::initializer_list<AclOperation> operations) {
  uint32_t bits = 0;
  for (const AclOperation operation : operations) bits |= 1U << static_cast<uint32_t>(operation);
  return static_cast<int32_t>(bits);
}

inline constexpr int32_t kTopicOperations =
    Bits({AclOperation::kRead, AclOperation::kWrite, AclOperation::kCreate, AclOperation::kDelete,
          AclOperation::kAlter, AclOperation::kDescribe, AclOperation::kDescribeConfigs,
          AclOperation::kAlterConfigs});
inline constexpr int32_t kGroupOperations =
    Bits({AclOperation::kRead, AclOperation::kDelete, AclOperation::kDescribe,
          AclOperation::kDescribeConfigs, AclOperation::kAlterConfigs});
inline constexpr int32_t kClusterOperations =
    Bits({AclOperation::kCreate, AclOperation::kAlter, AclOperation::kDescribe,
          AclOperation::kClusterAction, AclOperation::kDescribeConfigs, AclOperation::kAlterConfigs,
          AclOperation::kIdempotentWrite});

}  // namespace quipu::kafka
