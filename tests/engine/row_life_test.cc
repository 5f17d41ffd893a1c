// Random writes, steps of the graph mutator (whole, and cut in two), vacuums, checkpoints and reopens, under pinned
// views. After each, the counts of the view are those of the rows, every row is accounted for exactly once, and every
// pinned view shows what it showed when it was pinned.
//
// Invariants that are checked
//  I1. live, values, dead_in_graph, nodes: as counted row by row.
//  I2. A living row is either a node or stands once in the growing range; no row stands there twice.
//  I3. rows = living + dead nodes + dead growing + retired + released or resting + free: none is lost, none is twice.
//  I4. What a pinned view shows, by id, by row and by search, never changes.
//  I5. A node keeps its vector, dead or alive, in memory and in images.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/indexer.h"
#include "engine/recovery.h"
#include "engine/rows.h"
#include "engine/search.h"
#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

using engine::CollectionState;
using engine::View;

constexpr std::uint32_t kDimension = 4;
constexpr std::uint64_t kIds = 150;

/// By id: the seeds of its vectors; the payload is that of the first one.
using Model = std::map<std::uint64_t, std::vector<std::uint64_t>>;

class RowLife : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void open() {
    pinned_.clear();
    pending_.reset();
    state_.reset();
    engine::RecoveryRequest request;
    request.name = "c";
    request.directory = "/c-1";
    request.uuid = Uuid{1};
    request.options = options_on(fs_);
    request.signals = std::make_shared<engine::Signals>();
    if (!fs_.exists(request.directory).value()) {
      CollectionConfig config;
      config.dimension = kDimension;
      config.m = 4;
      config.ef_construction = 20;
      HF_ASSERT_OK(engine::create_collection_files(fs_, request.directory, request.uuid, request.name, config));
    }
    auto recovered = engine::recover_collection(request);
    HF_ASSERT_OK(recovered);
    state_ = std::move(recovered).value();
  }

  void write_some() {
    WriteBatch batch;
    std::set<std::uint64_t> used;
    const std::uint64_t operations = 1 + random_.below(random_.below(8) == 0 ? 60 : 4);
    for (std::uint64_t i = 0; i < operations; ++i) {
      const std::uint64_t id = random_.below(kIds);
      if (!used.insert(id).second) continue;
      if (random_.below(5) < 2) {
        batch.erase(id);
        model_.erase(id);
        continue;
      }
      const std::uint32_t values = several_ && random_.below(3) == 0 ? 2 + random_.below(3) : 1;
      std::vector<std::uint64_t> seeds;
      std::vector<float> all;
      for (std::uint32_t value = 0; value < values; ++value) {
        seeds.push_back(++seed_);
        const auto one = vector_of(seed_, kDimension);
        all.insert(all.end(), one.begin(), one.end());
      }
      const std::string payload = seeds[0] % 3 == 0 ? std::string() : payload_of(seeds[0]);
      batch.upsert_values(id, all, values, payload);
      model_[id] = seeds;
    }
    HF_ASSERT_OK(engine::write(*state_, batch, {}));
  }

  /// The first half of an index step, on the view of now.
  void begin_step() {
    if (pending_) return;
    const MutexLock lock(state_->graph_mutex);
    const engine::Pin view(state_->store.pins());
    if (view->growing_begin == view->growing_end || state_->mutator.vacuum) return;
    pending_.emplace();
    pending_->retired.front().reserve(1);
    engine::Arrival position = view->growing_begin;
    const auto& slots = state_->store.slots();
    auto& dead = pending_->dead.front();
    for (; position < view->growing_end && pending_->added.size() < 20; ++position) {
      const Slot slot = state_->store.arrivals().at(position);
      if (slots.died(slot) <= view->lsn) {
        dead.slots.push_back(slot);
      } else {
        pending_->added.push_back({slot, engine::level_of(slots, slot, state_->config.m)});
      }
    }
    pending_->growing_begin = position;
    pending_->root = view->graph;
    if (pending_->added.empty()) {
      ++pending_->root.epoch;
    } else {
      const engine::ViewRows rows(slots, view->lsn);
      auto made =
          state_->store.graph_writer().insert(view->graph, pending_->added, rows.alive(), 1, pending_->retired.front());
      HF_ASSERT_OK(made);
      pending_->root = made.value();
    }
    dead.lsn = view->lsn;
    dead.epoch = pending_->root.epoch;
  }
  void end_step() {
    if (!pending_) return;
    const MutexLock lock(state_->graph_mutex);
    state_->mutator.pending = std::move(*pending_);
    pending_.reset();
    engine::publish_pending(*state_);
    state_->store.reclaimer().collect();
  }

  struct Pinned {
    std::unique_ptr<engine::Pin> view;
    Model model;
    std::vector<float> query;
    Hits found;
  };
  void pin() {
    if (pinned_.size() > 3) return;
    Pinned made{
        std::make_unique<engine::Pin>(state_->store.pins()), model_, vector_of(random_.below(1'000), kDimension), {}};
    made.found = engine::search(*state_, **made.view, made.query, {.k = 10, .ef = 20}).value();
    pinned_.push_back(std::move(made));
  }
  void unpin() {
    if (!pinned_.empty()) pinned_.erase(pinned_.begin() + static_cast<std::ptrdiff_t>(random_.below(pinned_.size())));
  }

  void expect_shows(const View& view, const Model& model) {
    ASSERT_EQ(view.live, model.size());
    for (std::uint64_t id = 0; id < kIds; ++id) {
      const auto point = engine::get(*state_, view, id);
      const auto wanted = model.find(id);
      if (wanted == model.end()) {
        ASSERT_FALSE(point.ok()) << id;
        continue;
      }
      HF_ASSERT_OK(point);
      std::vector<float> all;
      for (const std::uint64_t seed : wanted->second) {
        const auto one = vector_of(seed, kDimension);
        all.insert(all.end(), one.begin(), one.end());
      }
      ASSERT_EQ(point->vector, all) << id;
      ASSERT_EQ(point->payload, wanted->second[0] % 3 == 0 ? std::string() : payload_of(wanted->second[0])) << id;
    }
    std::set<PointId> ids;
    std::uint64_t next = 0;
    const auto listed = engine::list_ids(*state_, view, 0, 10'000, &next);
    ASSERT_TRUE(listed.ok());
    for (const PointId id : *listed) ASSERT_TRUE(ids.insert(id).second);
    ASSERT_EQ(ids.size(), model.size());
    const auto exact = engine::search(*state_, view, vector_of(1, kDimension), {.k = 1'000, .exact = true});
    ASSERT_EQ(exact.value().size(), model.size());
  }

  void check() {
    const engine::Pin pin(state_->store.pins());
    const View& view = *pin;
    const auto& store = state_->store;
    const auto& slots = store.slots();
    std::set<Slot> growing;
    std::uint64_t growing_dead = 0;
    for (engine::Arrival at = view.growing_begin; at < view.growing_end; ++at) {
      const Slot slot = store.arrivals().at(at);
      ASSERT_TRUE(growing.insert(slot).second) << "twice in the growing range: " << slot;
      growing_dead += slots.died(slot) <= view.lsn ? 1 : 0;
    }
    std::uint64_t live = 0, values = 0, dead = 0, nodes = 0;
    decltype(nodes_) now;
    for (Slot slot = 0; slot < view.slot_end; ++slot) {
      const bool visible = slots.visible(slot, view.lsn);
      const bool node = store.graph().contains(slot, view.graph.epoch);
      live += visible && slots.is_head(slot) ? 1 : 0;
      values += visible ? 1 : 0;
      nodes += node ? 1 : 0;
      dead += node && !visible ? 1 : 0;
      ASSERT_FALSE(node && growing.contains(slot)) << slot;
      if (node) {
        ASSERT_NE(slots.born(slot), 0U) << slot;
        const auto* const row = static_cast<const float*>(store.vectors().row(slot));
        const std::vector<float> vector(row, row + kDimension);
        const auto known = nodes_.find({slot, slots.born(slot)});
        if (known != nodes_.end()) {
          ASSERT_EQ(vector, known->second) << slot;
        }
        now.emplace(std::pair(slot, slots.born(slot)), vector);
      }
      if (visible) {
        ASSERT_TRUE(node || growing.contains(slot)) << slot;
      }
    }
    nodes_ = std::move(now);
    ASSERT_EQ(view.live, live);
    ASSERT_EQ(view.values, values);
    ASSERT_EQ(view.dead_in_graph, dead);
    ASSERT_EQ(view.graph.nodes, nodes);
    ASSERT_EQ(view.slot_end, values + dead + growing_dead + store.reclaimer().waiting_slots() +
                                 store.free_slots().waiting_count() + store.free_slots().free_count());
    expect_shows(view, model_);
    for (const Pinned& kept : pinned_) {
      expect_shows(**kept.view, kept.model);
      const Hits again = engine::search(*state_, **kept.view, kept.query, {.k = 10, .ef = 20}).value();
      ASSERT_EQ(again.size(), kept.found.size());
      for (std::size_t i = 0; i < again.size(); ++i) {
        ASSERT_EQ(again[i].id, kept.found[i].id);
        ASSERT_EQ(again[i].distance, kept.found[i].distance);
      }
    }
  }

  SimFileSystem fs_{5};
  std::shared_ptr<CollectionState> state_;
  SeededRandom random_{GetParam()};
  bool several_ = GetParam() % 2 == 0;
  std::uint64_t seed_ = 0;
  Model model_;
  std::vector<Pinned> pinned_;
  std::map<std::pair<Slot, Lsn>, std::vector<float>> nodes_;  ///< by slot and birth
  std::optional<engine::PendingGraph> pending_;
};

TEST_P(RowLife, every_row_is_accounted_for_and_no_view_changes) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  open();
  for (int step = 0; step < 400; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    switch (random_.below(14)) {
      case 0: pin(); break;
      case 1: unpin(); break;
      case 2: begin_step(); break;
      case 3: end_step(); break;
      case 4:
      case 5:
        end_step();
        HF_ASSERT_OK(engine::index_step(*state_));
        break;
      case 6:
        if (random_.below(6) != 0) break;
        end_step();
        HF_ASSERT_OK(engine::vacuum(*state_));
        break;
      case 7: HF_ASSERT_OK(engine::checkpoint(*state_)); break;
      case 8:
        if (random_.below(4) == 0) open();
        break;
      default: write_some();
    }
    if (HasFatalFailure()) return;
    if (!pending_) check();
    if (HasFatalFailure()) return;
  }
  // At rest nothing waits for anything but commits.
  end_step();
  pinned_.clear();
  HF_ASSERT_OK(engine::wait_until_indexed(*state_));
  HF_ASSERT_OK(engine::vacuum(*state_));
  for (int commit = 0; commit < 4; ++commit) {
    write_some();
    HF_ASSERT_OK(engine::wait_until_indexed(*state_));
    HF_ASSERT_OK(engine::vacuum(*state_));
  }
  check();
  HF_ASSERT_OK(engine::checkpoint(*state_));
  open();
  check();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RowLife, ::testing::Range<std::uint64_t>(1, 9));

/// The same with threads: what a reader finds under an id is one version of it, whole, and a snapshot stays as it is.
/// (The sanitizers watch the rest.)
TEST(RowLifeThreads, readers_never_meet_two_lives_of_a_row) {
  SimFileSystem fs(3);
  engine::EngineOptions options = options_on(fs, true);
  options.open.durability = Durability::none;
  Database database = Database::open_with("/store", options).value();
  Collection collection = database.create_collection("c", {.dimension = kDimension, .m = 4}).value();
  constexpr std::uint64_t kFew = 40;
  constexpr std::uint64_t kWrites = 1'500;
  const auto expect_whole = [](const Point& point) {
    const std::uint64_t seed = std::stoull(point.payload.substr(5));
    std::vector<float> all;
    for (std::uint32_t value = 0; value < point.values; ++value) {
      const auto one = vector_of(seed + value, kDimension);
      all.insert(all.end(), one.begin(), one.end());
    }
    ASSERT_EQ(point.vector, all) << "a version of id " << point.id.to_string() << " in pieces";
    ASSERT_EQ(seed % kFew, point.id.number());
  };
  std::atomic<bool> done{false};
  std::vector<std::jthread> others;
  for (std::uint64_t reader = 0; reader < 2; ++reader) {
    others.emplace_back([&, reader] {
      SeededRandom random(reader + 100);
      while (!done.load()) {
        const auto point = collection.get(random.below(kFew));
        if (point.ok()) expect_whole(*point);
        const Snapshot snapshot = collection.snapshot();
        std::uint64_t next = 0;
        const auto points = snapshot.points(0, 1'000, &next).value();
        EXPECT_EQ(points.size(), snapshot.size());
        for (const Point& one : points) expect_whole(one);
        const auto query = vector_of(random.below(1'000), kDimension);
        EXPECT_EQ(snapshot.search(query, {.k = 1'000, .exact = true}).value().size(), snapshot.size());
        const Hits hits = snapshot.search(query, {.k = 5, .with_payload = true}).value();
        for (const Point& one : points) {
          const Point again = snapshot.get(one.id).value();
          EXPECT_EQ(again.payload, one.payload);
          EXPECT_EQ(again.vector, one.vector);
        }
        const Hits same = snapshot.search(query, {.k = 5, .with_payload = true}).value();
        EXPECT_EQ(hits.size(), same.size());
        for (std::size_t i = 0; i < std::min(hits.size(), same.size()); ++i) {
          EXPECT_EQ(hits[i].id, same[i].id);
          EXPECT_EQ(hits[i].payload, same[i].payload);
        }
      }
    });
  }
  others.emplace_back([&] {
    while (!done.load()) {
      HF_EXPECT_OK(collection.vacuum());
      HF_EXPECT_OK(collection.checkpoint());
    }
  });
  SeededRandom random(7);
  for (std::uint64_t write = 0; write < kWrites; ++write) {
    if (write % 50 == 0) HF_EXPECT_OK(collection.wait_until_indexed());  // or rows are hardly used again before the end
    const std::uint64_t id = random.below(kFew);
    if (random.below(4) == 0) {
      HF_EXPECT_OK(collection.erase(id));
      continue;
    }
    const std::uint64_t seed = write * kFew * 10 + id;
    const auto values = static_cast<std::uint32_t>(1 + random.below(3));
    std::vector<float> all;
    for (std::uint32_t value = 0; value < values; ++value) {
      const auto one = vector_of(seed + value, kDimension);
      all.insert(all.end(), one.begin(), one.end());
    }
    WriteBatch batch;
    batch.upsert_values(id, all, values, payload_of(seed));
    HF_EXPECT_OK(collection.write(batch));
  }
  done.store(true);
  others.clear();
  HF_EXPECT_OK(database.close());
}

}  // namespace
}  // namespace holdfast::testing
