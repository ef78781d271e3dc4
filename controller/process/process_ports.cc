#include "controller/process/process_ports.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "controller/process/broker_probe.h"
#include "runtime/process.h"

namespace quipu {
namespace {

constexpr Duration kProbeTimeout = std::chrono::milliseconds(1000);
// Beyond it a probe is answered "not refused": the broker's session decides then.
constexpr int kProbesWaitingMax = 64;

}  // namespace

ControllerProcessPorts::ControllerProcessPorts(ControllerStorage& storage, ControllerId self,
                                               const std::vector<Voter>& voters)
    : storage_(storage), links_(*calls_, self, voters) {}

ControllerProcessPorts::~ControllerProcessPorts() { Stop(); }

void ControllerProcessPorts::Stop() {
  executor_.Stop();
  disk_.Stop();
  probes_.Stop();
  calls_.reset();
}

void ControllerProcessPorts::Persist(RaftWrite write, std::function<void()> done) {
  disk_.Post([this, write = std::move(write), done = std::move(done)] {
    const Instant began = disk_.GetNow().mono;
    const absl::Status status = storage_.store->Write(write);
    if (!status.ok()) {
      StopProcess(absl::StrCat("the metadata log cannot be written: ", status.message()));
    }
    {
      const std::lock_guard<std::mutex> lock(sync_times_mutex_);
      sync_times_.Observe(disk_.GetNow().mono - began);
    }
    done();
  });
}

void ControllerProcessPorts::ProbeBroker(const HostPort& peer,
                                         std::function<void(bool refused)> done) {
  if (probes_waiting_.fetch_add(1) >= kProbesWaitingMax) {
    probes_waiting_.fetch_sub(1);
    executor_.Post([done = std::move(done)] { done(false); });
    return;
  }
  probes_.Run([this, peer, done = std::move(done)]() mutable {
    const bool refused = ConnectionIsRefused(peer.host, peer.port, kProbeTimeout);
    probes_waiting_.fetch_sub(1);
    executor_.Post([done = std::move(done), refused] { done(refused); });
  });
}

uint64_t ControllerProcessPorts::RandomSeed() { return SystemRandomSeed(); }

void ControllerProcessPorts::StopProcess(const std::string& reason) { EndProcessNow(reason); }

}  // namespace quipu
