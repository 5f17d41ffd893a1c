// verify: levels, exact offsets, stores of which parts are missing.
#include "repair/repair_fixture.h"

namespace holdfast::testing {
namespace {

using engine::ExtentKind;

class Verify : public RepairStore {
 protected:
  void SetUp() override {
    Database db = open_plain();
    Collection c = make(db);
    put_batch(c, 1, 50);
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 51, 55);
    HF_ASSERT_OK(db.close());
  }
  VerifyReport verify(VerifyLevel level = VerifyLevel::full) {
    VerifyOptions options;
    options.level = level;
    auto report = engine::verify_store(fs_, "/store", options);
    HF_EXPECT_OK(report);
    return report.ok() ? *report : VerifyReport();
  }
  /// The first damage.
  VerifyFinding finding(VerifyLevel level = VerifyLevel::full) {
    for (const VerifyFinding& one : verify(level).findings) {
      if (one.severity == VerifyFinding::Severity::damage) return one;
    }
    return {};
  }
  void expect_at(const std::string& path, std::uint64_t offset) {
    const VerifyFinding found = finding();
    EXPECT_EQ("/store/" + found.file, path) << found.message;
    EXPECT_EQ(found.offset, offset) << found.message;
  }
};

TEST_F(Verify, FastReadsWhatAnOpenReads) {
  const VerifyReport full = verify(), fast = verify(VerifyLevel::fast);
  EXPECT_FALSE(full.damaged());
  EXPECT_FALSE(fast.damaged());
  EXPECT_EQ(fast.level, VerifyLevel::fast);
  EXPECT_LT(fast.pages_checked, full.pages_checked);
  EXPECT_EQ(fast.points_checked, full.points_checked);
  EXPECT_EQ(fast.links_checked, full.links_checked);
  flip(extent_path(ExtentKind::vectors), 5'000);
  EXPECT_FALSE(verify(VerifyLevel::fast).damaged());
  EXPECT_TRUE(verify().damaged());
  flip(extent_path(ExtentKind::level0), 5'000);
  EXPECT_TRUE(verify(VerifyLevel::fast).damaged());
}

TEST_F(Verify, NamesTheByteInAManifest) {
  const std::string path = manifest_path();
  flip(path, 3);
  expect_at(path, 0);
  flip(path, 3);
  flip(path, 90);
  expect_at(path, 24);  // the checksum that does not match
}

TEST_F(Verify, NamesTheByteInAnExtent) {
  const std::string path = extent_path(ExtentKind::vectors);
  const std::uint64_t size = fs_.read_whole(path).value().size();
  flip(path, size - 20);
  expect_at(path, size - 48);  // the footer
  flip(path, size - 20);
  flip(path, size - 50);
  expect_at(path, size - 48 - 8);  // the page table
  flip(path, size - 50);
  flip(path, 4'096 + 30);
  expect_at(path, 4'096);  // the page
}

TEST_F(Verify, NamesTheByteInTheLog) {
  const Frame second = frame(3);
  flip(second.path, second.offset + 41);
  const VerifyFinding found = finding();
  EXPECT_EQ("/store/" + found.file, second.path);
  EXPECT_LE(found.offset, second.offset);  // behind the last sound frame
  EXPECT_GT(found.offset, second.offset - 4'096);
}

TEST_F(Verify, NamesTheByteInTheCatalog) {
  flip("/store/CATALOG", 34);
  expect_at("/store/CATALOG", 24);
}

TEST_F(Verify, GoesOnWithoutTheDirectoriesThatAreMissing) {
  for (const std::string room : {"wal", "ext"}) {
    SCOPED_TRACE(room);
    const auto fs = fs_.clone();
    const std::string place = directory(*fs) + "/" + room;
    for (const os::DirectoryEntry& entry : fs->list(place).value()) HF_ASSERT_OK(fs->remove(place + "/" + entry.name));
    HF_ASSERT_OK(fs->remove_directory(place));
    const auto report = engine::verify_store(*fs, "/store", {});
    HF_ASSERT_OK(report);
    EXPECT_TRUE(report->damaged());
  }
}

TEST_F(Verify, MentionsWhatARepairHasSetAside) {
  flip(manifest_path(1), 60);
  act(allow({Salvage::drop_checkpoint}));
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings.front().file, "repair-1");
  EXPECT_EQ(report.findings.front().severity, VerifyFinding::Severity::note);
  // And nobody else minds it.
  Database db = open_plain();
  HF_EXPECT_OK(db.drop_collection("c"));
  HF_EXPECT_OK(db.close());
  EXPECT_TRUE(fs_.exists("/store/repair-1/REPORT").value());
}

}  // namespace
}  // namespace holdfast::testing
