// Damaged logs: what each salvage keeps, what it names as lost.
#include "repair/repair_fixture.h"
#include "storage/wal_reader.h"

namespace holdfast::testing {
namespace {

class RepairLog : public RepairStore {
 protected:
  /// Points 1..10, each its own batch; the first `in_checkpoint` of them in a checkpoint; batch `damaged` broken.
  void make_store(std::uint64_t in_checkpoint, Lsn damaged) {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, in_checkpoint);
    if (in_checkpoint > 0) HF_ASSERT_OK(c.checkpoint());
    put_all(c, in_checkpoint + 1, 10);
    HF_ASSERT_OK(db.close());
    damaged_ = frame(damaged);
    flip(damaged_.path, damaged_.offset + 60);
  }
  Frame damaged_;
};

TEST_F(RepairLog, QuarantineAndPlanNameTheDamage) {
  make_store(0, 6);
  EXPECT_NE(quarantine().find("holdfast repair"), std::string::npos) << quarantine();
  const auto before = contents(fs_);
  const RepairReport report = plan();
  EXPECT_TRUE(report.incomplete());
  ASSERT_EQ(report.steps.size(), 3U);
  const RepairStep* cut = step(report, Salvage::cut_log);
  ASSERT_NE(cut, nullptr);
  EXPECT_EQ("/store/" + cut->file, damaged_.path);
  EXPECT_LE(cut->offset, damaged_.offset);  // behind the last sound frame
  EXPECT_GT(cut->offset, damaged_.offset - 4'096);
  EXPECT_TRUE(cut->alternative);
  EXPECT_FALSE(cut->chosen);
  EXPECT_EQ(cut->loss.ids, ids(7, 10));
  EXPECT_EQ(cut->loss.first_lsn, 6U);
  EXPECT_EQ(cut->loss.last_lsn, 11U);  // the mark of the close is the last batch
  EXPECT_EQ(cut->loss.unread_batches, 1U);
  const RepairStep* skip = step(report, Salvage::skip_frames);
  ASSERT_NE(skip, nullptr);
  EXPECT_TRUE(skip->loss.ids.empty());
  EXPECT_EQ(skip->loss.unread_batches, 1U);
  const RepairStep* back = step(report, Salvage::roll_back);
  ASSERT_NE(back, nullptr);
  std::vector<PointId> all = ids(1, 5);
  for (const PointId& id : ids(7, 10)) all.push_back(id);
  EXPECT_EQ(back->loss.ids, all);
  // Nothing is done unasked, nor with the wrong permission.
  EXPECT_TRUE(act(allow({Salvage::drop_points})).incomplete());
  Options lossless;
  lossless.all_lossless = true;
  EXPECT_TRUE(act(lossless).incomplete());
  auto after = contents(fs_);
  after.erase("/store/LOCK");
  for (const auto& [path, bytes] : after) EXPECT_EQ(bytes, before.at(path)) << path;
}

TEST_F(RepairLog, CutEndsTheLogBeforeTheDamage) {
  make_store(0, 6);
  const Bytes damaged = fs_.read_whole(damaged_.path).value();
  const RepairReport report = act(allow({Salvage::cut_log}));
  EXPECT_FALSE(report.incomplete());
  ASSERT_EQ(report.set_aside, std::vector<std::string>{"repair-1"});
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 5));
  // What was taken out is there, byte for byte.
  EXPECT_EQ(fs_.read_whole("/store/repair-1/wal/" + damaged_.path.substr(damaged_.path.rfind('/') + 1)).value(),
            damaged);
  const Bytes text = fs_.read_whole("/store/repair-1/REPORT").value();
  const std::string words(reinterpret_cast<const char*>(text.data()), text.size());
  EXPECT_NE(words.find("7, 8, 9, 10"), std::string::npos) << words;
  EXPECT_TRUE(plan().nothing_to_repair());
}

