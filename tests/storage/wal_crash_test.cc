// Power loss at every call of random workloads, in recovery too: every acknowledged frame is there, none is torn.
#include <cstdlib>

#include "storage/storage_test_util.h"
#include "storage/wal_model.h"

namespace holdfast::storage {
namespace {

using testing::CrashPolicy;
using testing::SimFileSystem;

std::uint64_t states_explored = 0;

std::vector<CrashPolicy> policies(const SimFileSystem& fs) {
  std::vector<CrashPolicy> all = {
      CrashPolicy::lose_all(),
      CrashPolicy::keep_all(),
      CrashPolicy::random_subset(),
      CrashPolicy::random_subset(CrashPolicy::Fill::garbage),
      CrashPolicy::torn_write(CrashPolicy::Boundary::sector),
      CrashPolicy::torn_write(CrashPolicy::Boundary::byte),
      CrashPolicy::size_without_data(CrashPolicy::Fill::stale),
      CrashPolicy::directory_suffix(),
      CrashPolicy::directory_subset(),
      CrashPolicy::anything(),
  };
  const std::uint64_t operations = fs.unsynced_effects();
  for (std::uint64_t n = 0; n < std::min<std::uint64_t>(operations, 6); ++n) {
    all.push_back(CrashPolicy::drop_one(n));
    all.push_back(CrashPolicy::keep_one(n));
  }
  return all;
}

/// Recovery on `disk`: read, seal, go on, read again. `depth` more power failures inside the sealing.
void recover(SimFileSystem& disk, const LogModel& model, int depth, std::uint64_t seed) {
  ++states_explored;
  const ReadBack found = model.expect_holds(disk);
  if (::testing::Test::HasFailure()) return;
  // From here on what was found is what counts: a reader may have seen it.
  LogModel seen = model;
  if (depth > 0) {
    disk.on_call([&](const testing::CallInfo& call) {
      for (const CrashPolicy& policy : {CrashPolicy::lose_all(), CrashPolicy::keep_all(), CrashPolicy::anything()}) {
        SCOPED_TRACE("crash in recovery, call " + std::to_string(call.index) + ", " + policy.to_string());
        recover(*disk.crash(policy, seed + call.index), model, depth - 1, seed + 1);
      }
    });
  }
  const auto sealed = seal_tail(disk, read_options(), found.tail);
  disk.on_call(nullptr);
  EXPECT_OK(sealed.status());

  // Whatever was found is durable now, even if the machine goes down before the first write.
  seen.acknowledged = std::max(seen.acknowledged, found.tail.end.lsn);
  const ReadBack again = seen.expect_holds(*disk.crash(CrashPolicy::lose_all(), seed));
  EXPECT_EQ(again.tail.end, found.tail.end);
  EXPECT_EQ(again.tail.verdict, LogVerdict::complete) << again.tail.reason;
  EXPECT_EQ(again.tail.bytes_cut, 0U);
  for (const std::string& name : names_in(disk, kWal)) EXPECT_EQ(parse_name(name).kind, FileKind::segment);

  LogModel after = seen;
  for (auto lsn = after.handed_in.upper_bound(found.tail.end.lsn); lsn != after.handed_in.end();) {
    lsn = after.handed_in.erase(lsn);  // cut: must never come back
  }
  {
    ModelledWriter log(disk, after, found.tail.end);
    EXPECT_OK(log.append(2, 100, seed + 7777));
    EXPECT_OK(log.sync());
  }
  after.expect_holds(*disk.crash(CrashPolicy::anything(), seed + 1));
}

void explore(std::uint64_t seed, int steps) {
  SimFileSystem fs(seed);
  EXPECT_OK(fs.create_directory(kWal));
  EXPECT_OK(fs.sync_directory("/"));
  LogModel model;
  SeededRandom random(seed);
  fs.on_call([&](const testing::CallInfo& call) {
    if (::testing::Test::HasFailure()) return;
    std::uint64_t number = 0;
    for (const CrashPolicy& policy : policies(fs)) {
      const std::uint64_t crash_seed = mix64(seed * 1000 + call.index) + number++;
      SCOPED_TRACE("seed " + std::to_string(seed) + ", before call " + std::to_string(call.index) + ", " +
                   policy.to_string() + ", crash seed " + std::to_string(crash_seed));
      recover(*fs.crash(policy, crash_seed), model, number % 5 == 0 ? 1 : 0, crash_seed);
    }
    SCOPED_TRACE("seed " + std::to_string(seed) + ", kill before call " + std::to_string(call.index));
    recover(*fs.kill_process(), model, 1, seed);
  });
  ModelledWriter log(fs, model);
  for (int i = 0; i < steps; ++i) EXPECT_OK(log.step(random)) << "seed " << seed << " step " << i;
  fs.on_call(nullptr);
}

TEST(WalCrashTest, PowerLossAtEveryCall) {
  const char* wanted = std::getenv("HOLDFAST_CRASH_SEEDS");
  const std::uint64_t seeds = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 3;
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) explore(seed, 15);
  std::cout << "states explored: " << states_explored << "\n";
  EXPECT_GT(states_explored, 500 * seeds);
}

// Removing old segments: whatever a crash undoes, the rest is the log's end without a hole.
TEST(WalCrashTest, PowerLossWhileSegmentsAreRemoved) {
  SimFileSystem fs;
  EXPECT_OK(fs.create_directory(kWal));
  EXPECT_OK(fs.sync_directory("/"));
  LogModel model;
  ModelledWriter log(fs, model, {}, 2);
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_OK(log.append(1, 100, i));
    EXPECT_OK(log.sync());
  }
  fs.on_call([&](const testing::CallInfo&) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      const auto crashed = fs.crash(CrashPolicy::anything(), seed);
      SCOPED_TRACE("seed " + std::to_string(seed));
      model.expect_holds(*crashed, read_options(5));
    }
  });
  EXPECT_OK(remove_segments_through(fs, kWal, 5));
  fs.on_call(nullptr);
}

}  // namespace
}  // namespace holdfast::storage
