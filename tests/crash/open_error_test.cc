// Every call of open fails, reads and locks included: once, from then on, after a part of a write, and each sync with
// its pages kept, cleaned or dropped. The stores that are opened were left by a crash: with a log tail, a half-written
// checkpoint, a torn group, a dropped collection's directory. What must hold:
//   - open, or the quarantine of a collection, says io_error or disk_full and names a path; never that data is damaged;
//   - what it serves all the same is whole;
//   - the next open without the fault holds everything, whatever loss comes in between.
//   HOLDFAST_IO_STATES  losses in between, 1 to 3 per error   HOLDFAST_CRASH_SEED  seed
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

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

constexpr Fault kFaults[] = {
    {.name = "EIO once"},
    {.name = "EIO for ever", .for_ever = true},
    {.name = "ENOSPC once", .code = StatusCode::disk_full},
    {.name = "ENOSPC for ever", .code = StatusCode::disk_full, .for_ever = true},
    {.name = "ENOSPC after a part", .code = StatusCode::disk_full, .short_write = true},
    {.name = "EIO after a part", .short_write = true},
    {.name = "sync fails, pages dirty", .pages = UnsyncedPages::kept_dirty},
    {.name = "sync fails, pages clean", .pages = UnsyncedPages::marked_clean},
    {.name = "sync fails, pages dropped", .pages = UnsyncedPages::dropped},
};

bool applies(const Fault& fault, const CallInfo& call) {
  const bool sync = call.kind == CallKind::sync || call.kind == CallKind::sync_directory;
  if (fault.pages) return sync;
  return !fault.short_write || call.kind == CallKind::write;
}

/// What a crash left, and what must be found in it.
struct Found {
  std::string name;
  std::unique_ptr<SimFileSystem> disk;
  Model model;
  Loss loss;
};

class Stores {
 public:
  explicit Stores(std::uint64_t seed) : seed_(seed), random_(seed), disk_(seed), driver_(small_store(disk_)) {
    EXPECT_TRUE(driver_.open().ok());
    run(Step::Kind::create, "a");
    run(Step::Kind::create, "b");
    for (int i = 0; i < 5; ++i) write(i % 2 == 0 ? "a" : "b", 4);
    run(Step::Kind::index, "a");
    run(Step::Kind::checkpoint, "a");
    for (int i = 0; i < 3; ++i) write("a", 2);
    write("b", 2);
    take(
        "a torn group", CallKind::write, "/wal/", [&] { write("a", 3); },
        CrashPolicy::torn_write(CrashPolicy::Boundary::sector));
    take(
        "half a checkpoint", CallKind::rename, "manifest-", [&] { run(Step::Kind::checkpoint, "a"); }, std::nullopt);
    write("a", 2);
    take(
        "a checkpoint without its directory", CallKind::sync_directory, "/store/c-",
        [&] { run(Step::Kind::checkpoint, "a"); }, CrashPolicy::lose_all());
    write("a", 1);
    take(
        "half a drop", CallKind::remove, "/wal/", [&] { run(Step::Kind::drop, "b"); }, std::nullopt);
    run(Step::Kind::create, "b");
    write("b", 3);
    take(
        "any of what is unsynced", CallKind::sync, "/wal/", [&] { write("a", 3); }, CrashPolicy::anything());
  }
  std::vector<Found> found;

 private:
  void run(Step::Kind kind, const std::string& collection) {
    Step step;
    step.kind = kind;
    step.collection = collection;
    step.config = {.dimension = 4, .metric = Metric::l2, .m = 4, .ef_construction = 16};
    run(step);
  }
  void run(const Step& step) {
    const Status status = driver_.run(step);
    EXPECT_TRUE(status.ok()) << step.to_string() << ": " << status.to_string();
  }
  void write(const std::string& collection, int points) {
    Step step;
    step.collection = collection;
    for (int i = 0; i < points; ++i) {
      const PointId id = workload_ids()[(next_ + i) % workload_ids().size()];
      step.batch.upsert(id, random_vector(random_, 4), R"({"n":)" + std::to_string(next_ + i) + "}");
    }
    next_ += points;
    run(step);
  }
  /// The disk before the first such call of `work`.
  template <class Work>
  void take(const char* name, CallKind kind, const std::string& part, Work work,
            const std::optional<CrashPolicy>& policy) {
    const std::size_t before = found.size();
    disk_.on_call([&](const CallInfo& call) {
      if (found.size() > before || call.kind != kind) return;
      if (call.path.find(part) == std::string::npos) return;
      found.push_back({name, policy ? disk_.crash(*policy, seed_) : disk_.kill_process(), driver_.model(),
                       policy ? Loss::power : Loss::process});
    });
    work();
    disk_.on_call(nullptr);
    EXPECT_EQ(before + 1, found.size()) << name;
  }

  const std::uint64_t seed_;
  SeededRandom random_;
  SimFileSystem disk_;
  StoreDriver driver_;
  std::size_t next_ = 0;
};

class OpenErrors {
 public:
  OpenErrors(const Found& found, std::uint64_t seed) : found_(found), seed_(seed) {}