TEST_F(RepairLog, SkipLeavesOutTheDamagedBatchOnly) {
  make_store(3, 6);
  act(allow({Salvage::skip_frames}));
  EXPECT_TRUE(sound());
  auto expected = own_seeds(1, 10);
  expected.erase(6);
  expect_points(expected);
}

TEST_F(RepairLog, RollBackIsAsOfTheCheckpoint) {
  make_store(3, 6);
  const RepairReport report = act(allow({Salvage::roll_back}));
  EXPECT_EQ(step(report, Salvage::roll_back)->loss.first_lsn, 4U);
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 3));
}

TEST_F(RepairLog, ASoundStoreIsNotTouched) {
  make_store(3, 6);
  flip(damaged_.path, damaged_.offset + 60);  // and back
  const auto before = contents(fs_);
  EXPECT_TRUE(plan().nothing_to_repair());
  EXPECT_TRUE(act(allow_all()).nothing_to_repair());
  EXPECT_EQ(contents(fs_), before);
}

TEST_F(RepairLog, AnAcknowledgedLsnIsNeverGivenOutAgain) {
  make_store(0, 6);
  act(allow({Salvage::cut_log}));
  Database db = open_plain();
  Collection c = db.collection("c").value();
  const auto receipt = c.upsert(77, vector_of(77, kDimension));
  HF_ASSERT_OK(receipt);
  EXPECT_GT(receipt->lsn, 11U);
}

TEST_F(RepairLog, ADamagedSegmentHeaderLosesItsSegment) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, 40);  // 15 batches fit into one segment
    HF_ASSERT_OK(db.close());
  }
  const Frame second = frame(20);
  flip(second.path, 50);  // its salt
  const RepairReport report = plan();
  const RepairStep* cut = step(report, Salvage::cut_log);
  ASSERT_NE(cut, nullptr);
  EXPECT_EQ(cut->loss.first_lsn, 16U);
  EXPECT_EQ(cut->loss.unread_batches, 15U);
  EXPECT_EQ(cut->loss.ids, ids(31, 40));
  act(allow({Salvage::skip_frames, Salvage::cut_log}));  // the first of the alternatives counts
  EXPECT_TRUE(sound());
  auto expected = own_seeds(1, 15);
  expected.merge(own_seeds(31, 40));
  expect_points(expected);
}

TEST_F(RepairLog, AMissingSegmentInTheMiddle) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, 40);
    HF_ASSERT_OK(db.close());
  }
  HF_ASSERT_OK(fs_.remove(frame(20).path));
  EXPECT_FALSE(quarantine().empty());
  act(allow({Salvage::cut_log}));
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 15));
}

TEST_F(RepairLog, AMissingLogDirectory) {
  make_store(4, 6);
  for (const os::DirectoryEntry& entry : fs_.list(directory() + "/wal").value()) {
    HF_ASSERT_OK(fs_.remove(directory() + "/wal/" + entry.name));
  }
  HF_ASSERT_OK(fs_.remove_directory(directory() + "/wal"));
  EXPECT_FALSE(sound());
  const RepairReport report = act(allow({Salvage::cut_log}));
  ASSERT_NE(step(report, Salvage::cut_log), nullptr);
  EXPECT_EQ(step(report, Salvage::cut_log)->loss.first_lsn, 5U);
  EXPECT_EQ(step(report, Salvage::cut_log)->loss.last_lsn, 0U);  // nobody knows
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 4));
}

TEST_F(RepairLog, DamageBelowTheCheckpointCostsNothing) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, 5);
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 6, 10);
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 11, 12);
    HF_ASSERT_OK(db.close());
  }
  const Frame below = frame(8);
  flip(below.path, below.offset + 60);
  Options lossless;
  lossless.all_lossless = true;
  const RepairReport report = act(lossless);
  ASSERT_NE(step(report, Salvage::trim_log), nullptr);
  EXPECT_FALSE(report.incomplete());
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 12));
}

