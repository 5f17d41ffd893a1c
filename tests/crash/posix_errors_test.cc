// The system calls of a small real workload fail, one after the other: every index, in operation and in open. Unlike
// the simulated disk this goes through src/os: errno becomes a Status here, EINTR is retried, short transfers go on.
//   EINTR (once, and ten times), half a read, half a write   nothing may show
//   EIO, ENOSPC, EDQUOT, EMFILE, once and from then on; half a write and then ENOSPC or EIO
//                                                            typed errors; nothing acknowledged is lost
//   HOLDFAST_IO_EVERY  take every n-th index only   HOLDFAST_CRASH_SEED  seed
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>

#include "base/sanitizer.h"
#include "crash/syscall_faults.h"
#include "engine/backup.h"
#include "engine/verify.h"
#include "support/explorer.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

/// The real file system with another root, so that the drivers of the simulated disk find their paths.
class Rooted final : public os::FileSystem {
 public:
  explicit Rooted(std::string root) : root_(std::move(root)) {}

  Result<std::unique_ptr<os::File>> create(const std::string& path) override { return real().create(at(path)); }
  Result<std::unique_ptr<os::File>> open(const std::string& path, Access access) override {
    return real().open(at(path), access);
  }
  Status rename(const std::string& from, const std::string& to) override { return real().rename(at(from), at(to)); }
  Status link(const std::string& from, const std::string& to) override { return real().link(at(from), at(to)); }
  Status exchange(const std::string& a, const std::string& b) override { return real().exchange(at(a), at(b)); }
  Status remove(const std::string& path) override { return real().remove(at(path)); }
  Status create_directory(const std::string& path) override { return real().create_directory(at(path)); }
  Status remove_directory(const std::string& path) override { return real().remove_directory(at(path)); }
  Status sync_directory(const std::string& path) override { return real().sync_directory(at(path)); }
  Result<std::vector<os::DirectoryEntry>> list(const std::string& path) override { return real().list(at(path)); }
  Result<bool> exists(const std::string& path) override { return real().exists(at(path)); }
  Result<std::unique_ptr<os::FileLock>> lock(const std::string& path) override { return real().lock(at(path)); }
  std::uint64_t random_u64() override { return real().random_u64(); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return real().free_bytes(at(path)); }

 private:
  static os::FileSystem& real() { return os::posix_file_system(); }
  [[nodiscard]] std::string at(const std::string& path) const { return root_ + path; }
  const std::string root_;
};

struct Fault {
  const char* name;
  SyscallPlan plan;
  bool harmless = false;  ///< nothing may show
};

constexpr std::uint64_t kForEver = ~std::uint64_t{0};

const std::vector<Fault>& faults() {
  static const std::vector<Fault> all = {
      {"EINTR", {.error = EINTR}, true},
      {"EINTR ten times", {.error = EINTR, .times = 10}, true},
      {"half a transfer", {.cut = true, .which = transfers}, true},
      {"EIO once", {.error = EIO}},
      {"EIO for ever", {.error = EIO, .times = kForEver}},
      {"ENOSPC once", {.error = ENOSPC, .which = takes_room}},
      {"ENOSPC for ever", {.error = ENOSPC, .times = kForEver, .which = takes_room}},
      {"EDQUOT once", {.error = EDQUOT, .which = takes_room}},
      {"EDQUOT for ever", {.error = EDQUOT, .times = kForEver, .which = takes_room}},
      {"EMFILE once", {.error = EMFILE, .which = makes_descriptor}},
      {"EMFILE for ever", {.error = EMFILE, .times = kForEver, .which = makes_descriptor}},
      {"ENOSPC after half a write", {.error = ENOSPC, .cut = true, .which = takes_room}},
      {"EIO after half a transfer", {.error = EIO, .cut = true, .which = transfers}},
  };
  return all;
}

struct Outcome {
  std::vector<Syscall> calls;
  std::uint64_t hits = 0;
  std::string problem;
};

class Workload {
 public:
  explicit Workload(std::uint64_t seed) {
    steps_ = make_workload(seed, {.steps = 10, .collections = 2, .weak_durability = false, .large = false});
    for (const bool checkpoint : {false, true}) {
      Step reopen;
      reopen.kind = Step::Kind::reopen;
      reopen.checkpoint_on_close = checkpoint;
      steps_.push_back(reopen);
    }
  }

  Outcome run(const Fault& fault, std::uint64_t index) const {
    const TempDir directory(TempDir::On::memory);
    Rooted disk(directory.path());
    StoreDriver driver(small_store(disk));
    Outcome outcome;
    {
      SyscallPlan plan = fault.plan;
      plan.index = index;
      ArmedSyscalls armed(plan);
      outcome.problem = drive(driver, disk, fault);
      outcome.calls = armed.calls();
      outcome.hits = armed.hits();
      driver.let_go();
    }
    if (outcome.problem.empty()) outcome.problem = check_what_is_left(driver, disk);
    return outcome;
  }

