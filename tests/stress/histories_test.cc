// Random concurrent histories on up to 8 threads, each checked against a model (stress/history.h).
//   HOLDFAST_HISTORIES    how many (default 1,000; fewer under a sanitizer)
//   HOLDFAST_HISTORY_SEED seed of the first one (default 1): history n has seed first + n
// Threads run their operations between barriers (rounds), so that operations of different threads overlap, and no
// thread waits for time.
#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/random.h"
#include "engine/options.h"
#include "holdfast/holdfast.hpp"
#include "stress/history.h"
#include "support/sim_file_system.h"
#include "support/temp_dir.h"

namespace holdfast::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

constexpr std::uint32_t kDimension = 6;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? otherwise : std::strtoull(text, nullptr, 10);
}

/// The shape of one history, drawn from its seed.
struct Shape {
  explicit Shape(std::uint64_t seed) {
    SeededRandom random(mix64(seed));
    threads = 2 + static_cast<std::uint32_t>(random.below(7));
    ids = 1 + random.below(12);
    rounds = 2 + static_cast<std::uint32_t>(random.below(4));
    per_round = 3 + static_cast<std::uint32_t>(random.below(6));
    background = random.below(3) != 0;
    real_disk = random.below(16) == 0;
    metric = static_cast<Metric>(random.below(3));
    vacuum_percent = random.below(2) == 0 ? 1 : 8;
  }
  std::uint32_t threads, rounds, per_round, vacuum_percent;
  std::uint64_t ids;
  bool background, real_disk;
  Metric metric;
  [[nodiscard]] std::string to_string() const {
    return std::to_string(threads) + " threads, " + std::to_string(ids) + " ids, " + std::to_string(rounds) +
           " rounds of " + std::to_string(per_round) + ", background " + (background ? "on" : "off") +
           (real_disk ? ", real disk" : ", simulated disk") + ", " + std::string(holdfast::to_string(metric));
  }
};

/// A snapshot and what it answered when it was taken.
struct Held {
  Snapshot snapshot;
  State content;
  std::vector<float> query;
  Hits exact, graph;
};

