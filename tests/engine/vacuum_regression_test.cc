// What a review of vacuum, reuse of rows and backpressure found: below the API, where the order of steps is ours.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>

#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/commit_writer.h"
#include "engine/image.h"
#include "engine/indexer.h"
#include "engine/recovery.h"
#include "engine/search.h"
#include "engine/store_fixture.h"
#include "index/check.h"
#include "storage/file_names.h"

namespace holdfast::testing {
namespace {

using engine::CollectionState;
using engine::CommitWriter;
using engine::PointStore;
using engine::View;

/// One collection without a database around it, so that a test may stand between two steps of the engine.
class OneCollection : public ::testing::Test {
 protected:
  std::shared_ptr<CollectionState> open(std::uint32_t dimension = 8, bool paced = false) {
    engine::RecoveryRequest request;
    request.name = "c";
    request.directory = "/c-1";
    request.uuid = Uuid{1};
    request.options = options_on(fs_);
    request.options.background = paced;  // no thread runs here; writers are held back all the same
    request.signals = std::make_shared<engine::Signals>();
    if (!fs_.exists(request.directory).value()) {
      CollectionConfig config;
      config.dimension = dimension;
      config.m = 8;
      config.metric = metric_;
      EXPECT_TRUE(engine::create_collection_files(fs_, request.directory, request.uuid, request.name, config).ok());
    }
    return engine::recover_collection(request).value();
  }
  static Status put(CollectionState& state, std::uint64_t id, std::uint64_t seed, bool bulk = false) {
    WriteBatch batch;
    batch.upsert(id, vector_of(seed, state.config.dimension), payload_of(seed));
    return engine::write(state, batch, {.bulk = bulk}).status();
  }
  static Status erase(CollectionState& state, std::uint64_t id) {
    WriteBatch batch;
    batch.erase(id);
    return engine::write(state, batch, {}).status();
  }
  static WriteBatch values_batch(std::uint64_t id, std::uint32_t values, std::uint32_t dimension) {
    WriteBatch batch;
    batch.upsert_values(id, std::vector<float>(std::size_t{values} * dimension, 1.0F), values);
    return batch;
  }

