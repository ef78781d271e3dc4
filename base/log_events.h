// Every event that is logged, by its stable name. The legend in docs/testing.md is made of them,
// and an event that is not here does not compile.
#pragma once

#include <cstddef>
#include <iterator>

#include "absl/strings/string_view.h"

namespace quipu {

struct LogEventSpec {
  absl::string_view name;
  absl::string_view of;       // "broker", "controller", "both" (of these) or "client" (the SDK)
  absl::string_view message;  // what happened, for a person: the line's msg and the legend's text
};

// To add an event: a row here, and `quipu-docs --write .`. Names are never used again for something
// else. A row that no code logs fails a test.
inline constexpr LogEventSpec kLogEvents[] = {
    // Start, stop and configuration.
    {"config.refused", "both", "the configuration is wrong: place, key, value, what was expected"},
    {"config.unsafe", "both", "an unsafe setting is in force, and what that means"},
    {"config.changed", "controller", "a setting was changed while the cluster runs"},
    {"config.warning", "both", "a setting is allowed and most likely a mistake"},
    {"broker.serving", "broker", "storage is open and its listeners serve"},
    {"broker.refused", "both", "a broker's start or registration is refused"},
    {"broker.signal", "broker", "a signal asks the broker to stop"},
    {"broker.stopping", "broker", "leaderships have moved away or the time for it is over"},
    {"broker.drained", "broker", "`quipu broker drain` is done: the process stops"},
    {"broker.stopped", "broker", "the broker has stopped as asked"},
    {"controller.serving", "controller", "storage is open and the listener serves"},
    {"controller.refused", "controller", "the controller does not start"},
    {"controller.signal", "controller", "a signal asks the controller to stop"},
    {"controller.steps_down", "controller",
     "a leader that stops has resigned and waits until another one leads"},
    {"controller.stopped", "controller", "the controller has stopped as asked"},
    {"process.stopped", "both", "the process ends itself at once (exit code 1)"},
    {"process.check_failed", "both",
     "a rule of the program is broken: the process ends at once, with a core where that is on"},
    {"service.notify_failed", "both", "the service manager could not be told of a change of state"},
    {"service.watchdog_not_fed", "both",
     "a thread or the disk does not answer: the service manager will restart the process"},
    {"service.watchdog_unreadable", "both", "WATCHDOG_USEC cannot be used: no watchdog"},
    {"log.suppressed", "both",
     "lines of an event beyond log.event.lines.max in ten seconds, which were not written"},
    // Brokers and their place in the cluster.
    {"broker.registered", "both", "a broker was given an epoch"},
    {"broker.registered_unclean", "broker",
     "the controllers took the broker out of every ISR and ELR"},
    {"broker.registration_refused", "broker", "registration is refused for now; tried again"},
    {"broker.fenced", "controller", "a broker takes no part any more"},
    {"broker.unfenced", "controller", "a broker takes part again"},
    {"broker.connection_refused", "controller",
     "a broker's stream broke and its peer listener refuses: fenced at once"},
    {"control.stream_closed", "broker", "the stream to the active controller ended; opened again"},
    {"metadata.stale_controller", "broker", "an update of a deposed controller was dropped"},
    // Disks.
    {"storage.no_aio", "broker",
     "the kernel has no AIO left (fs.aio-max-nr) or none: a group's writes wait for each other"},
    {"storage.segment_unknown", "broker",
     "not all that a segment of the journal holds is known: it is never freed"},
    {"storage.group_damaged", "broker",
     "bytes of batches in a synced group changed: those are repaired when they are read"},
    {"storage.unproven", "broker",
     "the log cannot be shown to be complete: why, and what was kept or set aside"},
    {"broker.disk_full", "broker", "less free space than quipu.disk.free.bytes.min"},
    {"broker.disk_has_space", "broker", "enough free space again"},
    {"broker.disk_stalled", "broker", "a write takes longer than quipu.disk.stall.shed.ms"},
    {"broker.disk_answers", "broker",
     "no write took longer than quipu.disk.stall.shed.ms for five times as long"},
    {"controller.disk_stalled", "controller", "a write takes longer than quipu.disk.stall.shed.ms"},
    {"controller.disk_answers", "controller",
     "no write took longer than quipu.disk.stall.shed.ms for five times as long"},
    {"broker.ballast_released", "broker", "less than the ballast was left: it is given up"},
    {"broker.no_ballast", "broker", "no ballast could be laid aside"},
    {"broker.ballast_not_removed", "broker", "the ballast could not be removed"},
    // Logs of partitions.
    {"log.drop", "broker", "the log of a partition that is gone is removed"},
    {"log.unreadable", "broker", "a log cannot be recovered: the broker does not start"},
    {"log.read_failed", "broker", "a log could not be read, and not for a single batch"},
    {"log.batch_damaged", "broker", "a stored batch fails its checksum"},
    {"log.batch_repaired", "broker", "a sound copy from another replica was written in its place"},
    {"log.batch_refused", "broker", "no replica has a sound copy: these offsets are refused"},
    {"log.repair_failed", "broker",
     "a replica that was asked had no sound copy, or did not answer"},
    {"log.producers_recovered", "broker",
     "the sequence numbers behind a repaired batch were read again"},
    {"log.producers_not_recovered", "broker",
     "the sequence numbers behind a repaired batch could not be read again"},
    {"retention.failed", "broker", "the store could not say where a log should begin"},
    // Replication.
    {"replica.stream_refused", "broker", "replication from that leader stopped; tried again"},
    {"replica.stream_closed", "broker", "the replica stream to that leader ended; opened again"},
    {"replica.leader_damaged", "broker",
     "the leader's copy of what this follower needs next is damaged; asked again"},
    {"repair.stream_refused", "broker", "a replica refuses to be asked for a sound copy"},
    // Groups.
    {"group.coordinator_ready", "broker",
     "this broker coordinates a partition of __consumer_offsets now"},
    {"group.load_failed", "broker",
     "a partition of __consumer_offsets is damaged: its groups get COORDINATOR_NOT_AVAILABLE"},
    {"group.topic_not_made", "broker",
     "__consumer_offsets could not be made; tried again at the next request"},
    // The quorum of controllers.
    {"controller.active", "controller", "this controller leads the quorum now"},
    {"controller.resigned", "controller", "this controller leads the quorum no longer"},
    {"controller.append_refused", "controller",
     "a decision of its own did not fit the log's limits; decided anew"},
    {"controller.observer", "controller",
     "the directory was formatted to take a voter's place; the command that does it"},
    {"voter.joins", "controller", "a voter's replacement begins: the new one catches up"},
    {"voter.removed", "controller", "a voter's replacement: the old one is taken out"},
    {"voter.added", "controller", "a voter's replacement: the new one votes"},
    {"voter.given_up", "controller", "a voter's replacement is given up"},
    {"quorum.voters", "controller", "a set of voters is committed"},
    {"raft.link.closed", "controller", "a stream to another voter ended; opened again"},
    {"topic.created", "controller", "a topic is made"},
    // Peers, libraries, clients.
    {"stream.cut", "both", "a peer that takes nothing was cut off"},
    {"listener.accept_failed", "broker",
     "a connection could not be accepted: most often there is no file descriptor left"},
    {"listener.too_many_connections", "broker", "a connection was closed: the limit is reached"},
    {"listener.connection_refused", "broker",
     "a connection is ended: what came in is not this protocol, or is too large"},
    {"kafka.answer_too_large", "broker",
     "a Kafka client's connection is ended: its answer is larger than a frame can be"},
    {"listener.connection_idle", "broker", "a connection that did nothing for too long is closed"},
    {"listener.connection_stalled", "broker",
     "a peer was cut off that sends a request or takes its answers too slowly, or not at all"},
    {"grpc", "both", "an error that gRPC reports"},
    {"protobuf", "both", "what protobuf says of a message, most often one of a stranger"},
    {"client.interceptor_failed", "client",
     "an interceptor returned an error; the record goes its way all the same"},
    {"consumer.auto_commit_failed", "client",
     "with enable.auto.commit: a commit failed; a later one takes these records along"},
    {"consumer.commit_before_revocation_failed", "client",
     "with enable.auto.commit: those records may come again"},
};

inline constexpr size_t kLogEventCount = std::size(kLogEvents);

// One of kLogEvents, made of its name. Another name is an error of the compiler.
class LogEvent {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): LogInfo("broker.serving", ...)
  consteval LogEvent(const char* name) : index_(IndexOf(name)) {}

  [[nodiscard]] constexpr size_t index() const { return index_; }
  [[nodiscard]] constexpr const LogEventSpec& spec() const { return kLogEvents[index_]; }

 private:
  static consteval size_t IndexOf(absl::string_view name) {
    for (size_t i = 0; i < kLogEventCount; ++i) {
      if (kLogEvents[i].name == name) return i;
    }
    throw "no such event: add a row to kLogEvents in base/log_events.h";
  }

  size_t index_;
};

}  // namespace quipu
