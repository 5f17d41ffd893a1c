// One test per defect that was found, named after what went wrong.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <thread>

#include "engine/commit.h"
#include "engine/database_state.h"
#include "engine/indexer.h"
#include "engine/store_fixture.h"
#include "index/vector_table.h"
#include "storage/file_names.h"
#include "storage/manifest.h"

namespace holdfast::testing {
namespace {

class Regression : public SimStore {
 protected:
  /// The directory of the only collection of the store.
  static std::string collection_directory(SimFileSystem& fs) {
    for (const auto& file : fs.files()) {
      const std::string name = file.path.substr(file.path.rfind('/') + 1);
      if (storage::parse_name(name).kind == storage::FileKind::collection_directory) return file.path;
    }
    return {};
  }
};

// Killed between making a segment and its first frame, the next open removed the segment before it, too, which the
// older of the two kept checkpoints needs. With the newest one damaged, acknowledged batches were gone without a word.
TEST_F(Regression, an_empty_newest_segment_cost_the_older_checkpoint_its_log) {
  std::unique_ptr<SimFileSystem> killed;
  {
    Database db = open_database();
    Collection c = make(db);
    for (std::uint64_t id = 1; id <= 3; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.checkpoint());  // generation 2
    for (std::uint64_t id = 4; id <= 6; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.checkpoint());  // generation 3
    bool renamed = false;
    fs_.on_call([&](const CallInfo& call) {
      if (renamed && call.kind == CallKind::write && !killed) killed = fs_.kill_process();
      renamed |= call.kind == CallKind::rename && call.target.ends_with(storage::segment_name(7));
    });
    HF_ASSERT_OK(put(c, 7, 7));
    fs_.on_call(nullptr);
  }
  ASSERT_NE(killed, nullptr);
  HF_ASSERT_OK(Database::open_with("/store", options_on(*killed)));
  HF_ASSERT_OK(killed->corrupt(os::join(collection_directory(*killed), storage::manifest_name(3)), 100, std::byte{1}));
  Database again = Database::open_with("/store", options_on(*killed)).value();
  Collection c = again.collection("c").value();
  EXPECT_TRUE(c.recovery_report().fell_back);
  for (std::uint64_t id = 1; id <= 6; ++id) EXPECT_TRUE(holds(c, id, id));
}

// close() let go of the lock while a checkpoint that a handle had begun was still writing: whoever opened the store
// next could have had its files removed by it.
TEST_F(Regression, close_did_not_wait_for_a_checkpoint_under_way) {
  auto options = options_on(fs_);
  options.open.checkpoint_on_close = false;
  Database db = Database::open_with("/store", options).value();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));

  std::mutex mutex;
  std::condition_variable changed;
  bool writing = false, closed = false, closed_meanwhile = false;
  fs_.on_call([&](const CallInfo& call) {
    if (call.kind != CallKind::create || !call.path.ends_with(".ext")) return;
    std::unique_lock<std::mutex> lock(mutex);
    if (std::exchange(writing, true)) return;
    changed.notify_all();
    closed_meanwhile = changed.wait_for(lock, std::chrono::milliseconds(300), [&] { return closed; });
  });
  std::thread checkpointer([&] { HF_EXPECT_OK(c.checkpoint()); });
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return writing; });
  }
  HF_EXPECT_OK(db.close());
  {
    const std::lock_guard<std::mutex> lock(mutex);
    closed = true;
  }
  changed.notify_all();
  checkpointer.join();
  fs_.on_call(nullptr);
  EXPECT_FALSE(closed_meanwhile);
}

// Nobody indexes a dropped collection any more, so whoever waited for that waited for ever.
TEST_F(Regression, waiting_for_the_index_of_a_dropped_collection_did_not_end) {
  auto db = engine::DatabaseState::open("/store", options_on(fs_, true)).value();
  CollectionConfig config;
  config.dimension = kDimension;
  auto c = db->create("c", config).value();
  WriteBatch batch;
  for (std::uint64_t id = 0; id < 2000; ++id) batch.upsert(id, vector_of(id, kDimension));
  c->graph_mutex.lock();  // the index thread gets no further than its first batch
  HF_EXPECT_OK(engine::write(*c, batch, {}));
  HF_EXPECT_OK(db->drop("c"));
  c->graph_mutex.unlock();
  auto waited = std::async(std::launch::async, [&] { return engine::wait_until_indexed(*c); });
  const bool ended = waited.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  EXPECT_TRUE(ended);
  if (!ended) HF_EXPECT_OK(db->close());
  HF_EXPECT_CODE(StatusCode::closed, waited.get());
}

