// The kill -9 laboratory: a real process on a real file system, killed at random moments and at named points, and an
// oracle in another process that knows what was acknowledged.
//
//   HOLDFAST_KILLS=1000 HOLDFAST_SEED=7 build/release/tests/crash/kill9_test
//
// Each life of the store draws its options: durability, interval, segment size, checkpoint interval, threads, vacuum,
// scrubber, budgets of snapshots. After every kill the store must hold, exactly,
//   1. every acknowledged batch, whatever its durability: vectors and payload of each id as last written, bit for bit;
//   2. every batch in flight entirely or not at all, its marker included;
//   3. nothing else: no id that was erased or never written, neither by id, nor in the list of ids, nor in a search;
//   4. a collection that was created, and none that was dropped;
//   5. a backup that is sound, and not older than the last one that ended.
// Sometimes the next life finds the store first, and tells what it found: crashes behind crashes.
// The moment of a kill is a number of events seen on the pipe plus a delay of microseconds, or a point in the order of
// file-system calls (KillPoint), drawn by the seed. That makes the plan repeatable, though not the interleaving: a
// failure keeps its store and says where.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "crash/kill_process.h"
#include "holdfast/admin.h"
#include "holdfast/database.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

void expect_sound(const std::string& store) {
  auto report = verify(store);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  for (const VerifyFinding& finding : report->findings) {
    EXPECT_NE(finding.severity, VerifyFinding::Severity::damage) << finding.file << ": " << finding.message;
  }
}

/// Opens what is left, compares, and leaves it in one of several ways.
void check_store(const std::string& store, KillOracle& oracle, SeededRandom& random) {
  auto database = Database::open(store, kill_check_options(random.next()));
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  oracle.check(*database);
  auto collection = database->collection(kKillCollection);
  if (collection.ok() && random.below(4) == 0) {
    ASSERT_TRUE(collection->wait_until_indexed().ok());
    oracle.check(*database);
  }
  const Status closed = database->close();
  EXPECT_TRUE(closed.ok()) << closed.to_string();
}

void check_backup(const KillStore& store, const std::string& scratch, KillOracle& oracle) {
  std::filesystem::remove_all(scratch);
  auto restored = restore(store.backup, scratch);
  ASSERT_TRUE(restored.ok()) << restored.status().to_string();
  auto database = Database::open(scratch);
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  oracle.check_backup(*database);
  EXPECT_TRUE(database->close().ok());
}

TEST(Kill9, NothingAcknowledgedIsLost) {
  const std::uint64_t kills = number_from_environment("HOLDFAST_KILLS", HOLDFAST_DEFAULT_KILLS);
  const std::uint64_t seed = number_from_environment("HOLDFAST_SEED", 20240917);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed) + " HOLDFAST_KILLS=" + std::to_string(kills));
  SeededRandom random(seed);
  auto directory = std::make_unique<TempDir>();
  const KillStore store{.path = *directory / "store", .backup = *directory / "backup"};
  KillOracle oracle(KillOracle::Loss::nothing);
  ReachedPoints reached;
  KillPlan plan = plan_kill(random, KillManner::kill);
  std::uint64_t killed = 0;
  std::uint64_t lives = 0;
  for (; killed < kills && !HasFailure(); ++lives) {
    ASSERT_LT(lives, 20 * kills + 100) << "the worker gets away every time";
    const std::uint64_t life_seed = random.next();
    SCOPED_TRACE("life " + std::to_string(lives) + " of seed " + std::to_string(life_seed) + ", store " + store.path);
    const LifeOutcome life = live(store, life_seed, plan, oracle);
    if (life.killed) {
      ++killed;
      reached.add(life.reached);
    } else {
      EXPECT_TRUE(WIFEXITED(life.wait_status));
      EXPECT_EQ(WEXITSTATUS(life.wait_status), kWorkerDone);
    }
    if (random.below(8) == 0 && std::filesystem::exists(store.path + "/CATALOG")) expect_sound(store.path);
    if (random.below(8) == 0 && oracle.has_backup()) check_backup(store, *directory / "restored", oracle);
    plan = plan_kill(random, KillManner::kill);
    // Or the next life finds it first.
    if (!plan.in_recovery() && random.below(4) != 0) check_store(store.path, oracle, random);
  }
  if (!HasFailure()) check_store(store.path, oracle, random);
  if (HasFailure()) {
    std::printf("the store of the failure is kept: %s\n", store.path.c_str());
    (void)directory.release();
  }
  const KillOracle::Totals& totals = oracle.totals();
  std::printf("kills: %llu, lives %llu, acknowledged %llu, found %llu, lost %llu, points reached: %s, seed %llu\n",
              static_cast<unsigned long long>(killed), static_cast<unsigned long long>(lives),
              static_cast<unsigned long long>(totals.acknowledged), static_cast<unsigned long long>(totals.found),
              static_cast<unsigned long long>(totals.lost), reached.to_string().c_str(),
              static_cast<unsigned long long>(seed));
}

}  // namespace
}  // namespace holdfast::testing