  std::vector<CallInfo> calls() const {
    std::vector<CallInfo> calls;
    const auto disk = found_.disk->clone();
    disk->count_reads(true);
    disk->on_call([&](const CallInfo& call) { calls.push_back(call); });
    const auto database = Database::open_with(kStorePath, small_store(*disk));
    disk->on_call(nullptr);
    EXPECT_TRUE(database.ok()) << found_.name << ": " << database.status().to_string();
    return calls;
  }

  std::string fail(const Fault& fault, const CallInfo& call, std::uint64_t states, bool& opened) const {
    const auto disk = found_.disk->clone();
    disk->count_reads(true);
    disk->on_call([&](const CallInfo& now) {
      if (now.index != call.index) return;
      if (fault.pages) {
        disk->fail_sync_at(now.index, *fault.pages);
      } else if (fault.short_write) {
        disk->short_write_at(now.index, mix64(now.index) % now.size, fault.code);
      } else {
        disk->fail_at(now.index, fault.code, fault.for_ever);
      }
    });
    std::string problem = open(*disk, fault, opened);
    if (!problem.empty()) return problem;
    for (std::uint64_t i = 0; i < states; ++i) {
      const std::uint64_t which = (mix64(call.index * 31 + static_cast<std::uint64_t>(&fault - kFaults)) + i) % 3;
      problem = check_what_is_left(*disk, which);
      if (!problem.empty()) return problem;
    }
    return "";
  }

 private:
  std::string open(SimFileSystem& disk, const Fault& fault, bool& opened) const {
    auto database = Database::open_with(kStorePath, small_store(disk));
    disk.on_call(nullptr);
    disk.clear_faults();
    disk.count_reads(false);
    opened = database.ok() && database->quarantined().empty();
    if (!database.ok()) return judge(database.status(), fault);
    for (const QuarantinedCollection& kept : database->quarantined()) {
      if (auto problem = judge(kept.status, fault); !problem.empty()) return kept.name + ": " + problem;
    }
    Model model = found_.model;
    if (!opened) return check_served(*database, model);
    if (auto problem = settle(*database, model, found_.loss); !problem.empty()) return "opened: " + problem;
    if (auto problem = check_current(*database, model); !problem.empty()) return "opened: " + problem;
    return "";
  }

  /// Those that open are whole, and take writes, beside one that does not.
  std::string check_served(const Database& database, const Model& model) const {
    for (const std::string& name : database.collections()) {
      const auto expected = model.find(name);
      if (expected == model.end()) return "there is a collection '" + name + "' that nobody made";
      const auto found = observe(database, name);
      if (!found.ok()) return name + ": " + found.status().to_string();
      const std::vector<VersionRef> possible = expected->second.possible(found_.loss);
      if (std::none_of(possible.begin(), possible.end(),
                       [&](const VersionRef& version) { return difference(version, *found).empty(); })) {
        return name + ", served beside a quarantined collection, holds no possible version";
      }
    }
    return "";
  }

  static std::string judge(const Status& status, const Fault& fault) {
    if (status.code() != fault.code) return "the wrong code: " + status.to_string();
    if (status.message().find(kStorePath) == std::string_view::npos) return "names no path: " + status.to_string();
    return "";
  }

  std::string check_what_is_left(const SimFileSystem& disk, std::uint64_t which) const {
    const auto left = which == 0   ? disk.kill_process()
                      : which == 1 ? disk.crash(CrashPolicy::lose_all(), seed_)
                                   : disk.crash(CrashPolicy::anything(), seed_);
    const Loss loss = which == 0 ? found_.loss : Loss::power;
    const std::string problem = check_crash_state(*left, found_.model, loss, small_store(*left), seed_ + which);
    constexpr const char* kHow[] = {"the process ended", "power failed", "power failed, some survived"};
    return problem.empty() ? "" : std::string("then ") + kHow[which] + ": " + problem;
  }

  const Found& found_;
  const std::uint64_t seed_;
};

TEST(OpenErrors, EveryCallOfRecoveryMayFail) {
  const std::uint64_t seed = number_from_environment("HOLDFAST_CRASH_SEED", 1);
  const std::uint64_t states = number_from_environment("HOLDFAST_IO_STATES", 1);
  const Stores stores(seed);
  std::uint64_t calls = 0, covered = 0, runs = 0, served = 0, failures = 0;
  for (const Found& found : stores.found) {
    const OpenErrors errors(found, seed);
    for (const CallInfo& call : errors.calls()) {
      ++calls;
      bool any = false;
      for (const Fault& fault : kFaults) {
        if (!applies(fault, call) || failures >= 5) continue;
        any = true;
        ++runs;
        bool opened = false;
        const std::string problem = errors.fail(fault, call, states, opened);
        served += opened ? 1 : 0;
        if (problem.empty()) continue;
        ++failures;
        ADD_FAILURE() << "seed " << seed << ", " << found.name << ", " << fault.name << " at call " << call.index
                      << " (" << to_string(call.kind) << " " << call.path << "): " << problem;
      }
      covered += any ? 1 : 0;
    }
  }
  const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
  std::printf(
      "I/O errors in open: calls covered %llu of %llu (100 %%), stores %zu, runs %llu, opened all the same %llu, "
      "states "
      "after each %llu, seed %llu\n",
      number(covered), number(calls), stores.found.size(), number(runs), number(served), number(states), number(seed));
}

}  // namespace
}  // namespace holdfast::testing