  SimFileSystem fs_{11};
  Metric metric_ = Metric::l2;
};

/// A row may die, and a checkpoint may be taken, while the graph mutator is making a node of it.
TEST_F(OneCollection, a_row_that_dies_while_it_becomes_a_node_keeps_its_vector_in_images) {
  const auto vector = vector_of(2, 8);
  {
    const auto state = open();
    HF_ASSERT_OK(put(*state, 1, 1));
    HF_ASSERT_OK(put(*state, 2, 2));
    PointStore& store = state->store;
    const View before = *engine::Pin(store.pins());
    const std::vector<index::NewNode> added{{0, 0}, {1, 0}};
    std::vector<index::RetiredList> retired;
    const index::GraphRoot root = store.graph_writer().insert(before.graph, added, 1, retired).value();
    ASSERT_TRUE(retired.empty());

    HF_ASSERT_OK(erase(*state, 2));
    HF_ASSERT_OK(engine::checkpoint(*state));
    store.publish_graph({root, before.growing_end, added, 0});
    EXPECT_EQ(engine::Pin(store.pins())->dead_in_graph, 1U);
    HF_ASSERT_OK(engine::checkpoint(*state));
  }
  const auto state = open();
  EXPECT_EQ(state->report.frames_replayed, 0U);
  EXPECT_EQ(engine::Pin(state->store.pins())->dead_in_graph, 1U);
  const auto* const row = static_cast<const float*>(state->store.vectors().row(1));
  EXPECT_EQ(std::vector<float>(row, row + 8), vector) << "walks through the dead node go astray";
}

/// The rows of a point that died are used again one by one: until its head is, the id leads to a chain that goes on in
/// another point.
TEST_F(OneCollection, a_dead_point_may_be_written_again_when_some_of_its_rows_are_those_of_others) {
  constexpr Slot kHead = 20, kSecond = 21;
  const auto state = open();
  for (std::uint64_t id = 100; id < 100 + kHead; ++id) HF_ASSERT_OK(put(*state, id, id));
  HF_ASSERT_OK(engine::wait_until_indexed(*state));
  HF_ASSERT_OK(engine::write(*state, values_batch(7, 2, 8), {}));
  PointStore& store = state->store;
  const View before = *engine::Pin(store.pins());
  const std::vector<index::NewNode> head{{kHead, 0}};
  std::vector<index::RetiredList> retired;
  const index::GraphRoot root = store.graph_writer().insert(before.graph, head, 1, retired).value();
  for (const index::RetiredList& list : retired) index::release_list(list.list);  // nobody reads
  store.publish_graph({root, before.growing_begin + 1, head, 0});

  HF_ASSERT_OK(erase(*state, 7));
  // The indexer passes the second row; the first is a node until a vacuum.
  while (engine::Pin(store.pins())->growing_begin <= kSecond) HF_ASSERT_OK(engine::index_step(*state));
  for (std::uint64_t id = 200; store.slots().id(kSecond).number() == 7; ++id) {
    ASSERT_LT(id, 210U) << "the second row is never used again";
    HF_ASSERT_OK(put(*state, id, id));
  }
  ASSERT_EQ(store.slots().id(kHead).number(), 7U);
  HF_ASSERT_OK(erase(*state, 7));  // no effect, and no error
  HF_ASSERT_OK(engine::write(*state, values_batch(7, 3, 8), {}));
  const auto point = engine::get(*state, *engine::Pin(store.pins()), 7);
  HF_ASSERT_OK(point);
  EXPECT_EQ(point->values, 3U);
}

/// What pads a row goes into images, whose bytes depend on nothing but the log: also of rows that were written where a
/// mapped file had its table and footer.
TEST_F(OneCollection, rows_behind_those_of_the_mapped_file_are_padded_with_zeros) {
  constexpr std::uint32_t kDimension = 5;
  {
    const auto state = open(kDimension);
    for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(put(*state, id, id));
    HF_ASSERT_OK(engine::checkpoint(*state));
  }
  const auto state = open(kDimension);
  ASSERT_EQ(state->report.frames_replayed, 0U);
  const index::VectorTable& vectors = state->store.vectors();
  ASSERT_EQ(vectors.mapped_bytes(), 10 * vectors.stride());
  for (std::uint64_t id = 10; id < 30; ++id) HF_ASSERT_OK(put(*state, id, id));
  for (Slot slot = 0; slot < 30; ++slot) {
    const auto* const row = static_cast<const std::byte*>(vectors.address(slot));
    const auto vector = vector_of(slot, kDimension);
    EXPECT_EQ(std::memcmp(row, vector.data(), vectors.vector_bytes()), 0) << slot;
    EXPECT_TRUE(std::all_of(row + vectors.vector_bytes(), row + vectors.stride(), [](std::byte byte) {
      return byte == std::byte{0};
    })) << slot;
  }
}

/// Between two steps a node may have lost its last link.
TEST_F(OneCollection, whoever_asks_for_all_points_between_two_steps_of_the_indexer_gets_them) {
  constexpr std::uint32_t kPoints = 3'000;
  metric_ = Metric::inner_product;
  const auto state = open();
  WriteBatch batch;
  for (std::uint64_t id = 0; id < kPoints; ++id) batch.upsert(id, vector_of(id, 8));
  HF_ASSERT_OK(engine::write(*state, batch, {}));
  std::uint64_t unreachable = 0;
  for (bool growing = true; growing;) {
    HF_ASSERT_OK(engine::index_step(*state));
    const engine::Pin view(state->store.pins());
    growing = view->growing_begin < view->growing_end;
    unreachable += index::check_graph(state->store.graph(), view->graph, view->slot_end).unreachable;
    const auto all = engine::search(*state, *view, vector_of(17, 8), {.k = kPoints});
    HF_ASSERT_OK(all);
    ASSERT_EQ(all->size(), kPoints) << view->graph.nodes << " nodes";
  }
  EXPECT_GT(unreachable, 0U) << "the test must meet some";
}

class DamagedPage : public OneCollection {
 protected:
  static constexpr std::uint64_t kPageRows = 1'024;  // of 64 bytes in one checksummed page