TEST_F(RepairLog, RollBackKeepsASoundLogAboveADamagedOlderSegment) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, 5);
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 6, 10);
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 11, 40);
    HF_ASSERT_OK(db.close());
  }
  ASSERT_NE(frame(8).path, frame(40).path);
  flip(frame(8).path, 30);  // the header of the older segment
  Options options = allow({Salvage::roll_back});
  options.all_lossless = true;
  const RepairReport report = act(options);
  EXPECT_FALSE(report.incomplete());
  EXPECT_EQ(step(report, Salvage::roll_back), nullptr);
  ASSERT_NE(step(report, Salvage::trim_log), nullptr);
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 40));
}

TEST_F(RepairLog, WithoutTheNewestSegmentNoSalvageNamesALastLsn) {
  {
    Database db = open_plain();
    Collection c = make(db);
    put_all(c, 1, 5);
    HF_ASSERT_OK(c.checkpoint());
    put_all(c, 6, 40);
    HF_ASSERT_OK(db.close());
  }
  ASSERT_NE(frame(6).path, frame(40).path);
  HF_ASSERT_OK(fs_.remove(frame(40).path));
  const RepairReport report = plan();
  for (const Salvage salvage : {Salvage::roll_back, Salvage::cut_log}) {
    ASSERT_NE(step(report, salvage), nullptr);
    EXPECT_EQ(step(report, salvage)->loss.last_lsn, 0U) << to_string(salvage);
  }
  EXPECT_EQ(step(report, Salvage::roll_back)->loss.first_lsn, 6U);
  EXPECT_GT(step(report, Salvage::cut_log)->loss.first_lsn, 6U);
}

TEST_F(RepairLog, ADamagedPointerIsNotCalledALogThatIsSetAside) {
  make_store(3, 6);
  flip(damaged_.path, damaged_.offset + 60);  // sound again
  flip(directory() + "/wal/HEAD", 20);
  Options lossless;
  lossless.all_lossless = true;
  const RepairReport report = act(lossless);
  EXPECT_FALSE(report.incomplete());
  ASSERT_EQ(report.steps.size(), 1U);
  EXPECT_EQ(report.steps.front().salvage, Salvage::trim_log);
  const std::string& says = report.steps.front().explanation;
  EXPECT_NE(says.find("pointer to the newest segment anew"), std::string::npos) << says;
  EXPECT_NE(says.find("whether a newer segment existed cannot be told"), std::string::npos) << says;
  EXPECT_EQ(says.find("the checkpoint holds"), std::string::npos) << says;
  EXPECT_TRUE(sound());
  expect_points(own_seeds(1, 10));
}

TEST_F(RepairLog, TheMarkOfAKilledRepairDoesNotGoAsideWithTheNextDamage) {
  make_store(3, 6);
  const std::string mark = "/unfinished.tmp";
  HF_ASSERT_OK(fs_.create(directory() + mark));
  EXPECT_FALSE(act(allow({Salvage::cut_log})).incomplete());
  EXPECT_FALSE(fs_.exists("/store/repair-1" + mark).value()) << "it would be taken for garbage";
  EXPECT_FALSE(fs_.exists(directory() + mark).value());
  expect_points(own_seeds(1, 5));
}

TEST_F(RepairLog, SkippingShowsTheOlderValue) {
  {
    Database db = open_plain();
    Collection c = make(db);
    HF_ASSERT_OK(put(c, 1, 100));
    HF_ASSERT_OK(put(c, 1, 200));
    HF_ASSERT_OK(put(c, 2, 300));
    HF_ASSERT_OK(db.close());
  }
  const Frame second = frame(2);
  flip(second.path, second.offset + 50);
  act(allow({Salvage::skip_frames}));
  EXPECT_TRUE(sound());
  expect_points({{1, 100}, {2, 300}});
}

TEST_F(RepairLog, ATornTailIsNoDamage) {
  make_store(3, 10);  // the mark behind it is gone as well:
  flip(damaged_.path, damaged_.offset + 60);
  const Frame mark = frame(11);
  flip(mark.path, mark.offset + 8);
  EXPECT_TRUE(plan().nothing_to_repair());
}

}  // namespace
}  // namespace holdfast::testing
