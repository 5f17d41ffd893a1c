// Every call of a workload fails once, or from then on: EIO, ENOSPC, short writes, failed syncs with the pages kept,
// cleaned or dropped. What must hold, whatever fails:
//   - what was acknowledged stays, in memory and on the disk; readers always see it;
//   - errors are typed as the API says (StoreDriver checks each);
//   - with the fault gone the store opens on what is left, holds every acknowledged write, and takes new ones;
//   - a disk that was full once goes on without a reopen.
//   HOLDFAST_IO_WORKLOADS  workloads per test   HOLDFAST_CRASH_SEED  seed of the first one
#include <gtest/gtest.h>

#include <cstdio>

#include "base/sanitizer.h"
#include "support/explorer.h"

namespace holdfast::testing {
namespace {

struct Fault {
  const char* name;
  StatusCode code = StatusCode::io_error;
  bool for_ever = false;
  bool short_write = false;
  std::optional<UnsyncedPages> pages = std::nullopt;  ///< of a failed sync
};

struct Run {
  std::vector<CallInfo> calls;
  std::string problem;
  bool became_read_only = false;
};

class IoErrors {
 public:
  IoErrors(std::uint64_t seed, const WorkloadShape& shape, bool count_reads)
      : seed_(seed), steps_(make_workload(seed, shape)), count_reads_(count_reads) {}

  /// The calls of a run in which nothing fails.
  std::vector<CallInfo> calls() { return run(nullptr, 0).calls; }

  /// Fails call `index` and returns what was wrong with the outcome.
  std::string fail(const Fault& fault, const CallInfo& call) {
    Run result = run(&fault, call.index);
    if (!result.problem.empty()) return result.problem;
    // ENOSPC from a sync leaves it open what is on the disk; anywhere else nothing was lost.
    const bool is_sync = call.kind == CallKind::sync || call.kind == CallKind::sync_directory;
    if (fault.code == StatusCode::disk_full && !fault.for_ever && !is_sync && result.became_read_only) {
      return "a disk that was full once made the collection read-only";
    }
    return "";
  }

 private:
  Run run(const Fault* fault, std::uint64_t index) {
    SimFileSystem disk(seed_);
    disk.count_reads(count_reads_);
    Run result;
    disk.on_call([&](const CallInfo& call) {
      if (fault == nullptr) {
        result.calls.push_back(call);
      } else if (call.index == index) {
        if (call.kind == CallKind::sync && fault->pages) {
          disk.fail_sync_at(index, *fault->pages);
        } else if (call.kind == CallKind::write && fault->short_write) {
          disk.short_write_at(index, mix64(index) % call.size, fault->code);
        } else {
          disk.fail_at(index, fault->code, fault->for_ever);
        }
      }
    });
    StoreDriver driver(small_store(disk));
    driver.check_reads = true;
    result.problem = drive(driver, fault, result.became_read_only);
    disk.on_call(nullptr);
    driver.let_go();
    if (!result.problem.empty() || fault == nullptr) return result;
    disk.clear_faults();
    result.problem = check_what_is_left(disk, driver.model());
    return result;
  }

  std::string drive(StoreDriver& driver, const Fault* fault, bool& became_read_only) {
    const bool lasts = fault != nullptr && fault->for_ever;
    if (!open_again(driver, lasts)) return lasts ? "" : "the store does not open though the fault is over";
    for (const Step& step : steps_) {
      const Status status = driver.run(step);
      if (!driver.problem().empty()) return driver.problem();
      became_read_only |= status.code() == StatusCode::read_only;
      if (fault == nullptr && !status.ok()) return step.to_string() + ": " + status.to_string();
      if (driver.is_open()) continue;
      if (!open_again(driver, lasts)) return lasts ? "" : "the store does not reopen though the fault is over";
    }
    return driver.problem();
  }

  static bool open_again(StoreDriver& driver, bool lasts) {
    return driver.open().ok() || (!lasts && driver.open().ok());
  }

  std::string check_what_is_left(const SimFileSystem& disk, const Model& model) {
    const auto check = [&](const char* how, std::unique_ptr<SimFileSystem> found, Loss loss) {
      const std::string problem = check_crash_state(*found, model, loss, small_store(*found), seed_);
      return problem.empty() ? "" : std::string(how) + ": " + problem;
    };
    if (auto problem = check("the process ends", disk.kill_process(), Loss::process); !problem.empty()) return problem;
    if (auto problem = check("power fails", disk.crash(CrashPolicy::lose_all()), Loss::power); !problem.empty()) {
      return problem;
    }
    return check("power fails, some survives", disk.crash(CrashPolicy::anything(), seed_), Loss::power);
  }

  const std::uint64_t seed_;
  const std::vector<Step> steps_;
  const bool count_reads_;
};

void fail_every_call(const std::vector<Fault>& faults, bool count_reads, std::uint64_t workloads) {
  const std::uint64_t first = number_from_environment("HOLDFAST_CRASH_SEED", 1);
  workloads = number_from_environment("HOLDFAST_IO_WORKLOADS", HF_SANITIZED ? 1 : workloads);
  std::uint64_t runs = 0, failures = 0;
  for (std::uint64_t seed = first; seed < first + workloads; ++seed) {
    // Without large payloads: they make the log grow, not the number of different calls.
    IoErrors errors(seed, {.steps = 14, .collections = 2, .weak_durability = false, .large = seed % 2 == 0},
                    count_reads);
    const std::vector<CallInfo> calls = errors.calls();
    ASSERT_GT(calls.size(), 30u);
    for (const CallInfo& call : calls) {
      for (const Fault& fault : faults) {
        if (fault.pages && call.kind != CallKind::sync) continue;
        if (fault.short_write && call.kind != CallKind::write) continue;
        ++runs;
        const std::string problem = errors.fail(fault, call);
        if (problem.empty()) continue;
        ADD_FAILURE() << "workload seed " << seed << ", " << fault.name << " at call " << call.index << " ("
                      << to_string(call.kind) << " " << call.path << "): " << problem;
        if (++failures >= 5) return;
      }
    }
  }
  std::printf("runs with an error: %llu, workloads: %llu, seed: %llu\n", static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(workloads), static_cast<unsigned long long>(first));
}

TEST(IoErrors, InputOutputErrorsAtEveryCall) {
  fail_every_call({{.name = "EIO once"}, {.name = "EIO for ever", .for_ever = true}}, false, 3);
}

TEST(IoErrors, AFullDiskAtEveryCall) {
  fail_every_call({{.name = "ENOSPC once", .code = StatusCode::disk_full},
                   {.name = "ENOSPC for ever", .code = StatusCode::disk_full, .for_ever = true},
                   {.name = "ENOSPC after a part", .code = StatusCode::disk_full, .short_write = true},
                   {.name = "EIO after a part", .short_write = true}},
                  false, 3);
}

TEST(IoErrors, FailedSyncsAtEveryCall) {
  fail_every_call({{.name = "sync fails, pages dirty", .pages = UnsyncedPages::kept_dirty},
                   {.name = "sync fails, pages clean", .pages = UnsyncedPages::marked_clean},
                   {.name = "sync fails, pages dropped", .pages = UnsyncedPages::dropped}},
                  false, 6);
}

TEST(IoErrors, ReadErrorsAtEveryCall) { fail_every_call({{.name = "EIO once"}}, true, 2); }

}  // namespace
}  // namespace holdfast::testing
