#include "client/cli/monitor/screen.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quipu::cli {
namespace {

enum class Colour { kNone, kYellow, kRed };

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};
using Row = std::vector<Cell>;

struct ScreenTable {
  Row header;
  std::vector<Row> rows;
};

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

// Columns that a text takes, one for each character of UTF-8.
size_t WidthOf(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

// At most so many characters.
std::string Cut(const std::string& text, size_t width) {
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    if (!IsContinuation(text[end]) && seen++ == width) break;
  }
  return text.substr(0, end);
}

// Names come from others: what would move the cursor is not printed.
std::string Plain(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

std::string RateText(const std::optional<double>& rate) {
  return rate ? absl::StrFormat("%.1f", *rate) : "-";
}

std::string BytesText(const std::optional<double>& rate) {
  return rate ? absl::StrFormat("%.3f", *rate / 1e6) : "-";
}

std::string SecondsText(const std::optional<double>& seconds, bool or_more) {
  if (!seconds) return "-";
  return absl::StrFormat("%s%.1f", or_more ? ">" : "", *seconds);
}

// Pointers to the elements, those first of which `rank` is larger.
template <typename T, typename Rank>
std::vector<const T*> LargestFirst(const std::vector<T>& all, Rank rank) {
  std::vector<const T*> order;
  for (const T& one : all) order.push_back(&one);
  std::stable_sort(order.begin(), order.end(),
                   [&rank](const T* a, const T* b) { return rank(*a) > rank(*b); });
  return order;
}

ScreenTable Topics(const ClusterProgress& progress) {
  ScreenTable table{{{"TOPIC"}, {"PARTITIONS"}, {"RECORDS/S"}, {"MB/S-IN"}, {"MB/S-OUT"}}, {}};
  const auto rank = [](const TopicProgress& topic) {
    return topic.produced_bytes_per_second.value_or(0) +
           topic.consumed_bytes_per_second.value_or(0);
  };
  for (const TopicProgress* topic : LargestFirst(progress.topics, rank)) {
    table.rows.push_back({{topic->name},
                          {absl::StrCat(topic->partitions)},
                          {RateText(topic->records_per_second)},
                          {BytesText(topic->produced_bytes_per_second)},
                          {BytesText(topic->consumed_bytes_per_second)}});
  }
  return table;
}

ScreenTable Partitions(const ClusterProgress& progress) {
  ScreenTable table{{{"TOPIC"}, {"PARTITION"}, {"LEADER"}, {"IN-SYNC"}, {"LOG-END"}, {"RECORDS/S"}},
                    {}};
  const auto rank = [](const PartitionProgress& one) {
    return one.now.in_sync < one.now.replicas ? 1e18 : one.records_per_second.value_or(-1);
  };
  for (const PartitionProgress* one : LargestFirst(progress.partitions, rank)) {
    const ClusterSample::Partition& now = one->now;
    const bool led = now.leader != kNoBroker;
    const bool full = now.in_sync == now.replicas;
    table.rows.push_back(
        {{now.name.topic},
         {absl::StrCat(now.name.partition.value())},
         {led ? absl::StrCat(now.leader.value()) : "none", led ? Colour::kNone : Colour::kRed},
         {absl::StrCat(now.in_sync, "/", now.replicas), full ? Colour::kNone : Colour::kYellow},
         {now.log_end_offset == kNoOffset ? "-" : now.log_end_offset.ToString()},
         {RateText(one->records_per_second)}});
  }
  return table;
}

ScreenTable Producers(const ClusterProgress& progress, int64_t now_ms) {
  ScreenTable table{{{"PRODUCER"}, {"EPOCH"}, {"PARTITIONS"}, {"LAST-SECONDS"}, {"RECORDS/S"}}, {}};
  const auto rank = [](const ProducerProgress& one) {
    return std::make_pair(one.records_per_second.value_or(0), one.last_timestamp.value());
  };
  for (const ProducerProgress* one : LargestFirst(progress.producers, rank)) {
    const double age = static_cast<double>(now_ms - one->last_timestamp.value()) / 1000;
    table.rows.push_back({{absl::StrCat(one->id)},
                          {absl::StrCat(one->epoch)},
                          {absl::StrCat(one->partitions.size())},
                          {absl::StrFormat("%.1f", std::max(age, 0.0))},
                          {RateText(one->records_per_second)}});
  }
  return table;
}

ScreenTable Groups(const ClusterProgress& progress, const ScreenOptions& options) {
  ScreenTable table{{{"GROUP"}, {"STATE"}, {"MEMBERS"}, {"LAG"}, {"LAG-SECONDS"}, {"RECORDS/S"}},
                    {}};
  const auto rank = [](const GroupProgress& one) { return one.lag.value_or(-1); };
  for (const GroupProgress* one : LargestFirst(progress.groups, rank)) {
    const int64_t lag = one->lag.value_or(0);
    const Colour colour = lag >= options.critical_lag ? Colour::kRed
                          : lag >= options.warn_lag   ? Colour::kYellow
                                                      : Colour::kNone;
    table.rows.push_back({{one->id},
                          {one->state},
                          {absl::StrCat(one->members)},
                          {one->lag ? absl::StrCat(*one->lag) : "-", colour},
                          {SecondsText(one->lag_seconds, one->lag_seconds_or_more), colour},
                          {RateText(one->consumed_per_second)}});
  }
  return table;
}

// Puts lines below each other, within the screen.
class Lines {
 public:
  explicit Lines(const ScreenOptions& options) : options_(options) {}

  // Cells beside each other, each as wide as `widths` says.
  void Add(const Row& row, const std::vector<size_t>& widths = {}) {
    if (options_.lines > 0 && count_ == options_.lines) return;
    ++count_;
    size_t left = options_.columns > 0 ? options_.columns : SIZE_MAX;
    for (size_t i = 0; i < row.size() && left > 0; ++i) {
      const Cell cell{Cut(Plain(row[i].text), left), row[i].colour};
      left -= WidthOf(cell.text);
      absl::StrAppend(&text_, Paint(cell));
      if (i + 1 == row.size() || left == 0) break;
      const size_t gap = std::min(left, widths[i] - WidthOf(cell.text) + 2);
      text_.append(gap, ' ');
      left -= gap;
    }
    text_ += '\n';
  }

  void Add(const ScreenTable& table, size_t rows) {
    Add(Row{{""}});
    std::vector<size_t> widths;
    for (const Cell& cell : table.header) widths.push_back(WidthOf(cell.text));
    for (const Row& row : table.rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], WidthOf(row[i].text));
      }
    }
    Add(table.header, widths);
    const size_t shown = std::min(table.rows.size(), rows);
    for (size_t i = 0; i < shown; ++i) Add(table.rows[i], widths);
    if (shown < table.rows.size()) {
      Add(Row{{absl::StrCat("... ", table.rows.size() - shown, " more (--rows)")}});
    }
  }

  [[nodiscard]] size_t count() const { return count_; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  [[nodiscard]] std::string Paint(const Cell& cell) const {
    if (!options_.coloured || cell.colour == Colour::kNone) return cell.text;
    return absl::StrCat(cell.colour == Colour::kRed ? "\x1b[31m" : "\x1b[33m", cell.text,
                        "\x1b[0m");
  }

  const ScreenOptions& options_;
  std::string text_;
  size_t count_ = 0;
};

