// The disk is full from any call of a workload on (hole H09). What must hold then:
//   - upserts are refused with disk_full, or go through; nothing is lost, nothing half done;
//   - if the reserve stood (engine/disk_reserve.h), every batch that only erases, every vacuum, checkpoint, drop, close
//     and open succeeds;
//   - when space returns everything does, without a reopen.
//   HOLDFAST_FULL_DISKS  workloads   HOLDFAST_CRASH_SEED  seed of the first one
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "base/sanitizer.h"
#include "support/explorer.h"

namespace holdfast::testing {
namespace {

bool grows(const WriteBatch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch.operation(i).kind == WriteBatch::Kind::upsert) return true;
  }
  return false;
}

struct Figures {
  std::uint64_t calls = 0, runs = 0, refused = 0, erasures = 0, checkpoints = 0, reopened = 0, dropped = 0;
};

class FullDisk {
 public:
  FullDisk(std::uint64_t seed, Figures& figures) : seed_(seed), figures_(figures) {
    const WorkloadShape shape{.steps = 14, .collections = 2, .churn = seed % 2 == 0, .large = seed % 3 == 0};
    for (Step& step : make_workload(seed, shape)) {
      const std::string collection = step.collection;
      const bool write = step.kind == Step::Kind::write;
      steps_.push_back(std::move(step));
      if (!write) continue;
      steps_.push_back(erasure(collection, steps_.size()));
      if (steps_.size() % 3 == 0) steps_.push_back(of_kind(Step::Kind::checkpoint, collection));
    }
  }

  std::uint64_t calls() {
    SimFileSystem disk(seed_);
    StoreDriver driver(small_store(disk));
    EXPECT_TRUE(driver.open().ok());
    for (const Step& step : steps_) EXPECT_TRUE(driver.run(step).ok()) << step.to_string();
    return disk.calls();
  }

  /// Full from call `index` on. Returns what was wrong.
  std::string fill_at(std::uint64_t index) {
    ++figures_.runs;
    SimFileSystem disk(seed_);
    full_ = false;
    disk.on_call([&](const CallInfo& call) {
      if (call.index != index) return;
      disk.set_capacity(used(disk));
      full_ = true;
    });
    StoreDriver driver(small_store(disk));
    driver.check_reads = true;
    std::string problem = drive(driver);
    if (problem.empty()) {
      disk.set_capacity(0);
      problem = drive_with_space(driver);
    }
    disk.on_call(nullptr);
    driver.let_go();
    if (!problem.empty()) return problem;
    for (const bool power : {false, true}) {
      const auto found = power ? disk.crash(CrashPolicy::anything(), seed_) : disk.kill_process();
      problem =
          check_crash_state(*found, driver.model(), power ? Loss::power : Loss::process, small_store(*found), seed_);
      if (!problem.empty()) return std::string(power ? "power fails: " : "the process ends: ") + problem;
    }
    return "";
  }

 private:
  static Step of_kind(Step::Kind kind, const std::string& collection) {
    Step step;
    step.kind = kind;
    step.collection = collection;
    return step;
  }
  static Step erasure(const std::string& collection, std::size_t n) {
    Step step = of_kind(Step::Kind::write, collection);
    step.batch.erase(workload_ids()[n % workload_ids().size()]);
    return step;
  }
  static std::uint64_t used(const SimFileSystem& disk) {
    std::uint64_t bytes = 0;
    for (const auto& file : disk.files()) bytes += file.cached_size;
    return bytes;
  }
  /// Of the step's collection; of all, if it names none.
  static bool reserve_stands(const StoreDriver& driver, const Step& step) {
    if (!driver.is_open()) return false;
    bool stands = true, any = false;
    for (const std::string& name : driver.database().collections()) {
      if (!step.collection.empty() && name != step.collection) continue;
      const CollectionStats stats = driver.database().collection(name)->stats();
      any = true;
      stands &= stats.reserve_bytes > 0 && stats.reserve_bytes >= stats.reserve_wanted_bytes;
    }
    return any && stands;
  }

  /// Whether the step must succeed on a full disk, provided that the reserve stood.
  static bool must_succeed(const Step& step) {
    return step.kind != Step::Kind::create && !(step.kind == Step::Kind::write && grows(step.batch));
  }

