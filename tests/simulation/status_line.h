// The readable trace: one compact line for each step that changes what a node says of itself, and
// for each event of a client. docs/testing.md has the legend.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "tests/history/history.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {

// Draws nothing and changes nothing: a run with it is the same run.
class StatusLine {
 public:
  // Both must outlive it. Lines go to the world's trace sink.
  StatusLine(Cluster& cluster, const PartitionChecker& partitions)
      : cluster_(cluster), partitions_(partitions) {}

  void AfterControllerStep(SimController& controller);
  void AfterBrokerStep(SimBroker& broker);
  void OnClient(const history::Event& event);

 private:
  // Prints `text` unless it is what was printed last for `who`.
  void Show(const std::string& who, const std::string& text);
  void ShowMetadata();

  Cluster& cluster_;
  const PartitionChecker& partitions_;
  std::map<std::string, std::string> last_;
  MetadataImagePtr image_;
};

}  // namespace quipu::sim