class Worker {
 public:
  Worker(Collection collection, History& history, const Shape& shape, std::uint64_t seed, std::uint32_t thread)
      : collection_(std::move(collection)),
        history_(history),
        shape_(shape),
        random_(mix64(seed * 1'000 + thread)),
        thread_(thread),
        next_version_((seed % 1'000 + 1) * 1'000'000 + thread * 10'000) {}

  void round() {
    for (std::uint32_t i = 0; i < shape_.per_round && problem.empty(); ++i) step();
  }

  std::vector<Event> events;
  std::string problem;
  std::vector<Held> snapshots;

 private:
  void step() {
    const std::uint64_t dice = random_.below(100);
    if (dice < 24) return write(1, false);
    if (dice < 40) return write(2 + random_.below(shape_.ids), false);
    if (dice < 52) return write(1, true);
    if (dice < 68) return get();
    if (dice < 80) return snapshot();
    if (dice < 87) return search();
    if (dice < 90) return look_again();
    if (dice < 93) return upkeep("checkpoint", collection_.checkpoint());
    if (dice < 96) return upkeep("vacuum", collection_.vacuum());
    upkeep("wait_until_indexed", collection_.wait_until_indexed());
  }

  void fail(const std::string& what) {
    if (problem.empty()) problem = "thread " + std::to_string(thread_) + ": " + what;
  }
  void upkeep(const char* name, const Status& status) {
    if (!status.ok()) fail(std::string(name) + ": " + status.to_string());
  }
  Event begin(Event::Kind kind, std::string what) {
    Event event;
    event.kind = kind;
    event.thread = thread_;
    event.what = std::move(what);
    event.called = history_.ticket();
    return event;
  }
  void end(Event event) { events.push_back(std::move(event)); }

  void write(std::uint64_t operations, bool erase) {
    WriteBatch batch;
    std::vector<std::pair<std::uint64_t, std::optional<Version>>> done;
    std::string what = "write";
    std::uint64_t id = random_.below(shape_.ids);
    for (std::uint64_t i = 0; i < std::min(operations, shape_.ids); ++i, id = (id + 1) % shape_.ids) {
      if (erase || random_.below(5) == 0) {
        batch.erase(id);
        done.emplace_back(id, std::nullopt);
        what += " -" + std::to_string(id);
        continue;
      }
      const Version version = next_version_++;
      const std::vector<float> vectors = vectors_of(version, kDimension);
      if (values_of(version) == 1) {
        batch.upsert(id, vectors, payload_of(version));
      } else {
        batch.upsert_values(id, vectors, values_of(version), payload_of(version));
      }
      done.emplace_back(id, version);
      what += " +" + std::to_string(id) + ":" + std::to_string(version);
    }
    Event event = begin(Event::Kind::write, what);
    const auto receipt = collection_.write(batch);
    event.returned = history_.ticket();
    if (!receipt.ok()) return fail(what + ": " + receipt.status().to_string());
    event.operations = std::move(done);
    event.receipt = *receipt;
    newest_ = receipt->lsn;
    end(std::move(event));
  }

  void get() {
    const std::uint64_t id = random_.below(shape_.ids);
    Event event = begin(Event::Kind::get, "get " + std::to_string(id));
    const auto point = collection_.get(id);
    event.returned = history_.ticket();
    event.id = id;
    if (point.ok()) {
      event.found = version_in(point->payload);
      if (!event.found || point->vector != vectors_of(*event.found, kDimension) ||
          point->values != values_of(*event.found)) {
        return fail(event.what + ": vector and payload " + point->payload + " do not belong together");
      }
    } else if (point.status().code() != StatusCode::not_found) {
      return fail(event.what + ": " + point.status().to_string());
    }
    end(std::move(event));
  }

  /// Everything that the snapshot holds, asked for in several ways that must agree.
  State content_of(const Snapshot& snapshot) {
    State content;
    std::uint64_t position = 0, next = 0;
    for (;; position = next) {
      const auto points = snapshot.points(position, 5, &next);
      if (!points.ok()) {
        fail("points: " + points.status().to_string());
        return content;
      }
      if (next == position) break;
      for (const Point& point : *points) {
        const auto version = version_in(point.payload);
        if (!version || point.vector != vectors_of(*version, kDimension) || point.values != values_of(*version)) {
          fail("points: vector and payload " + point.payload + " do not belong together");
          return content;
        }
        if (!content.emplace(point.id.number(), *version).second) fail("points: an id twice");
      }
    }
    if (snapshot.size() != content.size()) {
      fail("size " + std::to_string(snapshot.size()) + ", points " + std::to_string(content.size()));
    }
    for (std::uint64_t id = 0; id < shape_.ids; ++id) {
      const auto point = snapshot.get(id);
      const auto expected = content.find(id);
      if (point.ok() != (expected != content.end())) {
        fail("points and get disagree about id " + std::to_string(id));
      } else if (point.ok() && point->payload != payload_of(expected->second)) {
        fail("points and get show different versions of id " + std::to_string(id));
      }
    }
    return content;
  }

  std::vector<float> draw_query() {
    std::vector<float> query(kDimension);
    for (float& x : query) x = static_cast<float>(random_.below(200)) - 100.5F;
    return query;
  }

  void check_hits(const char* how, const Result<Hits>& hits, const State& content, const std::vector<float>& query) {
    if (!hits.ok()) return fail(std::string(how) + ": " + hits.status().to_string());
    State found;
    for (std::size_t i = 0; i < hits->size(); ++i) {
      const Hit& hit = (*hits)[i];
      const auto version = version_in(hit.payload);
      if (!version) return fail(std::string(how) + ": payload " + hit.payload);
      if (!found.emplace(hit.id.number(), *version).second) return fail(std::string(how) + ": an id twice");
      if (!has_distance(*version, query, hit)) return fail(std::string(how) + ": distance of " + hit.payload);
      if (i > 0 && hit.distance < (*hits)[i - 1].distance) return fail(std::string(how) + ": order");
    }
    if (found != content) {
      fail(std::string(how) + ": finds " + std::to_string(found.size()) + " ids of " + std::to_string(content.size()) +
           ", or other versions");
    }
  }

  [[nodiscard]] bool has_distance(Version version, const std::vector<float>& query, const Hit& hit) const {
    const std::vector<float> vectors = vectors_of(version, kDimension);
    double best = INFINITY;
    for (std::uint32_t value = 0; value < values_of(version); ++value) {
      double dot = 0, aa = 0, bb = 0, squared = 0;
      for (std::uint32_t i = 0; i < kDimension; ++i) {
        const double x = vectors[value * kDimension + i], y = query[i];
        dot += x * y;
        aa += x * x;
        bb += y * y;
        squared += (x - y) * (x - y);
      }
      best = std::min(best, shape_.metric == Metric::l2              ? squared
                            : shape_.metric == Metric::inner_product ? -dot
                                                                     : 1 - dot / std::sqrt(aa * bb));
    }
    return std::abs(hit.distance - best) <= 1e-5 * std::max(1.0, std::abs(best));
  }

  void snapshot() {
    const bool with_token = newest_ != 0 && random_.below(3) == 0;
    Event event = begin(Event::Kind::view, with_token ? "snapshot at least " + std::to_string(newest_) : "snapshot");
    const auto taken = with_token ? collection_.snapshot({.at_least = newest_}) : collection_.snapshot();
    event.returned = history_.ticket();
    if (!taken.ok()) return fail(event.what + ": " + taken.status().to_string());
    event.at_least = with_token ? newest_ : 0;
    event.position = taken->lsn();
    event.content = content_of(*taken);
    Held held{*taken, event.content, draw_query(), {}, {}};
    ask(held, held.exact, held.graph);
    if (random_.below(2) == 0 || snapshots.empty()) {
      snapshots.push_back(std::move(held));
    } else {
      snapshots[random_.below(snapshots.size())] = std::move(held);  // releases an older one
    }
    end(std::move(event));
  }

  void ask(const Held& held, Hits& exact, Hits& graph) {
    const auto by_comparing = held.snapshot.search(held.query, {.k = 64, .with_payload = true, .exact = true});
    const auto by_walking = held.snapshot.search(held.query, {.k = 64, .ef = 512, .with_payload = true});
    check_hits("exact search", by_comparing, held.content, held.query);
    check_hits("search", by_walking, held.content, held.query);
    if (by_comparing.ok()) exact = *by_comparing;
    if (by_walking.ok()) graph = *by_walking;
    auto cursor = held.snapshot.cursor(held.query, {.with_payload = true});
    if (!cursor.ok()) return fail("cursor: " + cursor.status().to_string());
    State found;
    for (;;) {
      const auto piece = cursor->next(3);
      if (!piece.ok()) return fail("cursor: " + piece.status().to_string());
      if (piece->empty()) break;
      for (const Hit& hit : *piece) {
        const auto version = version_in(hit.payload);
        if (!version || !found.emplace(hit.id.number(), *version).second) return fail("cursor: an id twice");
      }
    }
    if (found != held.content) fail("cursor: " + std::to_string(found.size()) + " ids");
  }

  static bool same(const Hits& a, const Hits& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Hit& x, const Hit& y) {
      return x.id == y.id && std::memcmp(&x.distance, &y.distance, sizeof(float)) == 0 && x.payload == y.payload &&
             x.value == y.value;
    });
  }

 public:
  /// Every snapshot that is held still answers as it did.
  void look_again() {
    for (const Held& old : snapshots) {
      if (content_of(old.snapshot) != old.content) fail("a snapshot changed");
      Hits exact, graph;
      ask(old, exact, graph);
      if (!same(exact, old.exact)) fail("a snapshot answers an exact search differently");
      if (!same(graph, old.graph)) fail("a snapshot answers a search differently");
    }
  }

 private:
  /// A search without a snapshot: it must show one state, but does not say which.
  void search() {
    const bool exact = random_.below(2) == 0;
    const std::vector<float> query = draw_query();
    Event event = begin(Event::Kind::view, exact ? "exact search" : "search");
    const auto hits = collection_.search(query, {.k = 64, .ef = 512, .with_payload = true, .exact = exact});
    event.returned = history_.ticket();
    if (!hits.ok()) return fail(event.what + ": " + hits.status().to_string());
    for (const Hit& hit : *hits) {
      const auto version = version_in(hit.payload);
      if (!version) return fail(event.what + ": payload " + hit.payload);
      event.content.emplace(hit.id.number(), *version);
    }
    check_hits(event.what.c_str(), hits, event.content, query);
    end(std::move(event));
  }

  Collection collection_;
  History& history_;
  const Shape& shape_;
  SeededRandom random_;
  const std::uint32_t thread_;
  Version next_version_;
  Lsn newest_ = 0;
};

/// What the store holds in the end, and again after it was opened anew.
std::string check_end(Database& database, const engine::EngineOptions& options, const std::string& path,
                      const History& history, std::uint64_t ids) {
  const auto compare = [&](const Collection& collection, const char* when) -> std::string {
    const Snapshot snapshot = collection.snapshot();
    if (snapshot.size() != history.final_state().size()) return std::string(when) + ": another number of points";
    for (std::uint64_t id = 0; id < ids; ++id) {
      const auto point = snapshot.get(id);
      const auto expected = history.final_state().find(id);
      if (point.ok() != (expected != history.final_state().end())) return std::string(when) + ": ids differ";
      if (point.ok() && (point->payload != payload_of(expected->second) ||
                         point->vector != vectors_of(expected->second, kDimension))) {
        return std::string(when) + ": another version of id " + std::to_string(id);
      }
    }
    return "";
  };
  {
    auto collection = database.collection("c");
    if (!collection.ok()) return collection.status().to_string();
    for (const Status& status : {collection->wait_until_indexed(), collection->vacuum()}) {
      if (!status.ok()) return "in the end: " + status.to_string();
    }
    const CollectionStats stats = collection->stats();
    if (stats.dead_in_graph != 0) return "vacuum left " + std::to_string(stats.dead_in_graph) + " dead nodes";
    if (stats.graph_nodes != stats.values) return "nodes: " + std::to_string(stats.graph_nodes);
    if (auto problem = compare(*collection, "in the end"); !problem.empty()) return problem;
  }
  if (Status closed = database.close(); !closed.ok()) return "close: " + closed.to_string();
  auto again = Database::open_with(path, options);
  if (!again.ok()) return "reopen: " + again.status().to_string();
  auto collection = again->collection("c");
  if (!collection.ok()) return "reopen: " + collection.status().to_string();
  return compare(*collection, "reopened");
}

std::string run(std::uint64_t seed) {
  const Shape shape(seed);
  std::optional<TempDir> directory;
  SimFileSystem disk(seed);
  engine::EngineOptions options;
  std::string path = "/store";
  if (shape.real_disk) {
    directory.emplace();
    path = *directory / "store";
  } else {
    options.fs = &disk;
  }
  options.background = shape.background;
  options.open.indexing_threads = 2;
  options.open.vacuum_percent = shape.vacuum_percent;
  options.open.log_segment_bytes = 64 * 1024;
  options.open.checkpoint_log_bytes = 64 * 1024;
  auto database = Database::open_with(path, options);
  if (!database.ok()) return database.status().to_string();
  auto collection = database->create_collection(
      "c", {.dimension = kDimension, .metric = shape.metric, .m = 4, .ef_construction = 16});
  if (!collection.ok()) return collection.status().to_string();

  History history;
  std::vector<Worker> workers;
  for (std::uint32_t t = 0; t < shape.threads; ++t) workers.emplace_back(*collection, history, shape, seed, t);
  {
    std::barrier meet(static_cast<std::ptrdiff_t>(shape.threads));
    std::vector<std::jthread> threads;
    for (Worker& worker : workers) {
      threads.emplace_back([&] {
        for (std::uint32_t round = 0; round < shape.rounds; ++round) {
          meet.arrive_and_wait();
          worker.round();
        }
      });
    }
  }
  std::string problem;
  for (Worker& worker : workers) {
    worker.look_again();
    history.add(worker.events);
    if (problem.empty()) problem = worker.problem;
  }
  const std::string unexplained = history.check();
  if (problem.empty()) problem = unexplained;
  if (problem.empty()) problem = check_end(*database, options, path, history, shape.ids);
  workers.clear();
  return problem.empty() ? "" : problem + "\n" + shape.to_string() + "\n" + history.to_string();
}

TEST(Histories, EveryReaderSeesOneInstantOfOneOrder) {
  const std::uint64_t count = from_environment("HOLDFAST_HISTORIES", kSanitized ? 60 : 1'000);
  const std::uint64_t first = from_environment("HOLDFAST_HISTORY_SEED", 1);
  if (kSanitized) std::printf("fewer histories by default: a sanitizer makes each about ten times slower\n");
  const auto start = std::chrono::steady_clock::now();
  int failures = 0;
  for (std::uint64_t seed = first; seed < first + count && failures < 3; ++seed) {
    const std::string problem = run(seed);
    if (problem.empty()) continue;
    ++failures;
    ADD_FAILURE() << "HOLDFAST_HISTORY_SEED=" << seed << " HOLDFAST_HISTORIES=1: " << problem;
  }
  std::printf("histories: %llu, seeds from %llu, %.1f s\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(first),
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

// --- the checker itself can fail ---

Event written(std::uint64_t called, std::uint64_t returned, Lsn lsn, std::uint64_t id, Version version) {
  Event event;
  event.called = called;
  event.returned = returned;
  event.operations = {{id, version}};
  event.receipt = {lsn, 1, 0};
  return event;
}
Event got(std::uint64_t called, std::uint64_t returned, std::uint64_t id, std::optional<Version> found) {
  Event event;
  event.kind = Event::Kind::get;
  event.called = called;
  event.returned = returned;
  event.id = id;
  event.found = found;
  return event;
}
Event seen(std::uint64_t called, std::uint64_t returned, Lsn position, State content) {
  Event event;
  event.kind = Event::Kind::view;
  event.called = called;
  event.returned = returned;
  event.position = position;
  event.content = std::move(content);
  return event;
}
std::string verdict(std::vector<Event> events) {
  History history;
  history.add(std::move(events));
  return history.check().substr(0, 2);
}

TEST(HistoryChecker, AcceptsWhatIsRightAndNamesWhatIsWrong) {
  EXPECT_EQ("", verdict({written(1, 4, 2, 7, 70), written(2, 3, 1, 7, 71), got(5, 6, 7, 70)}));
  EXPECT_EQ("", verdict({written(1, 4, 1, 7, 70), got(2, 3, 7, std::nullopt)})) << "in flight: either is right";
  EXPECT_EQ("", verdict({written(1, 6, 1, 7, 70), got(2, 3, 7, std::nullopt), got(4, 5, 7, 70)}));
  EXPECT_EQ("C1", verdict({written(1, 2, 1, 7, 70), written(3, 4, 1, 8, 71)})) << "a position twice";
  EXPECT_EQ("C1", verdict({written(1, 2, 2, 7, 70), written(3, 4, 1, 7, 71)})) << "against real time";
  EXPECT_EQ("C1", verdict({written(1, 2, 1, 7, 70), seen(3, 4, 0, {})})) << "a snapshot lacks a write that returned";
  EXPECT_EQ("C3", verdict({written(1, 2, 1, 7, 70), seen(3, 4, 1, {})})) << "not the state at its position";
  EXPECT_EQ("C4", verdict({written(1, 2, 1, 7, 70), got(3, 4, 7, std::nullopt)})) << "a stale read";
  EXPECT_EQ("C4", verdict({written(1, 6, 1, 7, 70), got(2, 3, 7, 70), got(4, 5, 7, std::nullopt)})) << "reads go back";
  EXPECT_EQ("C4", verdict({written(5, 6, 1, 7, 70), got(1, 2, 7, 70)})) << "a read of the future";
  Event half = written(1, 2, 1, 7, 70);
  half.operations.emplace_back(8, 80);
  half.receipt.upserted = 2;
  EXPECT_EQ("C3", verdict({half, seen(3, 4, 1, {{7, 70}})})) << "half a batch";
  Event erased = written(3, 4, 2, 7, 0);
  erased.operations = {{7, std::nullopt}};
  erased.receipt = {2, 0, 0};
  EXPECT_EQ("C2", verdict({written(1, 2, 1, 7, 70), erased})) << "a receipt that erased nothing";
}

}  // namespace
}  // namespace holdfast::testing
