// Transfers: what was read is what was sent, and no money comes or goes.
#include "tests/history/history_index.h"

namespace quipu::history {
namespace {

std::string ToText(const Transfer& transfer) {
  return std::to_string(transfer.amount) + " from " + transfer.from + " to " + transfer.to;
}

// Readers that have not had the time to reach it may lack it.
bool ShouldBeRead(const HistoryIndex& index, const Send& send, const Options& options) {
  if (index.WasRead(send.value)) return true;
  if (send.outcome != EventType::kOk) return false;
  return options.complete ||
         (send.offset != kNone && send.offset <= index.HighestRead(send.partition));
}

}  // namespace

// The balances as readers have them, each record once for each place where it was read, against
// what the transfers that are there should have made of them.
void FindTransfers(const HistoryIndex& index, const Options& options, Findings& findings) {
  std::map<std::string, int64_t> as_read;
  std::map<std::string, int64_t> as_sent;
  std::map<Place, int64_t> applied;  // each place counts once, however many have read it
  for (const Event& event : index.events()) {
    if (event.kind != EventKind::kPoll || event.type != EventType::kOk) continue;
    for (const Record& record : event.records) {
      if (!record.has_transfer) continue;
      const Place place{event.partition, record.offset};
      if (!applied.try_emplace(place, record.value).second) continue;
      as_read[record.transfer.from] -= record.transfer.amount;
      as_read[record.transfer.to] += record.transfer.amount;
    }
  }
  for (const auto& [value, transfer] : index.transfers_read()) {
    const Send* send = index.FindSend(value);
    if (send == nullptr) continue;  // a phantom
    if (!(send->transfer == transfer)) {
      findings.Add("wrong-transfer", [send, sent_value = value, read = transfer] {
        return "transfer " + std::to_string(sent_value) + " was sent as " + ToText(send->transfer) +
               " and read as " + ToText(read);
      });
    }
  }
  for (const Send& send : index.sends()) {
    if (!send.is_transfer || !ShouldBeRead(index, send, options)) continue;
    as_sent[send.transfer.from] -= send.transfer.amount;
    as_sent[send.transfer.to] += send.transfer.amount;
  }
  if (applied.empty()) return;
  for (const auto& [account, amount] : as_sent) as_read.try_emplace(account, 0);
  for (const auto& [account, balance] : as_read) {
    const auto sent = as_sent.find(account);
    const int64_t due = sent == as_sent.end() ? 0 : sent->second;
    if (balance == due) continue;
    findings.Add("total-not-conserved", [&, name = account, has = balance] {
      return "account " + name + " stands at " + std::to_string(has) + " where " +
             std::to_string(due) + " is due";
    });
  }
}

}  // namespace quipu::history
