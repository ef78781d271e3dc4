// One broker in the test's process, behind real sockets: one topic "t", a log in memory per
// partition, no replication. Only what the SDK's tests need.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/record/record_batch.h"
#include "core/request/log_codec.h"
#include "proto/rpc/services.grpc.pb.h"
#include "runtime/grpc/server.h"

namespace quipu::test {

class FakeBroker {
 public:
  using LogService =
      rpc::Log::WithRawMethod_Produce<rpc::Log::WithRawMethod_Fetch<rpc::Log::Service>>;

  explicit FakeBroker(int32_t partitions, uint16_t port = 0)
      : partitions_(partitions), server_({.name = "fake", .port = port}) {
    auto log = std::make_unique<LogService>();
    auto* raw_log = log.get();
    auto broker = std::make_unique<rpc::Broker::AsyncService>();
    auto* raw = broker.get();
    server_.AddService(std::move(log));
    server_.AddService(std::move(broker));
    server_.AddStream(
        "Log/Produce",
        [raw_log](auto* context, auto* stream, auto* queue, void* tag) {
          raw_log->RequestProduce(context, stream, queue, queue, tag);
        },
        {}, [this](const std::shared_ptr<ServerStream>& stream) { return Produce(stream); });
    server_.AddStream(
        "Log/Fetch",
        [raw_log](auto* context, auto* stream, auto* queue, void* tag) {
          raw_log->RequestFetch(context, stream, queue, queue, tag);
        },
        {}, [this](const std::shared_ptr<ServerStream>& stream) { return Fetch(stream); });
    server_.AddUnary<message::MetadataRequest, message::MetadataResponse>(
        "Broker/Metadata",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestMetadata(context, request, responder, queue, queue, tag);
        },
        [this](message::MetadataRequest request,
               std::function<void(message::MetadataResponse)> reply) { reply(Metadata(request)); });
    server_.AddUnary<message::InitProducerIdRequest, message::InitProducerIdResponse>(
        "Broker/InitProducerId",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestInitProducerId(context, request, responder, queue, queue, tag);
        },
        [](message::InitProducerIdRequest request,
           std::function<void(message::InitProducerIdResponse)> reply) {
          message::InitProducerIdResponse response;
          response.set_producer_id(request.producer_id() < 0 ? 7 : request.producer_id());
          response.set_producer_epoch(request.producer_epoch() + 1);
          reply(response);
        });
    server_.AddUnary<message::ListOffsetsRequest, message::ListOffsetsResponse>(
        "Broker/ListOffsets",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestListOffsets(context, request, responder, queue, queue, tag);
        },
        [this](message::ListOffsetsRequest request,
               std::function<void(message::ListOffsetsResponse)> reply) {
          reply(ListOffsets(request));
        });
    AddGroups();
    EXPECT_TRUE(server_.Start().ok());
  }

  [[nodiscard]] uint16_t port() const { return server_.port(); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  void Stop() { server_.Shutdown(Duration(0)); }

  // Errors to answer produce requests with, one partition result each, after `spared` others.
  void FailNextProduces(ErrorCode error, int count, int spared = 0) {
    const std::lock_guard<std::mutex> lock(mutex_);
    fail_error_ = error;
    fail_count_ = count;
    spared_ = spared;
  }
  std::vector<Bytes> Log(int32_t partition) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return logs_[partition];
  }
  int64_t Committed(int32_t partition) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = committed_.find(partition);
    return found == committed_.end() ? -1 : found->second;
  }
  void DeleteTopic() {
    const std::lock_guard<std::mutex> lock(mutex_);
    deleted_ = true;
  }
  void SetCommitted(int32_t partition, int64_t offset) {
    const std::lock_guard<std::mutex> lock(mutex_);
    committed_[partition] = offset;
  }
  // The next heartbeat answers with these partitions only.
  void Reassign(std::vector<int32_t> partitions) {
    const std::lock_guard<std::mutex> lock(mutex_);
    assignment_ = std::move(partitions);
    assignment_changed_ = true;
  }
  // What the member said last that it owns.
  std::vector<int32_t> Owned() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return owned_;
  }
  bool Left() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return left_;
  }
  int64_t End(int32_t partition) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ends_[partition];
  }

 private:
  static constexpr TopicId kTopicId{3, 4};

  RawHandler Produce(const std::shared_ptr<ServerStream>& stream) {
    return {.on_message =
                [this, stream](const Bytes& bytes) {
                  const absl::StatusOr<ProduceRequest> request = DecodeProduceRequest(bytes);
                  if (!request.ok()) return request.status();
                  ProduceResponse response;
                  response.request_id = request->request_id;
                  for (const ProducePartition& part : request->partitions) {
                    response.partitions.push_back(Append(part));
                  }
                  stream->Send(Encode(response));
                  return absl::OkStatus();
                },
            .on_closed = [](const absl::Status&) {}};
  }
  ProducePartitionResult Append(const ProducePartition& part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ProducePartitionResult result;
    result.topic_id = part.topic_id;
    result.partition = part.partition;
    if (fail_count_ > 0 && --spared_ < 0) {
      --fail_count_;
      result.error = fail_error_;
      return result;
    }
    const auto view = RecordBatchView::Parse(part.records);
    if (!view.ok() || !view->CrcMatches()) {
      result.error = ErrorCode::kCorruptMessage;
      return result;
    }
    int64_t& end = ends_[part.partition.value()];
    int32_t& next = next_sequence_[part.partition.value()];
    int16_t& epoch = epochs_[part.partition.value()];
    if (view->producer_epoch().value() > epoch) next = 0;
    epoch = view->producer_epoch().value();
    if (view->base_sequence().value() != next) {
      result.error = ErrorCode::kOutOfOrderSequence;
      return result;
    }
    next += view->record_count();
    logs_[part.partition.value()].push_back(
        StampBatch(*view, Offset(end), LeaderEpoch(1), std::nullopt));
    result.base_offset = Offset(end);
    end += view->record_count();
    return result;
  }
  RawHandler Fetch(const std::shared_ptr<ServerStream>& stream) {
    return {.on_message =
                [this, stream](const Bytes& bytes) {
                  const absl::StatusOr<FetchRequest> request = DecodeFetchRequest(bytes);
                  if (!request.ok()) return request.status();
                  FetchResponse response;
                  response.request_id = request->request_id;
                  const std::lock_guard<std::mutex> lock(mutex_);
                  for (const FetchPartition& part : request->partitions) {
                    FetchPartitionResult result;
                    result.topic_id = part.topic_id;
                    result.partition = part.partition;
                    if (deleted_) result.error = ErrorCode::kUnknownTopicId;
                    result.high_watermark = Offset(ends_[part.partition.value()]);
                    for (const Bytes& batch : logs_[part.partition.value()]) {
                      const auto view = RecordBatchView::Parse(batch);
                      if (view->end_offset() > part.fetch_offset) result.batches.push_back(batch);
                    }
                    response.partitions.push_back(std::move(result));
                  }
                  stream->Send(Encode(response));
                  return absl::OkStatus();
                },
            .on_closed = [](const absl::Status&) {}};
  }
  message::MetadataResponse Metadata(const message::MetadataRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    message::MetadataResponse response;
    response.set_cluster_id(std::string(16, 'c'));
    response.set_metadata_index(deleted_ ? 2 : 1);
    message::BrokerInfo* broker = response.add_brokers();
    broker->set_broker_id(1);
    broker->mutable_endpoint()->set_host("127.0.0.1");
    broker->mutable_endpoint()->set_port(port());
    for (const std::string& name : request.topics()) {
      message::TopicInfo* topic = response.add_topics();
      topic->set_name(name);
      if (name != "t" || deleted_) {
        topic->set_error_code(static_cast<int32_t>(ErrorCode::kUnknownTopicOrPartition));
        continue;
      }
      topic->set_topic_id(kTopicId.ToBytes());
      for (int32_t i = 0; i < partitions_; ++i) {
        message::PartitionInfo* partition = topic->add_partitions();
        partition->set_partition(i);
        partition->set_leader(1);
        partition->set_leader_epoch(1);
      }
    }
    return response;
  }
  message::ListOffsetsResponse ListOffsets(const message::ListOffsetsRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    message::ListOffsetsResponse response;
    for (const auto& wanted : request.partitions()) {
      message::ListOffsetsResponse::Partition* result = response.add_partitions();
      result->set_topic_id(wanted.topic_id());
      result->set_partition(wanted.partition());
      result->set_offset(wanted.timestamp() == -1 ? ends_[wanted.partition()] : 0);
      if (wanted.timestamp() >= 0) FindByTime(wanted.timestamp(), *result);
    }
    return response;
  }

  void FindByTime(int64_t timestamp, message::ListOffsetsResponse::Partition& result) {
    result.set_offset(-1);
    result.set_timestamp(-1);
    for (const Bytes& batch : logs_[result.partition()]) {
      const auto view = RecordBatchView::Parse(batch);
      const auto decoded = DecodedBatch::Decode(*view);
      for (const RecordView& record : decoded->records()) {
        if (record.timestamp.value() < timestamp || result.offset() >= 0) continue;
        result.set_offset(record.offset.value());
        result.set_timestamp(record.timestamp.value());
        result.set_leader_epoch(1);
      }
    }
  }

  // A coordinator of groups of one member.
  void AddGroups() {
    auto groups = std::make_unique<rpc::Groups::AsyncService>();
    auto* raw = groups.get();
    server_.AddService(std::move(groups));
    for (int32_t i = 0; i < partitions_; ++i) assignment_.push_back(i);
    server_.AddUnary<message::FindCoordinatorRequest, message::FindCoordinatorResponse>(
        "Groups/FindCoordinator",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestFindCoordinator(context, request, responder, queue, queue, tag);
        },
        [this](message::FindCoordinatorRequest,
               std::function<void(message::FindCoordinatorResponse)> reply) {
          message::FindCoordinatorResponse response;
          response.mutable_endpoint()->set_host("127.0.0.1");
          response.mutable_endpoint()->set_port(port());
          reply(response);
        });
    server_.AddUnary<message::GroupHeartbeatRequest, message::GroupHeartbeatResponse>(
        "Groups/Heartbeat",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestHeartbeat(context, request, responder, queue, queue, tag);
        },
        [this](message::GroupHeartbeatRequest request,
               std::function<void(message::GroupHeartbeatResponse)> reply) {
          reply(Heartbeat(request));
        });
    server_.AddUnary<message::OffsetCommitRequest, message::OffsetCommitResponse>(
        "Groups/OffsetCommit",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestOffsetCommit(context, request, responder, queue, queue, tag);
        },
        [this](message::OffsetCommitRequest request,
               std::function<void(message::OffsetCommitResponse)> reply) {
          const std::lock_guard<std::mutex> lock(mutex_);
          for (const auto& p : request.partitions()) committed_[p.partition()] = p.offset();
          reply({});
        });
    server_.AddUnary<message::OffsetFetchRequest, message::OffsetFetchResponse>(
        "Groups/OffsetFetch",
        [raw](auto* context, auto* request, auto* responder, auto* queue, void* tag) {
          raw->RequestOffsetFetch(context, request, responder, queue, queue, tag);
        },
        [this](message::OffsetFetchRequest request,
               std::function<void(message::OffsetFetchResponse)> reply) {
          reply(OffsetFetch(request));
        });
  }
  message::GroupHeartbeatResponse Heartbeat(const message::GroupHeartbeatRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    message::GroupHeartbeatResponse response;
    if (request.member_epoch() < 0) {
      left_ = true;
      response.set_member_epoch(-1);
      return response;
    }
    if (request.owned_present()) {
      owned_.clear();
      for (const auto& topic : request.owned()) {
        owned_.insert(owned_.end(), topic.partitions().begin(), topic.partitions().end());
      }
    }
    response.set_member_epoch(1);
    response.set_heartbeat_interval_ms(20);
    if (request.member_epoch() == 0 || assignment_changed_) {
      assignment_changed_ = false;
      response.set_assignment_present(true);
      record::TopicPartitions* topic = response.add_assignment();
      topic->set_topic_id(kTopicId.ToBytes());
      for (int32_t partition : assignment_) topic->add_partitions(partition);
    }
    return response;
  }
  message::OffsetFetchResponse OffsetFetch(const message::OffsetFetchRequest& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    message::OffsetFetchResponse response;
    for (const auto& topic : request.partitions()) {
      for (int32_t partition : topic.partitions()) {
        message::OffsetFetchResponse::Partition* result = response.add_partitions();
        result->set_topic_id(topic.topic_id());
        result->set_partition(partition);
        const auto found = committed_.find(partition);
        result->set_offset(found == committed_.end() ? -1 : found->second);
        result->set_leader_epoch(-1);
      }
    }
    return response;
  }

  const int32_t partitions_;
  std::mutex mutex_;
  std::map<int32_t, int64_t> committed_;
  std::vector<int32_t> assignment_;
  bool assignment_changed_ = false;
  std::vector<int32_t> owned_;
  bool left_ = false;
  std::map<int32_t, std::vector<Bytes>> logs_;
  std::map<int32_t, int64_t> ends_;
  std::map<int32_t, int32_t> next_sequence_;
  std::map<int32_t, int16_t> epochs_;
  ErrorCode fail_error_ = ErrorCode::kNone;
  int fail_count_ = 0;
  int spared_ = 0;
  bool deleted_ = false;
  GrpcServer server_;
};

}  // namespace quipu::test
