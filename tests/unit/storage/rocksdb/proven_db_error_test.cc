// Goal: the first error of a database is its last write (D3, R29, S06). Method: a watermark file
// that fails once and is well again, as a disk whose fsync fails once; the log below it never
// fails.
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "storage/broker_identity.h"
#include "storage/rocksdb/proven_db.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

class WatermarkThatFailsOnce final : public WatermarkFile {
 public:
  explicit WatermarkThatFailsOnce(uint64_t group) : group_(group) {}
  absl::Status StoreBrokerEpoch(BrokerEpoch /*epoch*/) override { return absl::OkStatus(); }
  [[nodiscard]] BrokerEpoch broker_epoch() const override { return kNoBrokerEpoch; }
  absl::Status StoreLastGroup(uint64_t group) override {
    return group == group_ ? absl::DataLossError("EIO") : absl::OkStatus();
  }
  [[nodiscard]] uint64_t last_group() const override { return 0; }
  [[nodiscard]] bool unclean() const override { return false; }

 private:
  const uint64_t group_;
};

TEST(ProvenDbErrorTest, R29NothingIsWrittenBehindAnErrorHoweverWellTheDiskIsAgain) {
  const conformance::TemporaryFolder folder;
  WatermarkThatFailsOnce watermark(/*group=*/2);
  auto opened =
      ProvenDb::Open({.path = folder.path() + "/db",
                      .families = {{"default", SmallFamilyOptions(BlockCache())}},
                      .identity = "me",
                      .fatal = [](const std::string&) {}},  // in a process it does not return
                     watermark);
  ASSERT_TRUE(opened.ok()) << opened.status();
  ProvenDb& db = **opened;
  const auto write = [&db](const std::string& key) {
    rocksdb::WriteBatch batch;
    EXPECT_TRUE(batch.Put(db.family(0), key, "value").ok());
    return db.Write(batch);
  };
  EXPECT_TRUE(write("group 2").ok());   // group 1 is the identity
  EXPECT_FALSE(write("group 3").ok());  // the watermark of group 2 did not reach the disk
  EXPECT_FALSE(write("group 4").ok());
  EXPECT_FALSE(db.Get(db.family(0), "group 4")->has_value());
}

}  // namespace
}  // namespace quipu
