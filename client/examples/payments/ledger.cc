#include "client/examples/payments/ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace quipu::payments {
namespace {

// A file descriptor that closes itself.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status SystemError(const std::string& path, const char* what) {
  return absl::UnavailableError(absl::StrCat(path, ": ", what, ": ", std::strerror(errno)));
}

// A tab or a line's end inside an account's name would end its field or line.
std::string Escape(absl::string_view name) {
  std::string out;
  for (const char c : name) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        out.push_back(c);
    }
  }
  return out;
}

// The inverse of Escape; nothing when it cannot have come from there.
std::optional<std::string> Unescape(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    if (text[i] != '\\' && text[i] != 't' && text[i] != 'n') return std::nullopt;
    out.push_back(text[i] == 't' ? '\t' : text[i] == 'n' ? '\n' : '\\');
  }
  return out;
}

bool ParseAccountLine(const std::vector<std::string>& fields, AccountTotal& total) {
  return fields.size() == 4 && absl::SimpleAtoi(fields[1], &total.payments) &&
         absl::SimpleAtoi(fields[2], &total.sum) &&
         absl::SimpleAtoi(fields[3], &total.final_balance);
}

}  // namespace

std::optional<int64_t> AddAmounts(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
    return SystemError(path, "cannot be opened");
  }
  std::string text;
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = read(file.get(), buffer, sizeof(buffer));
    if (got < 0) return SystemError(path, "cannot be read");
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

absl::Status WriteFileDurably(const std::string& directory, const std::string& path,
                              const std::string& text) {
  const std::string temporary = path + ".new";
  {
    const OwnedFd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return SystemError(temporary, "cannot be created");
    size_t written = 0;
    while (written < text.size()) {
      const ssize_t got = write(file.get(), text.data() + written, text.size() - written);
      if (got < 0) return SystemError(temporary, "cannot be written");
      written += static_cast<size_t>(got);
    }
    if (fdatasync(file.get()) != 0) return SystemError(temporary, "cannot be synced");
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) return SystemError(path, "cannot be replaced");
  const OwnedFd folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || fsync(folder.get()) != 0) {
    return SystemError(directory, "cannot be synced");
  }
  return absl::OkStatus();
}

absl::StatusOr<PartitionLedger> PartitionLedger::Load(const std::string& directory,
                                                      PartitionIndex partition) {
  PartitionLedger ledger;
  ledger.directory_ = directory;
  ledger.path_ = absl::StrCat(directory, "/partition-", partition.value(), ".ledger");
  absl::StatusOr<std::string> text = ReadWholeFile(ledger.path_);
  if (absl::IsNotFound(text.status())) return ledger;
  if (!text.ok()) return text.status();
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n', absl::SkipEmpty());
  int64_t next_offset = 0;
  const auto damaged = [&](size_t line) {
    return absl::DataLossError(absl::StrCat(ledger.path_, ":", line, ": not a line of a ledger"));
  };
  if (lines.empty() || !absl::SimpleAtoi(lines[0], &next_offset)) return damaged(1);
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> fields = absl::StrSplit(lines[i], '\t');
    AccountTotal total;
    const std::optional<std::string> account = Unescape(fields[0]);
    if (!account.has_value() || !ParseAccountLine(fields, total)) return damaged(i + 1);
    ledger.accounts_[*account] = total;
  }
  ledger.next_offset_ = Offset(next_offset);
  return ledger;
}

absl::Status PartitionLedger::Apply(Offset offset, const std::string& account, int64_t amount,
                                    std::optional<int64_t> balance) {
  const auto found = accounts_.find(account);
  const int64_t before = found == accounts_.end() ? 0 : found->second.sum;
  const std::optional<int64_t> sum = AddAmounts(before, amount);
  if (!sum.has_value()) {
    return absl::OutOfRangeError(absl::StrCat("account ", account, ": its sum of ", before,
                                              " and a payment of ", amount,
                                              " do not fit into 64 bits"));
  }
  Skip(offset);
  AccountTotal& total = accounts_[account];
  ++total.payments;
  total.sum = *sum;
  total.final_balance = balance.value_or(*sum);
  return absl::OkStatus();
}

void PartitionLedger::Skip(Offset offset) {
  QUIPU_CHECK(offset >= next_offset_);
  next_offset_ = offset + 1;
}

absl::Status PartitionLedger::Save() const {
  std::string text = absl::StrCat(next_offset_.value(), "\n");
  for (const auto& [account, total] : accounts_) {
    absl::StrAppend(&text, Escape(account), "\t", total.payments, "\t", total.sum, "\t",
                    total.final_balance, "\n");
  }
  return WriteFileDurably(directory_, path_, text);
}

}  // namespace quipu::payments