// How many rows each table may have, so that all have a place on the screen: what small ones leave
// is for the others.
size_t RowsOf(const std::vector<ScreenTable>& tables, size_t used, const ScreenOptions& options) {
  constexpr size_t kAround = 3;  // a blank line, the header, how many there are more
  size_t rows = options.rows;
  if (options.lines == 0) return rows;
  const auto needed = [&tables, used](size_t each) {
    size_t sum = used;
    for (const ScreenTable& table : tables) sum += kAround + std::min(table.rows.size(), each);
    return sum;
  };
  while (rows > 1 && needed(rows) > options.lines) --rows;
  return rows;
}

}  // namespace

std::string DrawScreen(const ClusterProgress& progress, const std::vector<std::string>& violations,
                       int64_t now_ms, const ScreenOptions& options) {
  Lines lines(options);
  lines.Add(Row{{absl::StrFormat(
      "%d brokers, %d fenced   partitions: %d, %d offline, %d under-replicated   %s records/s",
      progress.brokers, progress.fenced_brokers, progress.partitions.size(),
      progress.offline_partitions, progress.under_replicated_partitions,
      RateText(progress.records_per_second))}});
  lines.Add(Row{{absl::StrFormat(
      "%s MB/s in, %s MB/s out   produce latency p50 %s ms, p99 %s ms",
      BytesText(progress.produced_bytes_per_second), BytesText(progress.consumed_bytes_per_second),
      RateText(progress.produce_p50_ms), RateText(progress.produce_p99_ms))}});
  for (const std::string& text : violations) lines.Add(Row{{text, Colour::kRed}});
  for (const std::string& text : progress.missing) {
    lines.Add(Row{{"not known: " + text, Colour::kYellow}});
  }
  const std::vector<ScreenTable> tables = {Topics(progress), Partitions(progress),
                                           Producers(progress, now_ms), Groups(progress, options)};
  const size_t rows = RowsOf(tables, lines.count(), options);
  for (const ScreenTable& table : tables) lines.Add(table, rows);
  return lines.text();
}

}  // namespace quipu::cli
