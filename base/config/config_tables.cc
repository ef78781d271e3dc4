#include "base/config/config_tables.h"

#include "base/check.h"

namespace quipu {

ConfigTable ConfigTableOf(ConfigScope scope) {
  switch (scope) {
    case ConfigScope::kBroker:
      return BrokerConfigTable();
    case ConfigScope::kController:
      return ControllerConfigTable();
    case ConfigScope::kTopic:
      return TopicConfigTable();
    case ConfigScope::kProducer:
      return ProducerConfigTable();
    case ConfigScope::kConsumer:
      return ConsumerConfigTable();
    case ConfigScope::kAdmin:
      return AdminConfigTable();
  }
  QUIPU_CHECK_MSG(false, "a config scope that is none");
}

absl::string_view ConfigScopeName(ConfigScope scope) {
  switch (scope) {
    case ConfigScope::kBroker:
      return "broker";
    case ConfigScope::kController:
      return "controller";
    case ConfigScope::kTopic:
      return "topic";
    case ConfigScope::kProducer:
      return "producer";
    case ConfigScope::kConsumer:
      return "consumer";
    case ConfigScope::kAdmin:
      return "admin";
  }
  QUIPU_CHECK_MSG(false, "a config scope that is none");
}

}  // namespace quipu
