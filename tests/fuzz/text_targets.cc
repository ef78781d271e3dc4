// Fuzz targets: texts that people write, settings and payments.
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/config/config_reader.h"
#include "broker/process/broker_settings.h"
#include "client/client_config.h"
#include "client/examples/payments/csv_reader.h"
#include "client/examples/payments/payment_input.h"
#include "controller/process/controller_settings.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/fuzz/temporary_file.h"

namespace quipu::fuzz {
namespace {

void ReadPayments(const std::string& path) {
  for (const bool skip_bad : {false, true}) {
    auto input = payments::PaymentInput::Open({.path = path, .columns = {}, .skip_bad = skip_bad});
    if (!input.ok()) continue;
    for (int rows = 0; rows < 10000; ++rows) {
      const auto payment = (*input)->Next();
      if (!payment.ok() || !payment->has_value()) break;
      const std::string value = payments::EncodePayment(**payment);
      const auto again = payments::DecodePayment((*payment)->key, value);
      QUIPU_CHECK(again.ok());
      QUIPU_CHECK(again->row == (*payment)->row && again->amount == (*payment)->amount);
      QUIPU_CHECK(again->balance == (*payment)->balance && again->text == (*payment)->text);
    }
  }
}

}  // namespace

namespace {

constexpr ConfigSpec kFuzzTable[] = {
    {.name = "number",
     .type = ConfigType::kNumber,
     .fallback = "5",
     .low = -3,
     .high = 1000,
     .doc = "a number"},
    {.name = "flag", .type = ConfigType::kBool, .fallback = "false", .doc = "a flag"},
    {.name = "text", .doc = "a text"},
    {.name = "time.ms",
     .type = ConfigType::kNumber,
     .fallback = "5",
     .low = 1,
     .high = 5000,
     .doc = "a time"},
    {.name = "endpoint", .type = ConfigType::kEndpoint, .doc = "an endpoint"},
};

}  // namespace

void ConfigText(absl::string_view bytes) {
  int64_t number = 5;
  bool flag = false;
  std::string text;
  Duration time = std::chrono::milliseconds(5);
  std::string host;
  uint16_t port = 0;
  ConfigReader reader(kFuzzTable);
  reader.LoadText(bytes, "fuzz");
  reader.LoadEnvironment({"QUIPU_" + std::string(bytes)});
  const size_t problems = reader.problems().size();
  reader.Set(bytes);
  if (reader.problems().size() == problems && problems < 50) {
    QUIPU_CHECK(bytes.find('=') != absl::string_view::npos);
  }
  reader.Number("number", &number);
  reader.Bool("flag", &flag);
  reader.Text("text", &text);
  reader.Millis("time.ms", &time);
  reader.Endpoint("endpoint", &host, &port);
  QUIPU_CHECK(number >= -3 && number <= 1000);
  QUIPU_CHECK(time >= std::chrono::milliseconds(1) && time <= std::chrono::seconds(5));
  QUIPU_CHECK(reader.Finish().ok() == reader.problems().empty());
  QUIPU_CHECK(!EffectiveConfigText(reader.values()).empty());
}

void ServerSettings(absl::string_view bytes) {
  Input input(bytes);
  const std::string assignment(input.Take(input.Byte()));
  const TemporaryFile file(input.Rest());
  std::vector<std::string> assignments;
  if (!assignment.empty()) assignments.push_back(assignment);
  const auto broker = LoadBrokerSettings(file.path(), assignments);
  if (broker.ok()) {
    QUIPU_CHECK(broker->node.num_shards >= 1 && !broker->node.controllers.empty());
    QUIPU_CHECK(LogQueueBytesMax(broker->node) > 0);
  }
  const auto controller = LoadControllerSettings(file.path(), assignments);
  if (controller.ok()) {
    QUIPU_CHECK(controller->node.election_timeout > Duration::zero());
    QUIPU_CHECK(controller->node.num_partitions > 0);
  }
}

void ClientSettings(absl::string_view bytes) {
  ConfigMap config;
  for (const absl::string_view line : absl::StrSplit(bytes, '\n')) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(line, absl::MaxSplits('=', 1));
    config.insert(pair);
  }
  const auto producer = ParseProducerConfig(config);
  if (producer.ok()) QUIPU_CHECK(!producer->core.metadata.bootstrap_servers.empty());
  const auto consumer = ParseConsumerConfig(config);
  if (consumer.ok()) QUIPU_CHECK(!consumer->core.metadata.bootstrap_servers.empty());
  const auto admin = ParseAdminConfig(config);
  if (admin.ok()) QUIPU_CHECK(!admin->bootstrap_servers.empty());
  (void)ParseServerList(bytes);
}

void PaymentsCsv(absl::string_view bytes) {
  Input input(bytes);
  const bool compressed = input.Below(4) == 1;
  const absl::string_view content = input.Rest();
  (void)payments::SplitCsvRow(content);
  (void)payments::ParseAmount(content);
  (void)payments::DecodePayment("account", content);
  if (compressed) {
    ReadPayments(WriteTemporary("rows.csv.xz", content));
  } else {
    const TemporaryFile file(content);
    ReadPayments(file.path());
  }
}

}  // namespace quipu::fuzz
