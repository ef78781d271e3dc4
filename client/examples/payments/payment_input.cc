#include "client/examples/payments/payment_input.h"

#include <cstdio>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace quipu::payments {

std::string FirstPresent(const std::vector<std::string>& header,
                         std::initializer_list<const char*> names) {
  for (const char* name : names) {
    for (const std::string& column : header) {
      if (column == name) return column;
    }
  }
  return "";
}

absl::StatusOr<PaymentColumns> DetectColumns(const std::vector<std::string>& header,
                                             PaymentColumns columns) {
  if (columns.key.empty() && !header.empty()) columns.key = header.front();
  if (columns.amount.empty()) {
    columns.amount = FirstPresent(header, {"amount", "signed_hundredths", "net_pence"});
  }
  if (columns.balance.empty()) {
    columns.balance =
        FirstPresent(header, {"balance", "balance_hundredths", "running_total_pence"});
  }
  if (columns.key.empty() || columns.amount.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no amount column found; name it with --amount-column. The columns are: ",
                     absl::StrJoin(header, ", ")));
  }
  return columns;
}

PaymentInput::PaymentInput(Options options, std::unique_ptr<CsvReader> reader)
    : options_(std::move(options)), reader_(std::move(reader)) {}

absl::StatusOr<std::unique_ptr<PaymentInput>> PaymentInput::Open(Options options) {
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<CsvReader> reader, CsvReader::Open(options.path));
  QUIPU_ASSIGN_OR_RETURN(options.columns,
                         DetectColumns(reader->header(), std::move(options.columns)));
  std::unique_ptr<PaymentInput> input(new PaymentInput(std::move(options), std::move(reader)));
  const PaymentColumns& columns = input->options_.columns;
  QUIPU_ASSIGN_OR_RETURN(input->key_index_, input->reader_->ColumnIndex(columns.key));
  QUIPU_ASSIGN_OR_RETURN(input->amount_index_, input->reader_->ColumnIndex(columns.amount));
  if (!columns.balance.empty()) {
    QUIPU_ASSIGN_OR_RETURN(input->balance_index_, input->reader_->ColumnIndex(columns.balance));
  }
  return input;
}

absl::StatusOr<Payment> PaymentInput::ToPayment(CsvRow row) {
  Payment payment;
  payment.line = row.line;
  payment.key = row.fields[key_index_];
  const auto bad = [&](size_t column, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(options_.path, ":", row.line, ": column ",
                                                   column + 1, " (", reader_->header()[column],
                                                   "): ", what));
  };
  if (payment.key.empty()) return bad(key_index_, "expected an account, found nothing");
  absl::StatusOr<int64_t> amount = ParseAmount(row.fields[amount_index_]);
  if (!amount.ok()) return bad(amount_index_, amount.status().message());
  payment.amount = *amount;
  if (balance_index_.has_value()) {
    absl::StatusOr<int64_t> balance = ParseAmount(row.fields[*balance_index_]);
    if (!balance.ok()) return bad(*balance_index_, balance.status().message());
    payment.balance = *balance;
  }
  payment.text = std::move(row.text);
  return payment;
}

absl::StatusOr<std::optional<Payment>> PaymentInput::Next() {
  while (true) {
    absl::StatusOr<std::optional<CsvRow>> row = reader_->Next();
    if (row.ok() && !row->has_value()) return std::optional<Payment>();
    absl::StatusOr<Payment> payment = row.ok() ? ToPayment(std::move(**row)) : row.status();
    const uint64_t number = next_row_++;
    if (payment.ok()) {
      payment->row = number;
      return std::optional<Payment>(*std::move(payment));
    }
    // Damage of the file itself (not of one row) ends the reading in any case.
    if (!options_.skip_bad || absl::IsDataLoss(payment.status())) return payment.status();
    std::fprintf(stderr, "skipped: %s\n", std::string(payment.status().message()).c_str());
    ++bad_rows_;
  }
}

std::string EncodePayment(const Payment& payment) {
  return absl::StrCat(payment.row, "\t", payment.amount, "\t",
                      payment.balance.has_value() ? absl::StrCat(*payment.balance) : "", "\t",
                      payment.text);
}

absl::StatusOr<Payment> DecodePayment(absl::string_view key, absl::string_view value) {
  const std::vector<std::string> parts = absl::StrSplit(value, absl::MaxSplits('\t', 3));
  Payment payment;
  payment.key = std::string(key);
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &payment.row) ||
      !absl::SimpleAtoi(parts[1], &payment.amount)) {
    return absl::InvalidArgumentError("the record's value is not a payment of this program");
  }
  if (!parts[2].empty()) {
    int64_t balance = 0;
    if (!absl::SimpleAtoi(parts[2], &balance)) {
      return absl::InvalidArgumentError("the record's balance is not a number");
    }
    payment.balance = balance;
  }
  payment.text = parts[3];
  return payment;
}

}  // namespace quipu::payments