// A manifest that names one chunk twice and another not at all has the right number of rows: the missing chunk was a
// null pointer for every search.
TEST_F(Regression, a_manifest_that_names_a_chunk_twice_was_served) {
  {
    Database db = open_database();
    Collection c = make(db);
    for (std::uint64_t id = 0; id < 2 * kChunkSlots;) {
      WriteBatch batch;
      for (int i = 0; i < 1024; ++i, ++id) batch.upsert(id, vector_of(id, kDimension));
      HF_ASSERT_OK(c.write(batch));
    }
    HF_ASSERT_OK(c.checkpoint());  // generation 2
  }
  const std::string directory = collection_directory(fs_);
  HF_ASSERT_OK(fs_.remove(os::join(directory, storage::manifest_name(1))));
  storage::Manifest manifest = storage::read_manifest(fs_, directory, 2).value();
  const auto vectors_of = [&](std::uint32_t first) {
    return std::find_if(manifest.extents.begin(), manifest.extents.end(), [&](const storage::ExtentInfo& extent) {
      return extent.kind == 3 && extent.first_slot == first;
    });
  };
  *vectors_of(0) = *vectors_of(kChunkSlots);
  HF_ASSERT_OK(storage::write_manifest(fs_, directory, manifest));
  Database again = open_database();
  const auto c = again.collection("c");
  HF_EXPECT_CODE(StatusCode::data_damaged, c);
  if (c.ok()) HF_EXPECT_OK(c->search(vector_of(1, kDimension), {.exact = true}));
}

// A transient failure to make the next segment, which the log survives unharmed, made the collection read-only.
TEST_F(Regression, a_segment_that_could_not_be_created_made_the_collection_read_only) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  HF_ASSERT_OK(c.checkpoint());  // the next write needs a segment
  fs_.on_call([&](const CallInfo& call) {
    if (call.kind == CallKind::create) fs_.fail_at(call.index, StatusCode::io_error);  // too many open files
  });
  HF_EXPECT_CODE(StatusCode::io_error, put(c, 2, 2));
  fs_.on_call(nullptr);
  EXPECT_TRUE(missing(c, 2));
  HF_EXPECT_OK(put(c, 3, 3));
  const auto crashed = fs_.crash(CrashPolicy::lose_all());
  Database again = Database::open_with("/store", options_on(*crashed)).value();
  Collection reopened = again.collection("c").value();
  EXPECT_TRUE(missing(reopened, 2));
  EXPECT_TRUE(holds(reopened, 3, 3));
}

// A damaged row of a mapped extent may hold NaN. Under l2 the distances were NaN, too, and std::sort ran over the ends
// of its array when a list with such links was pruned.
TEST_F(Regression, a_damaged_row_gave_distances_that_cannot_be_sorted) {
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    index::VectorTable table(kDimension, metric);
    HF_ASSERT_OK(table.reserve(4));
    for (Slot slot = 0; slot < 4; ++slot) {
      table.assign(slot, std::vector<float>(kDimension, std::numeric_limits<float>::quiet_NaN()));
    }
    const std::vector<float> vector = vector_of(1, kDimension);
    const index::Query query(table, vector.data());
    const void* const rows[4] = {table.row(0), table.row(1), table.row(2), table.row(3)};
    float distances[4];
    query.distance_x4(rows, distances);
    for (const float distance : distances) EXPECT_FALSE(std::isnan(distance)) << to_string(metric);
    EXPECT_FALSE(std::isnan(query.distance(table.row(0)))) << to_string(metric);
  }
}

}  // namespace
}  // namespace holdfast::testing
