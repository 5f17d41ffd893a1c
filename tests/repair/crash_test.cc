// A repair that is stopped: at every call, with every kind of crash, what is found can be repaired, and in the end
// nothing but what was named is lost. And repairs of stores of which any one file is damaged anyhow.
#include <cstdlib>

#include "repair/repair_fixture.h"

namespace holdfast::testing {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// How much the two checkpoints have in common.
enum class Images : std::uint8_t {
  apart,    ///< nothing: each stands in for the other
  patched,  ///< the newer one patches the extents of the older one
  shared    ///< everything: nothing stands in for an extent
};

class RepairCrash : public RepairStore {
 protected:
  /// Points 1..60 in a checkpoint with a graph, some changed in a second one, some behind it.
  void make_store(Images images = Images::patched) {
    Database db = open_plain();
    Collection c = make(db);
    put_batch(c, 1, 60);
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    for (std::uint64_t id = 5; id <= 8; ++id) HF_ASSERT_OK(put(c, id, id + 1'000));
    HF_ASSERT_OK(c.erase(60));
    if (images == Images::apart) put_batch(c, 20, 50);  // too many rows for a patch
    HF_ASSERT_OK(c.wait_until_indexed());
    HF_ASSERT_OK(c.checkpoint());
    if (images == Images::shared) {
      WriteBatch batch;
      batch.set_marker("shared", "1");
      HF_ASSERT_OK(c.write(batch));
      HF_ASSERT_OK(c.checkpoint());
    }
    HF_ASSERT_OK(put(c, 9, 1'009));
    HF_ASSERT_OK(put(c, 61, 61));
    HF_ASSERT_OK(c.erase(10));
    HF_ASSERT_OK(db.close());
    expected_ = own_seeds(1, 61);
    for (std::uint64_t id = 5; id <= 9; ++id) expected_[id] = id + 1'000;
    expected_.erase(60);
    expected_.erase(10);
  }

  /// Repairs a damaged store with the power going off at every call in turn, and twice at every other.
  void crash_everywhere(const Options& options, const std::map<std::uint64_t, std::uint64_t>& left) {
    for (std::uint64_t call = 0;; ++call) {
      const auto fs = fs_.clone();
      fs->power_off_at(fs->calls() + call);
      const auto report = engine::repair_store(*fs, "/store", options, engine::RepairMode::act);
      if (report.ok() && fs->powered()) break;
      for (const CrashPolicy& policy : {CrashPolicy::lose_all(), CrashPolicy::keep_all(),
                                        CrashPolicy::directory_subset(), CrashPolicy::anything()}) {
        SCOPED_TRACE("power off at call " + std::to_string(call) + ", " + policy.to_string());
        const auto found = fs->crash(policy, call);
        if (call % 3 == 0) {  // the second attempt is stopped as well
          found->power_off_at(found->calls() + call / 2);
          (void)engine::repair_store(*found, "/store", options, engine::RepairMode::act);
        }
        const auto last = found->crash(CrashPolicy::anything(), call + 1);
        const RepairReport again = act(*last, options);
        EXPECT_FALSE(again.incomplete());
        ASSERT_TRUE(sound(*last));
        expect_points(*last, left);
        EXPECT_TRUE(plan(*last, options).nothing_to_repair());
        expect_tidy(*last);
        ++states_;
        if (HasFailure()) return;
      }
    }
  }

  /// No garbage is left, and what was set aside has names that say so.
  static void expect_tidy(SimFileSystem& fs) {
    for (const SimFileSystem::FileReport& file : fs.files()) {
      EXPECT_EQ(file.path.find(".staged"), std::string::npos) << file.path;
    }
  }

  std::map<std::uint64_t, std::uint64_t> expected_;
  std::uint64_t states_ = 0;
};

TEST_F(RepairCrash, AtEveryCallOfARepairOfTheLog) {
  make_store();
  const Frame damaged = frame(8);  // which wrote 61; behind it 10 was erased
  flip(damaged.path, damaged.offset + 50);
  auto left = expected_;
  left.erase(61);
  left[10] = 10;
  crash_everywhere(allow({Salvage::cut_log}), left);
  std::printf("repair crashes (log): %llu states\n", static_cast<unsigned long long>(states_));
  EXPECT_GT(states_, 60U);
}

TEST_F(RepairCrash, AtEveryCallOfARepairOfAnImage) {
  make_store();
  flip(manifest_path(1), 40);  // nothing stands in for the newest
  flip(extent_path(engine::ExtentKind::level0), storage::kExtentDataOffset + 8);
  Options lossless;
  lossless.all_lossless = true;
  crash_everywhere(lossless, expected_);
  std::printf("repair crashes (image): %llu states\n", static_cast<unsigned long long>(states_));
  EXPECT_GT(states_, 60U);
}

TEST_F(RepairCrash, AtEveryCallOfARepairOfTheCatalog) {
  make_store();
  flip("/store/CATALOG", 40);
  crash_everywhere(allow({Salvage::rebuild_catalog}), expected_);
  std::printf("repair crashes (catalog): %llu states\n", static_cast<unsigned long long>(states_));
  EXPECT_GT(states_, 10U);
}

TEST_F(RepairCrash, AnErrorAtAnyCallLeavesTheStoreAsItWas) {
  make_store();
  flip(manifest_path(1), 40);
  Options lossless;
  lossless.all_lossless = true;
  std::uint64_t indices = 0;
  for (const StatusCode code : {StatusCode::disk_full, StatusCode::io_error}) {
    for (std::uint64_t call = 0;; ++call) {
      const auto fs = fs_.clone();
      fs->fail_at(fs->calls() + call, code, code == StatusCode::disk_full);
      const auto report = engine::repair_store(*fs, "/store", lossless, engine::RepairMode::act);
      const bool reached = fs->calls() > fs_.calls() + call;
      fs->clear_faults();
      if (!reached) break;
      ++indices;
      SCOPED_TRACE(std::string(to_string(code)) + " at call " + std::to_string(call));
      const RepairReport again = act(*fs, lossless);
      EXPECT_FALSE(again.incomplete());
      ASSERT_TRUE(sound(*fs));
      expect_points(*fs, expected_);
      if (HasFailure()) return;
    }
  }
  std::printf("repair errors: %llu call indices\n", static_cast<unsigned long long>(indices));
  EXPECT_GT(indices, 40U);
}

// --- any one file damaged anyhow ---

struct Damage {
  std::string path;
  std::string how;
  std::function<void(SimFileSystem&)> inflict;
};

class RepairSweep : public RepairCrash, public ::testing::WithParamInterface<Images> {
 protected:
  std::vector<Damage> damages(std::uint64_t flips_per_file) {
    std::vector<Damage> list;
    SeededRandom random(11);
    for (const SimFileSystem::FileReport& file : fs_.files()) {
      if (file.is_directory || file.path == "/store/LOCK") continue;
      const Bytes whole = fs_.read_whole(file.path).value();
      const auto replace = [&](const std::string& how, Bytes bytes) {
        list.push_back({file.path, how, [path = file.path, bytes = std::move(bytes)](SimFileSystem& fs) {
                          HF_ASSERT_OK(fs.write_whole(path, bytes));
                        }});
      };
      list.push_back({file.path, "removed", [path = file.path](SimFileSystem& fs) { HF_ASSERT_OK(fs.remove(path)); }});
      replace("empty", {});
      replace("cut to half", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2)));
      replace("zeroed", Bytes(whole.size()));
      Bytes garbage(whole.size());
      for (std::byte& b : garbage) b = static_cast<std::byte>(random.next());
      replace("garbage", garbage);
      Bytes longer = whole;
      longer.resize(whole.size() + 100, std::byte{7});
      replace("longer", longer);
      for (std::uint64_t i = 0; i < flips_per_file && !whole.empty(); ++i) {
        // The beginnings are where the meaning is.
        const std::uint64_t limit = i % 2 == 0 ? std::min<std::uint64_t>(whole.size(), 4'400) : whole.size();
        const std::uint64_t offset = random.next() % limit;
        list.push_back(
            {file.path, "bit of byte " + std::to_string(offset),
             [path = file.path, offset](SimFileSystem& fs) { HF_ASSERT_OK(fs.corrupt(path, offset, std::byte{4})); }});
      }
    }
    return list;
  }
};

TEST_P(RepairSweep, OfAnyDamagedFileOnlyWhatIsNamedIsLost) {
  make_store(GetParam());
  std::uint64_t cases = 0, damaged = 0, hopeless = 0, named = 0;
  for (const Damage& damage : damages(number_from("HOLDFAST_REPAIR_FLIPS", 6))) {
    SCOPED_TRACE(damage.path + ": " + damage.how);
    const auto fs = fs_.clone();
    damage.inflict(*fs);
    ++cases;
    const auto verified = engine::verify_store(*fs, "/store", {});
    HF_ASSERT_OK(verified);
    VerifyOptions fast;
    fast.level = VerifyLevel::fast;
    HF_ASSERT_OK(engine::verify_store(*fs, "/store", fast));
    Options options = allow_all();
    options.metric = Metric::l2;
    const RepairReport report = act(*fs, options);
    EXPECT_EQ(verified->damaged(), !report.nothing_to_repair());
    if (!verified->damaged()) continue;  // a torn tail, or a byte that means nothing
    ++damaged;
    if (!report.hopeless.empty()) {
      ++hopeless;
      ADD_FAILURE() << report.hopeless.front();
      continue;
    }
    EXPECT_FALSE(report.incomplete());
    ASSERT_TRUE(sound(*fs));
    auto left = expected_;
    bool vague = false;
    for (const RepairStep& step : report.steps) {
      if (!step.done) continue;
      named += step.loss.ids.size();
      vague |= step.loss.unknown_points != 0 || step.loss.unread_batches != 0 ||
               (step.loss.first_lsn != 0 && step.loss.last_lsn == 0);
      for (const PointId& id : step.loss.ids) left.erase(id.number());
    }
    engine::EngineOptions open = options_on(*fs);
    open.open.checkpoint_on_close = false;
    auto db = Database::open_with("/store", open);
    HF_ASSERT_OK(db);
    const Collection c = db->collection("c").value();
    if (!vague) {
      for (const auto& [id, seed] : left) EXPECT_TRUE(holds(c, id, seed)) << "id " << id;
    }
    HF_ASSERT_OK(db->close());
    if (HasFailure()) return;
  }
  std::printf(
      "repair sweep: %llu damages, %llu of them of acknowledged data, %llu points named as lost, %llu hopeless\n",
      static_cast<unsigned long long>(cases), static_cast<unsigned long long>(damaged),
      static_cast<unsigned long long>(named), static_cast<unsigned long long>(hopeless));
  EXPECT_GT(damaged, 100U);
  EXPECT_EQ(named != 0, GetParam() != Images::apart);
}
std::string name_of(const ::testing::TestParamInfo<Images>& images) {
  constexpr const char* kNames[] = {"apart", "patched", "shared"};
  return kNames[static_cast<std::size_t>(images.param)];
}
INSTANTIATE_TEST_SUITE_P(Stores, RepairSweep, ::testing::Values(Images::apart, Images::patched, Images::shared),
                         name_of);

}  // namespace
}  // namespace holdfast::testing