  /// A chunk and a bit, in an image in which the vector of one row is damaged.
  void write_image(Slot row = 100) {
    constexpr std::uint64_t kPoints = 16'384 + 10;
    const auto state = open();
    WriteBatch batch;
    for (std::uint64_t id = 0; id < kPoints; ++id) {
      batch.upsert(id, vector_of(id, 8));
      if (batch.size() < 4'000 && id + 1 < kPoints) continue;
      HF_ASSERT_OK(engine::write(*state, batch, {.durability = Durability::none}));
      batch.clear();
    }
    HF_ASSERT_OK(engine::checkpoint(*state));
    const MutexLock lock(state->checkpoint_mutex);
    for (const storage::ExtentInfo& extent : state->checkpoint.manifest.extents) {
      if (extent.kind != static_cast<std::uint8_t>(engine::ExtentKind::vectors) || extent.first_slot != 0) continue;
      const std::string path =
          os::join(os::join(state->directory, storage::kExtentDirectory), storage::extent_name(extent.number));
      HF_ASSERT_OK(fs_.corrupt(path, 4'096 + row * 64 + 8, std::byte{1}));
    }
  }
};

/// The page of the damaged row belongs to a chunk that is written again: it must not get a new, right checksum.
TEST_F(DamagedPage, is_not_made_good_by_a_checkpoint) {
  write_image(3 * kPageRows);
  const auto state = open();
  WriteBatch batch;
  for (std::uint64_t id = 1; id < 99; ++id) batch.erase(id);
  HF_ASSERT_OK(engine::write(*state, batch, {}));
  // Past the rows that died, not yet at the damaged one: the indexer would stop there.
  while (engine::Pin(state->store.pins())->growing_begin < 99) HF_ASSERT_OK(engine::index_step(*state));
  for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(put(*state, 50'000 + id, id));
  ASSERT_GE(state->store.slots().id(1).number(), 50'000U) << "the test must use a row of the chunk again";
  HF_EXPECT_CODE(StatusCode::data_damaged, engine::checkpoint(*state));
}

/// Since rows are used again, a chunk that was written once may have to be written again.
TEST_F(DamagedPage, of_rows_that_nobody_needs_does_not_stop_checkpoints) {
  write_image();
  const auto state = open();
  HF_EXPECT_CODE(StatusCode::data_damaged, engine::get(*state, *engine::Pin(state->store.pins()), 100));
  WriteBatch batch;
  for (std::uint64_t id = 0; id < kPageRows + 100; ++id) batch.erase(id);
  HF_ASSERT_OK(engine::write(*state, batch, {}));
  HF_ASSERT_OK(engine::index_step(*state));
  for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(put(*state, 50'000 + id, id));
  EXPECT_GE(state->store.slots().id(kPageRows).number(), 50'000U) << "the first row that is used again";
  EXPECT_LT(state->store.slots().id(kPageRows - 1).number(), kPageRows) << "a row of a damaged page is left alone";
  HF_EXPECT_OK(engine::checkpoint(*state));
}

TEST_F(OneCollection, commits_recycle_at_least_the_rows_that_they_kill) {
  const auto state = open();
  constexpr std::uint32_t kRows = 3 * kMaxValues;
  for (int round = 0; round < 12; ++round) {
    WriteBatch batch, erasure;
    for (std::uint64_t id = 0; id < 3; ++id) {
      batch.upsert_values(id, std::vector<float>(std::size_t{kMaxValues} * 8, 1.0F), kMaxValues);
      erasure.erase(id);
    }
    HF_ASSERT_OK(engine::write(*state, batch, {}));
    HF_ASSERT_OK(engine::write(*state, erasure, {}));
    while (engine::index_step(*state).value()) {
    }
  }
  EXPECT_LE(engine::Pin(state->store.pins())->slot_end, 3 * kRows);
}

TEST_F(OneCollection, writers_are_paced_by_rows_not_by_points) {
  constexpr std::uint32_t kDim = 512;  // an allowance of 1,024 rows
  constexpr std::uint32_t kValues = 64;
  const auto state = open(kDim, true);
  HF_ASSERT_OK(engine::write(*state, values_batch(1, 2'048, kDim), {.bulk = true}));
  state->index_pace.rate.store(100);
  const auto now_us = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  const std::int64_t before = now_us();
  HF_ASSERT_OK(engine::write(*state, values_batch(2, kValues, kDim), {}));
  // As many rows as the allowance too many: the next write may come when the graph has taken these.
  EXPECT_GE(state->write_turn_us.load() - before, std::int64_t{kValues} * 1'000'000 / 100);
  const std::int64_t turn = state->write_turn_us.load();
  WriteBatch erasure;
  erasure.erase(1);
  erasure.erase(3);
  HF_ASSERT_OK(engine::write(*state, erasure, {}));
  EXPECT_EQ(state->write_turn_us.load(), turn) << "what adds no rows need not wait";
}

engine::PreparedOperation marker(std::string_view key, std::string_view value) {
  engine::PreparedOperation operation;
  operation.kind = WriteBatch::Kind::marker;
  operation.key = key;
  operation.value = value;
  return operation;
}

TEST(CommitWriter, a_batch_that_is_turned_away_leaves_no_marker_behind) {
  PointStore store({.dimension = 2});
  {
    CommitWriter writer(store);
    std::vector<engine::PreparedOperation> too_large, fits;
    too_large.push_back(marker("a", "1"));
    engine::PreparedOperation point;
    point.values = kMaxSlots;
    too_large.push_back(std::move(point));
    point = {};
    point.values = 1;
    too_large.push_back(std::move(point));
    HF_EXPECT_CODE(StatusCode::resource_exhausted, writer.stage(too_large));
    fits.push_back(marker("b", "2"));
    HF_ASSERT_OK(writer.stage(fits));
    writer.apply(1, fits);
    writer.publish();
  }
  EXPECT_EQ(store.markers()->size(), 1U);
  EXPECT_TRUE(store.markers()->contains("b"));
}

/// Two living points with one vector each, loaded as an image says.
struct Loaded {
  Loaded() {
    Bytes ids, stamps;
    for (std::uint64_t id = 0; id < 2; ++id) {
      holdfast::put(ids, std::uint64_t{0});
      holdfast::put(ids, id);
      holdfast::put(stamps, Lsn{1});
      holdfast::put(stamps, kNeverDied);
    }
    for (int id = 0; id < 2; ++id) holdfast::put(ids, std::uint8_t{0});
    EXPECT_TRUE(store.loading_slots().reserve(2).ok());
    EXPECT_TRUE(store.loading_vectors().reserve(2).ok());
    EXPECT_TRUE(store.loading_graph().reserve(2).ok());
    EXPECT_TRUE(store.loading_slots().load_ids(0, 2, ids).ok());
    EXPECT_TRUE(store.loading_slots().load_stamps(0, 2, stamps, 1).ok());
    view.lsn = 1;
    view.slot_end = 2;
    view.live = view.values = 2;
  }
  void chain(Slot first, Slot second) {
    Bytes values;
    holdfast::put(values, first);
    holdfast::put(values, second);
    for (int slot = 0; slot < 2; ++slot) holdfast::put(values, std::uint8_t{0});
    EXPECT_TRUE(store.loading_slots().load_values(0, 2, values, 2).ok());
  }
  PointStore store{{.dimension = 2}};
  View view;
};

TEST(LoadedImage, points_that_are_chained_to_each_other_are_damage) {
  {
    Loaded image;
    image.chain(kNoSlot, kNoSlot);
    HF_EXPECT_OK(image.store.finish_loading(image.view, {}));
  }
  for (const auto& [first, second] : {std::pair<Slot, Slot>{1, kNoSlot}, {0, kNoSlot}, {1, 0}}) {
    Loaded image;
    image.chain(first, second);
    HF_EXPECT_CODE(StatusCode::data_damaged, image.store.finish_loading(image.view, {}));
  }
}

TEST(LoadedImage, the_graph_of_the_manifest_is_the_one_of_the_extents) {
  Loaded image;
  image.view.graph = {1, 0, 1, 1};  // one node, the entry; no extent has it
  HF_EXPECT_CODE(StatusCode::data_damaged, image.store.finish_loading(image.view, {}));
}

TEST(LoadedImage, the_counts_of_the_manifest_are_those_of_the_extents) {
  Loaded image;
  ++image.view.live;
  ++image.view.values;
  HF_EXPECT_CODE(StatusCode::data_damaged, image.store.finish_loading(image.view, {}));
}

}  // namespace
}  // namespace holdfast::testing