  std::string drive(StoreDriver& driver) {
    if (Status opened = driver.open(); !opened.ok()) {
      if (opened.code() != StatusCode::disk_full) return "open: " + opened.to_string();
      return "";
    }
    std::map<std::string, bool> stood;  // once: erasing and checkpoints live on what it gives
    for (const Step& step : steps_) {
      const std::vector<std::string> there = driver.database().collections();
      const bool needs_one = !step.collection.empty() && step.kind != Step::Kind::create;
      if (needs_one && std::find(there.begin(), there.end(), step.collection) == there.end()) continue;
      if (!full_) stood[step.collection] = reserve_stands(driver, step);
      if (step.kind == Step::Kind::create) stood[step.collection] = false;  // made on the full disk: it has none
      const bool before = full_;
      const Status status = driver.run(step);
      if (!driver.problem().empty()) return driver.problem();
      if (!full_ && !status.ok()) return step.to_string() + ": " + status.to_string();
      if (!before) continue;
      count(step, status);
      if (status.ok()) continue;
      if (status.code() != StatusCode::disk_full) return step.to_string() + " on a full disk: " + status.to_string();
      if (must_succeed(step) && stood[step.collection]) {
        const CollectionStats stats = driver.database().collection(step.collection)->stats();
        return step.to_string() + " on a full disk, though the reserve stood: " + status.to_string() + "; it has " +
               std::to_string(stats.reserve_bytes) + " of " + std::to_string(stats.reserve_wanted_bytes) + " bytes";
      }
      if (!driver.is_open()) return "";  // the reserve did not stand
    }
    return driver.problem();
  }

  std::string drive_with_space(StoreDriver& driver) {
    if (!driver.is_open()) {
      if (Status opened = driver.open(); !opened.ok()) return "open with space: " + opened.to_string();
    }
    for (const std::string& name : driver.database().collections()) {
      Step write = of_kind(Step::Kind::write, name);
      const std::uint32_t dimension = driver.database().collection(name)->config().dimension;
      for (std::size_t i = 0; i < 3; ++i) {
        write.batch.upsert(workload_ids()[i], std::vector<float>(dimension, static_cast<float>(i + 1)), "{}");
      }
      for (const Step& step : {write, of_kind(Step::Kind::checkpoint, name)}) {
        if (Status status = driver.run(step); !status.ok())
          return step.to_string() + " with space: " + status.to_string();
      }
    }
    return driver.problem();
  }

  void count(const Step& step, const Status& status) {
    if (step.kind == Step::Kind::write && grows(step.batch) && !status.ok()) ++figures_.refused;
    if (!status.ok()) return;
    figures_.erasures += step.kind == Step::Kind::write && !grows(step.batch) ? 1 : 0;
    figures_.checkpoints += step.kind == Step::Kind::checkpoint ? 1 : 0;
    figures_.reopened += step.kind == Step::Kind::reopen ? 1 : 0;
    figures_.dropped += step.kind == Step::Kind::drop ? 1 : 0;
  }

  const std::uint64_t seed_;
  Figures& figures_;
  std::vector<Step> steps_;
  bool full_ = false;
};

TEST(FullDisk, AtEveryCallOfAWorkload) {
  const std::uint64_t first = number_from_environment("HOLDFAST_CRASH_SEED", 1);
  const std::uint64_t workloads = number_from_environment("HOLDFAST_FULL_DISKS", HF_SANITIZED ? 1 : 4);
  Figures figures;
  std::uint64_t failures = 0;
  for (std::uint64_t seed = first; seed < first + workloads; ++seed) {
    FullDisk disk(seed, figures);
    const std::uint64_t calls = disk.calls();
    ASSERT_GT(calls, 30u);
    figures.calls += calls;
    for (std::uint64_t index = 0; index < calls && failures < 5; ++index) {
      const std::string problem = disk.fill_at(index);
      if (problem.empty()) continue;
      ++failures;
      ADD_FAILURE() << "workload seed " << seed << ", full from call " << index << " on: " << problem;
    }
  }
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf(
      "full disk: calls covered %llu of %llu (100 %%), workloads %llu, upserts refused %llu, and on the full disk: "
      "erasures %llu, checkpoints %llu, reopened %llu, dropped %llu, seed %llu\n",
      number(figures.runs), number(figures.calls), number(workloads), number(figures.refused), number(figures.erasures),
      number(figures.checkpoints), number(figures.reopened), number(figures.dropped), number(first));
}

}  // namespace
}  // namespace holdfast::testing
