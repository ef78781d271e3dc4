// Goal: lines of JSON say the same as events, and a line that is not understood is refused.
#include "tests/history/history_json.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/history/anomalies.h"

namespace quipu::history {
namespace {

ReadResult Read(const std::string& text) {
  std::istringstream input(text);
  return ReadJsonLines(input);
}

TEST(HistoryJsonTest, ReadsSendsPollsAssignmentsAndTransfers) {
  const ReadResult read = Read(
      R"({"process":1,"time":10,"type":"invoke","f":"send","partition":0,"key":"a","value":7}
{"process":1,"time":20,"type":"ok","f":"send","partition":0,"value":7,"offset":3}

{"process":2,"time":25,"type":"ok","f":"assign","partition":0,"offset":3}
{"process":2,"time":30,"type":"ok","f":"poll","partition":0,"records":[[3,7]]}
{"process":1,"time":40,"type":"invoke","f":"transfer","account":"a","value":8,"from":"a","to":"b","amount":5}
{"process":2,"time":50,"type":"ok","f":"poll","partition":0,"records":[[4,8,"a","b",5]]}
)");
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.events.size(), 6U);
  EXPECT_EQ(read.events[1].offset, 3);
  EXPECT_EQ(read.events[3].records[0].value, 7);
  EXPECT_EQ(read.events[4].key, "a");
  EXPECT_EQ(read.events[5].records[0].transfer.amount, 5);
  EXPECT_TRUE(FindAnomalies(read.events).anomalies.empty());
}

TEST(HistoryJsonTest, WhatIsWrittenIsReadAgain) {
  Event event;
  event.process = 4;
  event.time_ns = 99;
  event.type = EventType::kOk;
  event.kind = EventKind::kPoll;
  event.partition = 2;
  event.records.push_back({.offset = 1,
                           .value = 6,
                           .has_transfer = true,
                           .transfer = {.from = "x", .to = "y", .amount = -3}});
  const ReadResult read = Read(ToJsonLine(event) + "\n");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.events.size(), 1U);
  EXPECT_EQ(ToJsonLine(read.events[0]), ToJsonLine(event));
  EXPECT_EQ(read.events[0].records[0].transfer, event.records[0].transfer);
}

TEST(HistoryJsonTest, RefusesWhatItDoesNotUnderstand) {
  EXPECT_EQ(Read(R"({"process":1,"time":10,"type":"done","f":"send","value":7})").error,
            "line 1: unknown word 'done'");
  EXPECT_EQ(Read(R"({"process":1,"time":10,"type":"ok","f":"send","value":7,"ofset":3})").error,
            "line 1: unknown field 'ofset'");
  EXPECT_EQ(Read(R"({"process":1,"type":"ok","f":"send","value":7})").error, "line 1: no time");
  EXPECT_EQ(Read(R"({"process":1,"time":1,"type":"ok","f":"send"})").error,
            "line 1: a send without a value");
  EXPECT_EQ(Read(R"({"process":1,"time":1,"type":"ok","f":"poll","records":[[0,1]]})").error,
            "line 1: no partition");
  EXPECT_EQ(
      Read(R"({"process":1,"time":1,"type":"ok","f":"poll","partition":0,"records":[[0]]})").error,
      "line 1: a record is [offset,value] or [offset,value,from,to,amount]");
  EXPECT_NE(Read("{\"process\":1,\n").error, "");
  EXPECT_NE(Read(R"({"process":"one","time":1,"type":"ok","f":"assign","partition":0})").error, "");
}

}  // namespace
}  // namespace quipu::history
