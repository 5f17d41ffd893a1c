// The kill -9 laboratory: a real process on a real file system, killed at random moments, and an oracle in another
// process that knows what was acknowledged.
//
//   HOLDFAST_KILLS=1000 HOLDFAST_SEED=7 build/release/tests/crash/kill9_test
//
// After every kill the store is opened and must hold, exactly,
//   1. every acknowledged batch: vector and payload of each id as last written, bit for bit;
//   2. every batch in flight entirely or not at all, its marker included;
//   3. nothing else: no id that was erased or never written, neither by id, nor in the list of ids, nor in a search.
// The moment of a kill is a number of events seen on the pipe plus a delay of microseconds, both drawn by the seed.
// That makes the plan repeatable, though not the interleaving: a failure keeps its store and says where.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "base/random.h"
#include "crash/kill_workload.h"
#include "holdfast/database.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

using Kind = KillEvent::Kind;
using Clock = std::chrono::steady_clock;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// What one thread of the worker has written.
struct ThreadModel {
  std::map<std::uint64_t, std::uint64_t> versions;  // of the ids that live
  std::string marker;
  std::optional<std::uint64_t> in_flight;  // number of the batch

  void apply(std::uint64_t seed, std::uint32_t thread, std::uint64_t number) {
    for (const KillOperation& operation : kill_operations(seed, thread, number)) {
      if (operation.version == 0) {
        versions.erase(operation.id);
      } else {
        versions[operation.id] = operation.version;
      }
    }
    marker = kill_marker_value(seed, number);
  }
};
using Model = std::array<ThreadModel, kKillThreads>;

/// How one life of the worker ends.
struct KillPlan {
  std::optional<Kind> event;  ///< of this kind only, or any
  std::uint64_t events = 1;   ///< this many of them are seen first
  std::chrono::microseconds delay{0};
};