 private:
  static std::string judge(const std::string& what, const Status& status, const Fault& fault) {
    if (status.ok()) return "";
    if (fault.harmless) return what + ": " + status.to_string();
    const std::string_view message = status.message();
    if (fault.plan.error == EMFILE && status.code() == StatusCode::io_error &&
        message.find("ulimit -n") == std::string_view::npos) {
      return what + " does not say what to do: " + status.to_string();
    }
    switch (status.code()) {
      case StatusCode::io_error:
      case StatusCode::read_only:
      case StatusCode::outcome_unknown:
      case StatusCode::not_found:
      case StatusCode::already_exists: return "";
      case StatusCode::disk_full:
        if (fault.plan.error == ENOSPC || fault.plan.error == EDQUOT) return "";
        [[fallthrough]];
      default: return what + ": the wrong code: " + status.to_string();
    }
  }

  std::string drive(StoreDriver& driver, os::FileSystem& disk, const Fault& fault) const {
    const auto open = [&](const std::string& what) -> std::string {
      Status status;
      for (int attempt = 0; attempt < 3; ++attempt) {  // a fault that comes once is over then
        status = driver.open();
        if (auto problem = judge(what, status, fault); !problem.empty()) return problem;
        if (!driver.problem().empty()) return driver.problem();
        if (status.ok()) return "";
      }
      return fault.plan.times == kForEver ? "" : what + " fails though the fault is over: " + status.to_string();
    };
    if (auto problem = open("open"); !problem.empty() || !driver.is_open()) return problem;
    for (const Step& step : steps_) {
      const Status status = driver.run(step);
      if (!driver.problem().empty()) return driver.problem();
      if (auto problem = judge(step.to_string(), status, fault); !problem.empty()) return problem;
      if (driver.is_open()) continue;
      if (auto problem = open("reopen"); !problem.empty() || !driver.is_open()) return problem;
    }
    const auto copied = engine::backup_store(disk, kStorePath, "/backup", {});
    return judge("backup", copied.status(), fault);
  }

  std::string check_what_is_left(StoreDriver& driver, os::FileSystem& disk) const {
    Status opened = driver.open();
    if (!opened.ok()) return "opened without the fault: " + opened.to_string();
    if (!driver.problem().empty()) return driver.problem();
    if (auto problem = check_current(driver.database(), driver.model()); !problem.empty()) return problem;
    driver.let_go();
    const auto copied = engine::backup_store(disk, kStorePath, "/backup", {});
    if (!copied.ok()) return "backup without the fault: " + copied.status().to_string();
    for (const char* place : {kStorePath, "/backup"}) {
      const auto report = engine::verify_store(disk, place, {});
      if (!report.ok()) return std::string("verify ") + place + ": " + report.status().to_string();
      if (report->damaged()) return std::string(place) + " is damaged: " + report->findings.front().message;
    }
    return "";
  }

  std::vector<Step> steps_;
};

TEST(PosixErrors, EverySystemCallOfAWorkloadMayFail) {
  const std::uint64_t seed = number_from_environment("HOLDFAST_CRASH_SEED", 1);
  constexpr std::uint64_t kEvery = HF_SANITIZED ? 29 : 5;
  const std::uint64_t every = number_from_environment("HOLDFAST_IO_EVERY", kEvery);
  const Workload workload(seed);
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  const Outcome quiet = workload.run({"nothing", {}, true}, kForEver);
  ASSERT_EQ("", quiet.problem);
  ASSERT_GT(quiet.calls.size(), 100u);
  std::map<Syscall, std::uint64_t> kinds;
  std::uint64_t covered = 0, runs = 0, hits = 0, failures = 0;
  for (std::uint64_t index = 0; index < quiet.calls.size(); index += every) {
    ++covered;
    ++kinds[quiet.calls[index]];
    for (const Fault& fault : faults()) {
      if (fault.plan.which != nullptr && !fault.plan.which(quiet.calls[index])) continue;
      const Outcome outcome = workload.run(fault, index);
      ++runs;
      hits += outcome.hits;
      if (outcome.problem.empty() || ++failures > 5) continue;
      ADD_FAILURE() << "seed " << seed << ", " << fault.name << " at call " << index << " ("
                    << to_string(quiet.calls[index]) << "): " << outcome.problem;
    }
    if (failures >= 5) break;
  }
  std::printf("I/O errors: calls covered %llu of %zu (%llu %%), runs %llu, faults that happened %llu, seed %llu; ",
              number(covered), quiet.calls.size(), number(covered * 100 / quiet.calls.size()), number(runs),
              number(hits), number(seed));
  for (const auto& [kind, count] : kinds) std::printf("%s %llu ", to_string(kind), number(count));
  std::printf("\n");
}

}  // namespace
}  // namespace holdfast::testing
