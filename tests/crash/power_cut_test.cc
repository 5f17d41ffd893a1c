// A real cut: the worker writes to a file system of its own on a loop device, which is shut down under it with its
// journal not flushed (FS_IOC_SHUTDOWN). What was not made durable is gone; what the kernel had already given to the
// device stays. Then unmount, mount (which replays the journal), open, and ask the oracle:
//   1. everything acknowledged under Durability::sync, or before a flush or a checkpoint that was acknowledged, is
//   there;
//   2. interval and none lose whole batches only, and only the newest: a suffix of each writer, and of the log;
//   3. the rest as in kill9_test.
// The cut comes from outside at a random moment, or from the worker itself at a named point (KillPoint).
//
//   HOLDFAST_POWER_CUTS=50 HOLDFAST_SEED=7 build/release/tests/crash/power_cut_test      (as root)
//
// Elsewhere it is skipped and says why: it needs root, loop devices and mkfs.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "crash/kill_process.h"
#include "crash/loop_mount.h"
#include "holdfast/admin.h"
#include "holdfast/database.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

void check_store(const std::string& store, KillOracle& oracle, SeededRandom& random) {
  if (random.below(4) == 0) {
    auto report = verify(store);
    // Cut before the catalog was there: then nothing was promised, and the oracle knows.
    ASSERT_TRUE(report.ok() || report.status().code() == StatusCode::not_a_store) << report.status().to_string();
    EXPECT_FALSE(report.ok() && report->damaged());
  }
  auto database = Database::open(store, kill_check_options(random.next()));
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  oracle.check(*database);
  const Status closed = database->close();  // a barrier: what was found survives the next cut
  EXPECT_TRUE(closed.ok()) << closed.to_string();
}

class PowerCut : public ::testing::TestWithParam<const char*> {};

TEST_P(PowerCut, NothingDurableIsLost) {
  const std::string type = GetParam();
  const std::uint64_t cuts = number_from_environment("HOLDFAST_POWER_CUTS", HOLDFAST_DEFAULT_POWER_CUTS);
  const std::uint64_t seed = number_from_environment("HOLDFAST_SEED", 20241109);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed) + " HOLDFAST_POWER_CUTS=" + std::to_string(cuts));
  const TempDir directory;
  LoopMount disk(type, directory / "disk", directory / "mount");
  std::string wrong = disk.make();
  if (wrong.empty()) wrong = disk.mount();
  if (!wrong.empty()) {
    std::printf("power cut: skipped: %s: %s\n", type.c_str(), wrong.c_str());
    GTEST_SKIP() << type << ": " << wrong;
  }
  SeededRandom random(seed);
  const KillStore store{.path = disk.place() + "/store", .mount = disk.place()};
  KillOracle oracle(KillOracle::Loss::unsynced);
  ReachedPoints reached;
  KillPlan plan = plan_kill(random, KillManner::cut);
  std::uint64_t cut = 0;
  for (std::uint64_t lives = 0; cut < cuts && !HasFailure(); ++lives) {
    ASSERT_LT(lives, 20 * cuts + 100) << "the worker gets away every time";
    const std::uint64_t life_seed = random.next();
    SCOPED_TRACE("life " + std::to_string(lives) + " of seed " + std::to_string(life_seed));
    const LifeOutcome life = live(store, life_seed, plan, oracle);
    ASSERT_EQ(disk.unmount(), "");
    ASSERT_EQ(disk.mount(), "");
    if (life.cut) {
      ++cut;
      reached.add(life.reached);
    }
    plan = plan_kill(random, KillManner::cut);
    if (!plan.in_recovery()) check_store(store.path, oracle, random);  // or the next life finds it first
  }
  if (!HasFailure()) check_store(store.path, oracle, random);
  const KillOracle::Totals& totals = oracle.totals();
  std::printf(
      "power cuts: %llu on %s, lost %llu, acknowledged %llu, found %llu, unsynced and lost %llu, points "
      "reached: %s, seed %llu\n",
      static_cast<unsigned long long>(cut), type.c_str(), static_cast<unsigned long long>(totals.lost),
      static_cast<unsigned long long>(totals.acknowledged), static_cast<unsigned long long>(totals.found),
      static_cast<unsigned long long>(totals.unsynced_lost), reached.to_string().c_str(),
      static_cast<unsigned long long>(seed));
}

INSTANTIATE_TEST_SUITE_P(On, PowerCut, ::testing::Values("ext4", "xfs"),
                         [](const auto& type) { return std::string(type.param); });

}  // namespace
}  // namespace holdfast::testing
