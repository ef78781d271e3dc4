// Payments as the example reads them from CSV and carries them in records.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/examples/payments/csv_reader.h"

namespace quipu::payments {

// Which columns mean what. Empty names are found by their usual names (DetectColumns).
struct PaymentColumns {
  std::string key;      // account
  std::string amount;   // whole number of the smallest unit, negative for a debit
  std::string balance;  // optional: the account's balance after the payment
};

struct Payment {
  uint64_t row = 0;   // number of the data row in the input, from 0
  uint64_t line = 0;  // of the file
  std::string key;
  int64_t amount = 0;
  std::optional<int64_t> balance;
  std::string text;  // the row as it stands in the file
};

// Fills the empty names of `columns` from `header`: the key is the first column, the amount the
// first of amount, signed_hundredths, net_pence, the balance the first of balance,
// balance_hundredths, running_total_pence. The error lists what there is.
absl::StatusOr<PaymentColumns> DetectColumns(const std::vector<std::string>& header,
                                             PaymentColumns columns);

// The first of `names` that is a column of `header`; empty when there is none.
std::string FirstPresent(const std::vector<std::string>& header,
                         std::initializer_list<const char*> names);

// Reads payments in file order. One owner, not thread-safe.
class PaymentInput {
 public:
  struct Options {
    std::string path;
    PaymentColumns columns;
    bool skip_bad = false;  // go on after a bad row and count it
  };
  static absl::StatusOr<std::unique_ptr<PaymentInput>> Open(Options options);

  // The next payment; nullopt at the end. A bad row is an error with path, line, column and what
  // was expected, or with skip_bad is printed to standard error, counted and passed over.
  absl::StatusOr<std::optional<Payment>> Next();
  [[nodiscard]] uint64_t bad_rows() const { return bad_rows_; }
  [[nodiscard]] const PaymentColumns& columns() const { return options_.columns; }

 private:
  PaymentInput(Options options, std::unique_ptr<CsvReader> reader);
  absl::StatusOr<Payment> ToPayment(CsvRow row);

  Options options_;
  std::unique_ptr<CsvReader> reader_;
  size_t key_index_ = 0;
  size_t amount_index_ = 0;
  std::optional<size_t> balance_index_;
  uint64_t next_row_ = 0;
  uint64_t bad_rows_ = 0;
};

// The value of a payment's record: the row number, the amount, the balance (or nothing), the row's
// text, separated by tabs. The key of the record is the account.
std::string EncodePayment(const Payment& payment);
// kInvalidArgument when `value` is not such a text.
absl::StatusOr<Payment> DecodePayment(absl::string_view key, absl::string_view value);

// The header that marks a producer's resume record; such records carry no payment.
inline constexpr char kResumeHeader[] = "quipu.resume";

}  // namespace quipu::payments
