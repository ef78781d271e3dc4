// What the active controller does for each request of a broker.
#include <utility>

#include "base/check.h"
#include "base/logging.h"
#include "controller/active_controller.h"

namespace quipu {

void ActiveController::OnRequest(const ControlStreamPtr& stream, Request request) {
  if (!stream->open) return;  // closed by us: a newer stream has taken over, or it misbehaved
  if (!active()) {
    Refuse(stream, request, ErrorCode::kNotController);
    return;
  }
  if (waiters_.full() || reads_ >= kRequestsMax) {
    Refuse(stream, request, ErrorCode::kLimitReached);
    return;
  }
  switch (request.request_case()) {
    case Request::kRegister:
      return Register(stream, request);
    case Request::kHeartbeat:
      return Heartbeat(stream, request);
    case Request::kAlterPartitions:
      return AlterPartitions(stream, request);
    case Request::kAllocateProducerIds:
      return AllocateProducerIds(stream, request);
    case Request::kAdmin:
      return Admin(stream, request);
    case Request::kSubscribe:
      return Subscribe(stream, request);
    case Request::REQUEST_NOT_SET:
      break;
  }
  CloseStream(stream, ToStatus(ErrorCode::kInvalidRequest, "an unknown request"));
}

void ActiveController::Register(const ControlStreamPtr& stream, const Request& request) {
  const Instant now = ports_.outside.executor().GetNow().mono;
  Decision<message::RegisterBrokerResponse> decision = core_.Register(request.register_(), now);
  if (decision.response.error_code() == 0) {
    sessions_.Bind(stream, BrokerId(request.register_().broker_id()));
  } else {
    LogWarn("broker.refused", {{"broker", std::to_string(request.register_().broker_id())},
                               {"reason", decision.response.error_message()}});
  }
  Answer answer;
  *answer.mutable_register_() = std::move(decision.response);
  Commit(stream, request, decision.batch, std::move(answer), [](LogIndex index, Answer& filled) {
    ControllerCore::FillEpoch(index, *filled.mutable_register_());
  });
}

void ActiveController::Heartbeat(const ControlStreamPtr& stream, const Request& request) {
  const Instant now = ports_.outside.executor().GetNow().mono;
  Decision<message::BrokerHeartbeatResponse> decision = core_.Heartbeat(request.heartbeat(), now);
  if (decision.response.error_code() == 0) {
    sessions_.Bind(stream, BrokerId(request.heartbeat().broker_id()));
  }
  Answer answer;
  *answer.mutable_heartbeat() = std::move(decision.response);
  if (decision.batch.records_size() > 0) {
    Commit(stream, request, decision.batch, std::move(answer));
  } else {
    // Only a hint, so it need not be linearizable: no round of read index every half second.
    answer.set_request_id(request.request_id());
    ParkAnswer(appended_, stream, std::move(answer));
  }
}

void ActiveController::AlterPartitions(const ControlStreamPtr& stream, const Request& request) {
  // Only after a registration or heartbeat on this stream, in this activity: so a copy that
  // lingered in a stream of a former activity, and was refused to its sender by somebody else
  // meanwhile, is never carried out.
  if (stream->broker != BrokerId(request.alter_partitions().broker_id())) {
    Refuse(stream, request, ErrorCode::kStaleControllerEpoch);
    return;
  }
  Decision<message::AlterPartitionsResponse> decision =
      core_.AlterPartitions(request.alter_partitions());
  Answer answer;
  *answer.mutable_alter_partitions() = std::move(decision.response);
  Commit(stream, request, decision.batch, std::move(answer));
}

void ActiveController::AllocateProducerIds(const ControlStreamPtr& stream, const Request& request) {
  Decision<message::AllocateProducerIdsResponse> decision =
      core_.AllocateProducerIds(request.allocate_producer_ids());
  Answer answer;
  *answer.mutable_allocate_producer_ids() = std::move(decision.response);
  Commit(stream, request, decision.batch, std::move(answer));
}

void ActiveController::Admin(const ControlStreamPtr& stream, const Request& request) {
  Answer answer;
  if (request.admin().request_case() == message::AdminRequest::kDescribeQuorum) {
    *answer.mutable_admin()->mutable_describe_quorum() =
        DescribeQuorum(ports_.raft.core(), ports_.outside.executor().GetNow().mono);
    AnswerAfterRead(stream, request, std::move(answer));
    return;
  }
  const bool replaces = request.admin().request_case() == message::AdminRequest::kReplaceVoter;
  if (replaces && !request.admin().validate_only()) {
    ReplaceVoter(stream, request);
    return;
  }
  Decision<message::AdminResponse> decision = core_.Admin(request.admin());
  *answer.mutable_admin() = std::move(decision.response);
  Commit(stream, request, decision.batch, std::move(answer));
}

void ActiveController::ReplaceVoter(const ControlStreamPtr& stream, const Request& request) {
  const VoterReplacement::Begun begun = replacement_.Begin(request.admin().replace_voter());
  Answer answer;
  answer.mutable_admin()->set_error_code(static_cast<int32_t>(begun.error));
  answer.mutable_admin()->set_error_message(begun.message);
  if (!begun.index.has_value()) {
    AnswerAfterRead(stream, request, std::move(answer));
    return;
  }
  answer.set_request_id(request.request_id());
  ParkAnswer(*begun.index, stream, std::move(answer));
}

void ActiveController::Subscribe(const ControlStreamPtr& stream, const Request& request) {
  publisher_.Subscribe(stream, request.request_id(), LogIndex(request.subscribe().next_index()),
                       ports_.outside.executor().GetNow().mono);
  Publish();
}

void ActiveController::Commit(const ControlStreamPtr& stream, const Request& request,
                              const record::MetadataBatch& batch, Answer answer,
                              const std::function<void(LogIndex, Answer&)>& fill) {
  if (batch.records_size() == 0) {
    AnswerAfterRead(stream, request, std::move(answer));
    return;
  }
  ErrorCode error = ErrorCode::kNone;
  const std::optional<LogIndex> index = Append(batch, error);
  if (!index.has_value()) {
    Refuse(stream, request, error);
    return;
  }
  if (fill != nullptr) fill(*index, answer);
  answer.set_request_id(request.request_id());
  ParkAnswer(*index, stream, std::move(answer));
}

void ActiveController::AnswerAfterRead(const ControlStreamPtr& stream, const Request& request,
                                       Answer answer) {
  answer.set_request_id(request.request_id());
  ++reads_;
  // The decision may rest on entries that are not committed yet.
  const LogIndex seen = appended_;
  std::weak_ptr<const bool> alive = alive_;
  ports_.raft.ReadIndex([this, alive, stream, request, seen, term = term_,
                         answer = std::move(answer)](absl::StatusOr<LogIndex> index) {
    if (alive.lock() == nullptr) return;
    --reads_;
    if (!active() || term != term_) return;  // the stream was closed: outcome unknown
    if (!index.ok()) {
      Refuse(stream, request, CodeOf(index.status()));
      return;
    }
    ParkAnswer(seen, stream, answer);
  });
}

void ActiveController::ParkAnswer(LogIndex index, const ControlStreamPtr& stream, Answer answer) {
  waiters_.Park(index, [stream, answer = std::move(answer)] {
    if (stream->open) stream->sender->Send(answer);
  });
}

// An answer without effect. NotController has its own message; a request that has no field for an
// error loses its stream.
void ActiveController::Refuse(const ControlStreamPtr& stream, const Request& request,
                              ErrorCode error) {
  if (!stream->open) return;
  const auto code = static_cast<int32_t>(error);
  Answer answer;
  answer.set_request_id(request.request_id());
  if (error == ErrorCode::kNotController) {
    const ControllerId leader = active() ? kNoController : leader_;
    answer.mutable_not_controller()->set_leader_id(leader.value());
    stream->sender->Send(std::move(answer));
    return;
  }
  switch (request.request_case()) {
    case Request::kRegister:
      answer.mutable_register_()->set_error_code(code);
      break;
    case Request::kHeartbeat:
      answer.mutable_heartbeat()->set_error_code(code);
      break;
    case Request::kAlterPartitions:
      answer.mutable_alter_partitions()->set_error_code(code);
      break;
    case Request::kAllocateProducerIds:
      answer.mutable_allocate_producer_ids()->set_error_code(code);
      break;
    case Request::kAdmin:
      answer.mutable_admin()->set_error_code(code);
      answer.mutable_admin()->set_error_message(std::string(ErrorDescription(error)));
      break;
    case Request::kSubscribe:
    case Request::REQUEST_NOT_SET:
      CloseStream(stream, ToStatus(error, "the active controller has too much to do"));
      return;
  }
  stream->sender->Send(std::move(answer));
}

}  // namespace quipu
