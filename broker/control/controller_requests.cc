#include "broker/control/controller_requests.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/control/wire_text.h"

namespace quipu {
namespace {

ErrorCode ErrorOf(int32_t number) {
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

message::AdminResponse AdminError(ErrorCode error, const std::string& detail) {
  message::AdminResponse response;
  response.set_error_code(static_cast<int32_t>(error));
  response.set_error_message(detail);
  return response;
}

constexpr char kUnknownOutcome[] =
    "the controller did not answer: the request may or may not have been carried out";
constexpr char kNotSent[] = "no active controller was found; nothing was changed";

// Why the controllers could not take it, whatever it asks; nullopt where they can.
std::optional<message::AdminResponse> Unsendable(const message::AdminRequest& request,
                                                 size_t bytes) {
  if (bytes > ControllerRequests::kAdminRequestBytesMax) {
    return AdminError(ErrorCode::kInvalidRequest,
                      absl::StrCat("the request has ", bytes, " bytes; at most ",
                                   ControllerRequests::kAdminRequestBytesMax,
                                   " of one are passed on to the controllers"));
  }
  const std::optional<std::string> field = FieldThatIsNotUtf8(request);
  if (!field) return std::nullopt;
  const bool is_topic = *field == "name" || *field == "topic";
  return AdminError(is_topic ? ErrorCode::kInvalidTopic : ErrorCode::kInvalidConfig,
                    absl::StrCat("the request's ", *field, " is not UTF-8"));
}

}  // namespace

void ControllerRequests::OnReady(BrokerEpoch epoch) {
  ready_ = true;
  epoch_ = epoch;
  Flush();
}

void ControllerRequests::Flush() {
  if (!ready_) return;
  SendIsr();
  while (!admin_waiting_.empty()) {
    AdminCall call = std::move(admin_waiting_.front());
    admin_waiting_.pop_front();
    SendAdmin(std::move(call));
  }
  while (!allocate_waiting_.empty()) {
    message::BrokerToController message;
    message.set_request_id(next_request_id_++);
    auto* request = message.mutable_allocate_producer_ids();
    request->set_broker_id(config_->broker_id.value());
    request->set_broker_epoch(epoch_.value());
    allocate_sent_.emplace(message.request_id(), std::move(allocate_waiting_.front()));
    allocate_waiting_.pop_front();
    channel_.Send(std::move(message));
  }
}

void ControllerRequests::ProposeIsr(IsrProposal proposal) {
  const auto waiting = isr_waiting_.find(proposal.uid);
  if (waiting != isr_waiting_.end()) {
    AnswerUnsent(waiting->second);
    waiting->second = std::move(proposal);
  } else {
    isr_waiting_.emplace(proposal.uid, std::move(proposal));
  }
  if (ready_) SendIsr();
}

void ControllerRequests::AnswerUnsent(const IsrProposal& proposal) {
  on_isr_({.uid = proposal.uid,
           .proposed_at = proposal.partition_epoch,
           .error = ErrorCode::kOperationNotAttempted});
}

void ControllerRequests::SendIsr() {
  if (isr_request_ != 0 || isr_waiting_.empty()) return;
  message::BrokerToController message;
  isr_request_ = next_request_id_++;
  message.set_request_id(isr_request_);
  auto* request = message.mutable_alter_partitions();
  request->set_broker_id(config_->broker_id.value());
  request->set_broker_epoch(epoch_.value());
  isr_sent_ = std::exchange(isr_waiting_, {});
  for (const auto& [uid, proposal] : isr_sent_) {
    auto* change = request->add_changes();
    change->set_partition_uid(uid.value());
    change->set_leader_epoch(proposal.leader_epoch.value());
    change->set_partition_epoch(proposal.partition_epoch.value());
    for (const auto& [broker, broker_epoch] : proposal.new_isr) {
      auto* member = change->add_new_isr();
      member->set_broker_id(broker.value());
      member->set_broker_epoch(broker_epoch.value());
    }
  }
  channel_.Send(std::move(message));
}

void ControllerRequests::OnIsrAnswer(const message::AlterPartitionsResponse& response) {
  absl::btree_map<PartitionUid, ErrorCode> errors;
  for (const message::IsrChangeResult& result : response.results()) {
    errors[PartitionUid(result.partition_uid())] = ErrorOf(result.error_code());
  }
  isr_request_ = 0;
  const ErrorCode whole = ErrorOf(response.error_code());
  for (const auto& [uid, proposal] : std::exchange(isr_sent_, {})) {
    const auto found = errors.find(uid);
    // No word about a partition is an unknown outcome.
    ErrorCode error = found == errors.end() ? ErrorCode::kRequestTimedOut : found->second;
    if (whole != ErrorCode::kNone) error = whole;
    on_isr_({.uid = uid, .proposed_at = proposal.partition_epoch, .error = error});
  }
  if (ready_) SendIsr();
}

void ControllerRequests::Admin(message::AdminRequest request, Instant now, AdminDone done) {
  if (admin_requests() >= kAdminRequestsMax) {
    done(AdminError(ErrorCode::kLimitReached, "too many admin requests are waiting"));
    return;
  }
  const size_t bytes = request.ByteSizeLong();
  if (const auto refusal = Unsendable(request, bytes)) return done(*refusal);
  if (AdminBytes() + bytes > kAdminBytesMax) {
    done(AdminError(ErrorCode::kLimitReached, "too many bytes of admin requests are waiting"));
    return;
  }
  AdminCall call{std::move(request), bytes, now + config_->request_timeout, std::move(done)};
  if (ready_) {
    SendAdmin(std::move(call));
  } else {
    admin_waiting_.push_back(std::move(call));
  }
}

size_t ControllerRequests::AdminBytes() const {
  size_t bytes = 0;
  for (const AdminCall& call : admin_waiting_) bytes += call.bytes;
  for (const auto& [id, call] : admin_sent_) bytes += call.bytes;
  return bytes;
}

void ControllerRequests::SendAdmin(AdminCall call) {
  message::BrokerToController message;
  message.set_request_id(next_request_id_++);
  *message.mutable_admin() = call.request;
  admin_sent_.emplace(message.request_id(), std::move(call));
  channel_.Send(std::move(message));
}

void ControllerRequests::AllocateProducerIds(Instant now, AllocateDone done) {
  allocate_waiting_.push_back({now + config_->request_timeout, std::move(done)});
  Flush();
}

void ControllerRequests::OnLost() {
  ready_ = false;
  isr_request_ = 0;
  for (const auto& [uid, proposal] : std::exchange(isr_sent_, {})) {
    on_isr_({.uid = uid,
             .proposed_at = proposal.partition_epoch,
             .error = ErrorCode::kRequestTimedOut});
  }
  for (auto& [id, call] : std::exchange(admin_sent_, {})) {
    call.done(AdminError(ErrorCode::kRequestTimedOut, kUnknownOutcome));
  }
  // A block that was granted and never heard of is lost, which is harmless.
  for (auto& [id, call] : std::exchange(allocate_sent_, {})) {
    allocate_waiting_.push_back(std::move(call));
  }
}

bool ControllerRequests::OnNotController(uint64_t request_id) {
  const auto admin = admin_sent_.find(request_id);
  if (admin != admin_sent_.end()) {
    admin_waiting_.push_back(std::move(admin->second));
    admin_sent_.erase(admin);
  }
  if (isr_request_ == request_id && request_id != 0) {
    isr_request_ = 0;
    // What a shard proposed since is newer.
    for (auto& [uid, proposal] : std::exchange(isr_sent_, {})) {
      if (isr_waiting_.contains(uid)) {
        AnswerUnsent(proposal);
      } else {
        isr_waiting_.emplace(uid, std::move(proposal));
      }
    }
  }
  return false;  // the stream's owner has to know too
}

void ControllerRequests::OnAllocated(AllocateCall call,
                                     const message::AllocateProducerIdsResponse& response) {
  const ErrorCode error = ErrorOf(response.error_code());
  call.done(error, ProducerId(response.first()), response.count());
}

bool ControllerRequests::OnMessage(const message::ControllerToBroker& message) {
  if (message.has_not_controller()) return OnNotController(message.request_id());
  if (message.has_alter_partitions()) {
    if (message.request_id() == isr_request_) OnIsrAnswer(message.alter_partitions());
    return true;
  }
  if (message.has_admin()) {
    const auto it = admin_sent_.find(message.request_id());
    if (it == admin_sent_.end()) return true;  // timed out before
    const AdminDone done = std::move(it->second.done);
    admin_sent_.erase(it);
    done(message.admin());
    return true;
  }
  if (message.has_allocate_producer_ids()) {
    const auto it = allocate_sent_.find(message.request_id());
    if (it == allocate_sent_.end()) return true;
    AllocateCall call = std::move(it->second);
    allocate_sent_.erase(it);
    OnAllocated(std::move(call), message.allocate_producer_ids());
    return true;
  }
  return false;
}

void ControllerRequests::OnTime(Instant now) {
  std::deque<AdminCall> waiting;
  waiting.swap(admin_waiting_);
  for (AdminCall& call : waiting) {
    if (call.deadline > now) {
      admin_waiting_.push_back(std::move(call));
    } else {
      call.done(AdminError(ErrorCode::kNotController, kNotSent));
    }
  }
  std::vector<uint64_t> late;
  for (const auto& [id, call] : admin_sent_) {
    if (call.deadline <= now) late.push_back(id);
  }
  for (const uint64_t id : late) {
    const AdminDone done = std::move(admin_sent_.at(id).done);
    admin_sent_.erase(id);
    done(AdminError(ErrorCode::kRequestTimedOut, kUnknownOutcome));
  }
  std::deque<AllocateCall> allocates;
  allocates.swap(allocate_waiting_);
  for (AllocateCall& call : allocates) {
    if (call.deadline > now) {
      allocate_waiting_.push_back(std::move(call));
    } else {
      call.done(ErrorCode::kNotController, kNoProducerId, 0);
    }
  }
}

void ControllerRequests::FailAll(ErrorCode error) {
  OnLost();
  for (AdminCall& call : std::exchange(admin_waiting_, {})) {
    call.done(AdminError(error, "the broker shuts down"));
  }
  for (AllocateCall& call : std::exchange(allocate_waiting_, {})) {
    call.done(error, kNoProducerId, 0);
  }
}

}  // namespace quipu