KillPlan plan_kill(SeededRandom& random) {
  KillPlan plan;
  plan.delay = std::chrono::microseconds(random.below(random.below(2) == 0 ? 200 : 5'000));
  switch (random.below(8)) {
    case 0: plan.event = Kind::opening; break;  // in recovery
    case 1: plan.event = Kind::closing; break;  // in the last checkpoint, or the worker gets away
    case 2:
    case 3:
      plan.event = Kind::checkpoint_begins;
      plan.events = 1 + random.below(4);
      break;
    default: plan.events = 1 + random.below(1'500); break;
  }
  return plan;
}

struct Life {
  bool killed = false;
  int wait_status = 0;
  std::uint64_t acknowledged = 0;  // batches
};

/// Starts the worker, follows its events in the model and kills it as planned.
Life live(const std::string& store, std::uint64_t seed, const KillPlan& plan, Model& model) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const std::string seed_text = std::to_string(seed);
  const std::string pipe_text = std::to_string(pipe[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::fcntl(pipe[1], F_SETFD, 0);
    ::execl(HOLDFAST_KILL_WORKER, "kill_worker", store.c_str(), seed_text.c_str(), pipe_text.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(pipe[1]);
  EXPECT_GT(pid, 0);

  Life life;
  std::uint64_t seen = 0;
  std::optional<Clock::time_point> deadline;
  for (bool ended = pid < 0; !ended;) {
    std::optional<std::chrono::microseconds> timeout;
    if (deadline && !life.killed) {
      timeout = std::max(std::chrono::microseconds(0),
                         std::chrono::duration_cast<std::chrono::microseconds>(*deadline - Clock::now()));
    }
    // What it said before it died is still in the pipe after the kill, and counts.
    if (const auto event = receive(pipe[0], timeout, ended)) {
      ThreadModel& thread = model[event->thread % kKillThreads];
      if (event->kind == Kind::write_begins) thread.in_flight = event->number;
      if (event->kind == Kind::write_acknowledged) {
        EXPECT_EQ(thread.in_flight, event->number);
        thread.apply(seed, event->thread, event->number);
        thread.in_flight.reset();
        ++life.acknowledged;
      }
      seen += !plan.event || *plan.event == event->kind ? 1 : 0;
      if (seen >= plan.events && !deadline) deadline = Clock::now() + plan.delay;
    }
    if (deadline && !life.killed && Clock::now() >= *deadline) {
      ::kill(pid, SIGKILL);
      life.killed = true;
    }
  }
  ::close(pipe[0]);
  ::waitpid(pid, &life.wait_status, 0);
  life.killed = WIFSIGNALED(life.wait_status) && WTERMSIG(life.wait_status) == SIGKILL;
  return life;
}

/// Empty if the store holds exactly this version (0: nothing) of the id.
std::string wrong_point(const Snapshot& snapshot, std::uint64_t id, std::uint64_t version) {
  const std::string name = "id " + std::to_string(id) + ": ";
  auto point = snapshot.get(id);
  if (version == 0) return point.status().code() == StatusCode::not_found ? "" : name + "is back";
  if (!point.ok()) return name + point.status().to_string();
  if (point->vector != kill_vector(id, version)) return name + "another vector";
  if (point->payload != kill_payload(id, version)) return name + "another payload";
  return {};
}

std::string wrong_thread(const Collection& collection, const Snapshot& snapshot, std::uint32_t thread,
                         const ThreadModel& model) {
  const std::string marker = collection.marker(kill_marker_key(thread)).value_or("");
  if (marker != model.marker) return "marker '" + marker + "', not '" + model.marker + "'";
  for (std::uint64_t id = thread * kKillIdsPerThread; id < (thread + 1) * kKillIdsPerThread; ++id) {
    const auto found = model.versions.find(id);
    if (std::string wrong = wrong_point(snapshot, id, found == model.versions.end() ? 0 : found->second);
        !wrong.empty()) {
      return wrong;
    }
  }
  return {};
}

/// Settles each thread's batch in flight: the store holds it, or it does not.
void settle(const Collection& collection, const Snapshot& snapshot, std::uint64_t seed, Model& model) {
  for (std::uint32_t t = 0; t < kKillThreads; ++t) {
    std::string wrong = wrong_thread(collection, snapshot, t, model[t]);
    if (!wrong.empty() && model[t].in_flight) {
      ThreadModel after = model[t];
      after.apply(seed, t, *model[t].in_flight);
      const std::string wrong_after = wrong_thread(collection, snapshot, t, after);
      wrong = wrong_after.empty() ? "" : "without the batch in flight: " + wrong + "; with it: " + wrong_after;
      if (wrong.empty()) model[t] = std::move(after);
    }
    EXPECT_EQ(wrong, "") << "thread " << t;
    model[t].in_flight.reset();
  }
}

/// Lists and searches know exactly the ids that live.
void check_lists_and_searches(const Snapshot& snapshot, const Model& model, SeededRandom& random) {
  std::map<PointId, std::uint64_t> live;
  for (const ThreadModel& thread : model) {
    for (const auto& [id, version] : thread.versions) live.emplace(id, version);
  }
  std::uint64_t next = 0;
  auto ids = snapshot.ids(0, kMaxK, &next);
  ASSERT_TRUE(ids.ok()) << ids.status().to_string();
  EXPECT_EQ(ids->size(), live.size());
  EXPECT_EQ(snapshot.size(), live.size());
  for (const PointId& id : *ids) EXPECT_EQ(live.count(id), 1U) << id.to_string();
  if (live.empty()) return;

  constexpr int kSearches = 16;
  for (int i = 0; i < kSearches; ++i) {
    const std::uint64_t id = random.below(kKillThreads * kKillIdsPerThread);
    const auto known = live.find(id);
    // An erased id is searched where nothing is; a live one with its own vector.
    const std::vector<float> query = kill_vector(id, known == live.end() ? random.next() : known->second);
    const bool exact = i % 2 == 0;
    auto hits = snapshot.search(query, {.k = static_cast<std::uint32_t>(live.size()), .exact = exact});
    ASSERT_TRUE(hits.ok()) << hits.status().to_string();
    std::set<PointId> found;
    for (const Hit& hit : *hits) {
      EXPECT_TRUE(found.insert(hit.id).second) << hit.id.to_string() << " twice";
      EXPECT_EQ(live.count(hit.id), 1U) << hit.id.to_string() << " is a ghost";
    }
    if (exact) {
      EXPECT_EQ(found.size(), live.size());
    }
    if (known != live.end()) {
      ASSERT_FALSE(hits->empty());
      EXPECT_EQ(hits->front().id, known->first) << (exact ? "exact" : "graph");
    }
  }
}

struct Totals {
  std::uint64_t kills = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t recoveries_killed = 0;
};

/// Opens what is left, compares, and leaves it in one of several ways.
void check_store(const std::string& store, std::uint64_t seed, Model& model, SeededRandom& random) {
  auto database = Database::open(store, kill_options(random.next()));
  ASSERT_TRUE(database.ok()) << database.status().to_string();
  EXPECT_TRUE(database->quarantined().empty());
  auto collection = database->collection(kKillCollection);
  if (collection.status().code() == StatusCode::not_found) {
    // Killed before it was created: then nothing was written either.
    for (const ThreadModel& thread : model) EXPECT_TRUE(thread.versions.empty() && thread.marker.empty());
    ASSERT_TRUE(database->close().ok());
    return;
  }
  ASSERT_TRUE(collection.ok()) << collection.status().to_string();
  EXPECT_FALSE(collection->recovery_report().fell_back);
  settle(*collection, collection->snapshot(), seed, model);
  check_lists_and_searches(collection->snapshot(), model, random);
  if (random.below(4) == 0) {
    ASSERT_TRUE(collection->wait_until_indexed().ok());
    check_lists_and_searches(collection->snapshot(), model, random);
  }
  Status closed = database->close();
  EXPECT_TRUE(closed.ok()) << closed.to_string();
}

TEST(Kill9, NothingAcknowledgedIsLost) {
  const std::uint64_t kills = from_environment("HOLDFAST_KILLS", HOLDFAST_DEFAULT_KILLS);
  const std::uint64_t seed = from_environment("HOLDFAST_SEED", 20240917);
  SCOPED_TRACE("HOLDFAST_SEED=" + std::to_string(seed) + " HOLDFAST_KILLS=" + std::to_string(kills));
  SeededRandom random(seed);
  auto directory = std::make_unique<TempDir>();
  std::string store = *directory / "store";
  Model model;
  Totals totals;
  for (std::uint64_t round = 0; totals.kills < kills && !HasFailure(); ++round) {
    ASSERT_LT(round, 20 * kills + 100) << "the worker gets away every time";
    SCOPED_TRACE("round " + std::to_string(round) + ", store " + store);
    const std::uint64_t life_seed = random.next();
    const KillPlan plan = plan_kill(random);
    const Life life = live(store, life_seed, plan, model);
    totals.acknowledged += life.acknowledged;
    totals.kills += life.killed ? 1 : 0;
    totals.recoveries_killed += life.killed && plan.event == Kind::opening ? 1 : 0;
    if (!life.killed) {
      EXPECT_TRUE(WIFEXITED(life.wait_status));
      EXPECT_EQ(WEXITSTATUS(life.wait_status), kWorkerDone);
    }
    // Sometimes the next life finds it first: a crash after a crash.
    if (random.below(4) == 0 && !std::any_of(model.begin(), model.end(), [](auto& t) { return t.in_flight; })) continue;
    check_store(store, life_seed, model, random);
  }
  if (HasFailure()) {
    std::printf("the store of the failure is kept: %s\n", store.c_str());
    (void)directory.release();
  }
  std::printf("kills: %llu (%llu of them in recovery), acknowledged: %llu batches, lost: %d, seed: %llu\n",
              static_cast<unsigned long long>(totals.kills), static_cast<unsigned long long>(totals.recoveries_killed),
              static_cast<unsigned long long>(totals.acknowledged), HasFailure() ? 1 : 0,
              static_cast<unsigned long long>(seed));
}

}  // namespace
}  // namespace holdfast::testing
