#include "client/examples/payments/verification.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace quipu::payments {
namespace {

// Position of a column, or nothing for an empty name.
absl::StatusOr<std::optional<size_t>> OptionalColumn(const CsvReader& reader,
                                                     const std::string& name) {
  if (name.empty()) return std::optional<size_t>();
  QUIPU_ASSIGN_OR_RETURN(const size_t index, reader.ColumnIndex(name));
  return std::optional<size_t>(index);
}

}  // namespace

void PaymentVerification::Find(const char* kind, const std::string& text) {
  ++findings_[kind];
  if (shown_.size() < options_.findings_shown_max) shown_.push_back(absl::StrCat(kind, ": ", text));
}

void PaymentVerification::Expect(Payment payment) {
  expected_order_.push_back(payment.row);
  const uint64_t row = payment.row;
  expected_[row] = ExpectedRow{.payment = std::move(payment), .seen = false};
}

void PaymentVerification::OnRecord(PartitionIndex partition, Offset offset, absl::string_view key,
                                   absl::string_view value) {
  ++records_;
  const std::string where =
      absl::StrCat("partition ", partition.value(), " offset ", offset.value());
  const absl::StatusOr<Payment> payment = DecodePayment(key, value);
  if (!payment.ok()) return Find("foreign", absl::StrCat(where, ": ", payment.status().message()));
  const auto expected = expected_.find(payment->row);
  if (expected == expected_.end()) {
    return Find("foreign", absl::StrCat(where, ": row ", payment->row, " is not in the input"));
  }
  if (expected->second.seen) {
    return Find("doubled", absl::StrCat(where, ": row ", payment->row, " of account ", payment->key,
                                        " is here a second time"));
  }
  expected->second.seen = true;
  const Payment& sent = expected->second.payment;
  if (sent.key != payment->key || sent.text != payment->text || sent.amount != payment->amount ||
      sent.balance != payment->balance) {
    Find("altered", absl::StrCat(where, ": row ", payment->row, " differs from the input"));
  }
  const auto [state, is_new] = states_.try_emplace(payment->key);
  if (is_new) state->second.partition = partition;
  if (state->second.partition != partition) {
    Find("scattered", absl::StrCat(where, ": account ", payment->key, " is in partition ",
                                   state->second.partition.value(), " too"));
  }
  if (state->second.last_row.has_value() && payment->row < *state->second.last_row) {
    Find("reordered", absl::StrCat(where, ": row ", payment->row, " of account ", payment->key,
                                   " stands behind row ", *state->second.last_row));
  }
  state->second.last_row = payment->row;
  CheckBalance(*payment, state->second, where);
}

void PaymentVerification::CheckBalance(const Payment& payment, AccountState& state,
                                       const std::string& where) {
  AccountTotal& total = totals_[payment.key];
  ++total.payments;
  const std::optional<int64_t> sum = AddAmounts(total.sum, payment.amount);
  if (sum.has_value()) {
    total.sum = *sum;
  } else {
    Find("overflow",
         absl::StrCat(where, ": account ", payment.key, ": its sum of ", total.sum,
                      " and a payment of ", payment.amount, " do not fit into 64 bits"));
  }
  total.final_balance = payment.balance.value_or(total.sum);
  if (!payment.balance.has_value()) return;
  const std::optional<int64_t> follows = AddAmounts(state.last_balance.value_or(0), payment.amount);
  int64_t difference = 0;
  const bool apart =
      !follows.has_value() || __builtin_sub_overflow(*follows, *payment.balance, &difference) ||
      difference > options_.balance_tolerance || difference < -options_.balance_tolerance;
  if (apart) {
    Find("unbalanced",
         absl::StrCat(where, ": account ", payment.key, ": balance ", *payment.balance,
                      " does not follow from ", state.last_balance.value_or(0), " and payment ",
                      payment.amount));
  }
  state.last_balance = payment.balance;
}

void PaymentVerification::Finish() {
  for (const uint64_t row : expected_order_) {
    const ExpectedRow& expected = expected_.at(row);
    if (!expected.seen) {
      Find("lost", absl::StrCat("row ", row, " (line ", expected.payment.line, ") of account ",
                                expected.payment.key));
    }
  }
}

absl::Status PaymentVerification::CompareTable(const std::string& path,
                                               ExpectedTableColumns columns) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<CsvReader> reader, CsvReader::Open(path));
  const std::vector<std::string>& header = reader->header();
  if (columns.key.empty() && !header.empty()) columns.key = header.front();
  if (columns.count.empty()) columns.count = FirstPresent(header, {"payments"});
  if (columns.sum.empty()) {
    columns.sum = FirstPresent(header, {"sum", "sum_signed_hundredths", "total_net_pence"});
  }
  if (columns.balance.empty()) {
    columns.balance = FirstPresent(header, {"final_balance", "final_balance_hundredths"});
  }
  QUIPU_ASSIGN_OR_RETURN(const size_t key, reader->ColumnIndex(columns.key));
  QUIPU_ASSIGN_OR_RETURN(const auto count, OptionalColumn(*reader, columns.count));
  QUIPU_ASSIGN_OR_RETURN(const auto sum, OptionalColumn(*reader, columns.sum));
  QUIPU_ASSIGN_OR_RETURN(const auto balance, OptionalColumn(*reader, columns.balance));
  if (!count && !sum && !balance) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":1: no column for payments, sum or final balance"));
  }
  uint64_t compared = 0;
  while (true) {
    QUIPU_ASSIGN_OR_RETURN(const std::optional<CsvRow> row, reader->Next());
    if (!row.has_value()) break;
    ++compared;
    const auto found = totals_.find(row->fields[key]);
    if (found == totals_.end()) {
      Find("table",
           absl::StrCat(path, ":", row->line, ": account ", row->fields[key], " is missing"));
      continue;
    }
    const AccountTotal& total = found->second;
    const bool same = (!count || row->fields[*count] == absl::StrCat(total.payments)) &&
                      (!sum || row->fields[*sum] == absl::StrCat(total.sum)) &&
                      (!balance || row->fields[*balance] == absl::StrCat(total.final_balance));
    if (!same) {
      Find("table", absl::StrCat(path, ":", row->line, ": account ", row->fields[key], " has ",
                                 total.payments, " payments, sum ", total.sum, ", final balance ",
                                 total.final_balance));
    }
  }
  if (compared != totals_.size()) {
    Find("table", absl::StrCat(path, " has ", compared, " accounts, the log ", totals_.size()));
  }
  return absl::OkStatus();
}

void PaymentVerification::CompareLedger(const PartitionLedger& ledger) {
  for (const auto& [account, total] : ledger.accounts()) {
    if (!ledger_totals_.try_emplace(account, total).second) {
      Find("applied", absl::StrCat("account ", account, " is in two ledgers"));
    }
  }
}

void PaymentVerification::FinishLedgers() {
  for (const auto& [account, total] : totals_) {
    const auto found = ledger_totals_.find(account);
    if (found == ledger_totals_.end() || found->second != total) {
      Find("applied", absl::StrCat("account ", account, ": the consumers applied ",
                                   found == ledger_totals_.end() ? 0 : found->second.payments,
                                   " payments, the log has ", total.payments));
    }
  }
  if (ledger_totals_.size() != totals_.size()) {
    Find("applied", absl::StrCat("the consumers know ", ledger_totals_.size(),
                                 " accounts, the log ", totals_.size()));
  }
}

}  // namespace quipu::payments
