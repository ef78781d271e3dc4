// Applies each payment to a balance exactly once: the offset is stored in the same SQLite
// transaction as the result, so that a crash leaves both or neither. It reads every partition from
// the stored offset up to the end that the topic had at the start.
//   exactly_once_sqlite SERVERS TOPIC DATABASE     values are "account:amount", amount a whole
//   number
#include <sqlite3.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "client/consumer.h"

namespace {

using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

// A database whose every failure ends the program: a result that cannot be stored is not applied.
class Database {
 public:
  explicit Database(const char* path) {
    Check(sqlite3_open(path, &handle_));
    Check(sqlite3_busy_timeout(handle_, 5000));
    Run("PRAGMA synchronous=FULL");
    Run("CREATE TABLE IF NOT EXISTS balance(account TEXT PRIMARY KEY, amount INTEGER)");
    Run("CREATE TABLE IF NOT EXISTS position(partition INTEGER PRIMARY KEY, next INTEGER)");
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Run(const char* sql) { Check(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)); }

  // The offset to go on from; kNoOffset: the partition was never read.
  quipu::Offset Position(quipu::PartitionIndex partition) {
    const Statement select = Prepare("SELECT next FROM position WHERE partition = ?");
    Check(sqlite3_bind_int(select.get(), 1, partition.value()));
    const int found = sqlite3_step(select.get());
    if (found == SQLITE_DONE) return quipu::kNoOffset;
    if (found != SQLITE_ROW) Check(found);
    return quipu::Offset(sqlite3_column_int64(select.get(), 0));
  }
  void SetPosition(quipu::PartitionIndex partition, quipu::Offset next) {
    const Statement upsert = Prepare("INSERT OR REPLACE INTO position VALUES(?, ?)");
    Check(sqlite3_bind_int(upsert.get(), 1, partition.value()));
    Check(sqlite3_bind_int64(upsert.get(), 2, next.value()));
    Step(upsert);
  }
  void Add(const std::string& account, int64_t amount) {
    const Statement upsert = Prepare(
        "INSERT INTO balance VALUES(?1, ?2) ON CONFLICT(account) DO UPDATE SET amount = amount + "
        "?2");
    Check(sqlite3_bind_text(upsert.get(), 1, account.c_str(), -1, SQLITE_TRANSIENT));
    Check(sqlite3_bind_int64(upsert.get(), 2, amount));
    Step(upsert);
  }

 private:
  Statement Prepare(const char* sql) {
    sqlite3_stmt* raw = nullptr;
    Check(sqlite3_prepare_v2(handle_, sql, -1, &raw, nullptr));
    return Statement(raw, &sqlite3_finalize);
  }
  void Step(const Statement& statement) {
    if (sqlite3_step(statement.get()) != SQLITE_DONE) Check(SQLITE_ERROR);
  }
  void Check(int code) {
    if (code == SQLITE_OK) return;
    std::cerr << "database: " << sqlite3_errmsg(handle_) << "\n";
    std::_Exit(1);
  }

  sqlite3* handle_ = nullptr;
};

// One poll's records and their offsets, in one transaction.
void Apply(Database& database, const std::vector<quipu::ConsumerRecord>& records) {
  database.Run("BEGIN IMMEDIATE");
  std::map<quipu::PartitionIndex, quipu::Offset> next;
  for (const quipu::ConsumerRecord& record : records) {
    // What another process has applied meanwhile is not applied again.
    const auto [at, is_first] = next.try_emplace(record.partition(), quipu::kNoOffset);
    if (is_first) at->second = database.Position(record.partition());
    if (record.offset() < at->second) continue;
    const std::string value(record.value().value_or(""));
    const size_t colon = value.find(':');
    if (colon != std::string::npos) {
      database.Add(value.substr(0, colon), std::atoll(value.c_str() + colon + 1));
    }
    at->second = record.offset() + 1;
  }
  for (const auto& [partition, offset] : next) database.SetPosition(partition, offset);
  database.Run("COMMIT");
}

absl::Status Read(quipu::Consumer& consumer, Database& database, const std::string& topic) {
  const auto partitions = consumer.PartitionsOf(topic);
  if (!partitions.ok()) return partitions.status();
  const auto ends = consumer.EndOffsets(*partitions);
  if (!ends.ok()) return ends.status();
  absl::Status status = consumer.Assign(*partitions);
  for (const quipu::NamedPartition& partition : *partitions) {
    const quipu::Offset next = database.Position(partition.partition);
    // A new partition is read from its start, whatever auto.offset.reset says.
    if (status.ok()) {
      status = next == quipu::kNoOffset ? consumer.SeekToBeginning(partition)
                                        : consumer.Seek(partition, next);
    }
  }
  const auto at_end = [&] {
    for (const auto& [partition, end] : *ends) {
      const auto position = consumer.Position(partition);
      if (!position.ok() || position->offset < end.offset) return false;
    }
    return true;
  };
  while (status.ok() && !at_end()) {
    const auto records = consumer.Poll(std::chrono::milliseconds(500));
    if (!records.ok()) return records.status();
    if (!records->empty()) Apply(database, *records);
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  // No group: the database keeps the offsets. Small polls make many transactions, large ones few.
  auto consumer =
      quipu::Consumer::Create({{"bootstrap.servers", argv[1]}, {"max.poll.records", "100"}});
  if (!consumer.ok()) return std::cerr << consumer.status() << "\n", 1;
  Database database(argv[3]);
  const absl::Status status = Read(**consumer, database, argv[2]);
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() && (*consumer)->Close().ok() ? 0 : 1;
}
