// Rows that are used again, and the graph that loses its dead nodes: through the public API on the simulated disk.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 8;

class Vacuum : public ::testing::Test {
 protected:
  Collection open() {
    database_.emplace(Database::open_with("/store", options_on(fs_)).value());
    auto found = database_->collection("c");
    return found.ok() ? *found : database_->create_collection("c", {.dimension = kDimension, .m = 8}).value();
  }
  Collection reopen() {
    EXPECT_TRUE(database_->close().ok());
    return open();
  }

  SimFileSystem fs_;
  std::optional<Database> database_;
};

std::set<std::uint64_t> all_ids(const Snapshot& snapshot) {
  std::set<std::uint64_t> ids;
  std::uint64_t after = 0, next = 0;
  while (true) {
    const auto some = snapshot.ids(after, 100, &next).value();
    for (const PointId id : some) ids.insert(id.number());
    if (next == after) return ids;
    after = next;
  }
}

/// Every point is found by its own vector, exactly once; nothing else is.
void expect_holds(const Collection& collection, const std::map<std::uint64_t, std::uint64_t>& model) {
  const Snapshot snapshot = collection.snapshot();
  ASSERT_EQ(snapshot.size(), model.size());
  std::set<std::uint64_t> wanted;
  for (const auto& [id, seed] : model) {
    wanted.insert(id);
    const auto vector = vector_of(seed, kDimension);
    const Point point = snapshot.get(id).value();
    ASSERT_EQ(point.vector, vector) << id;
    ASSERT_EQ(point.payload, payload_of(seed)) << id;
    const Hits hits = snapshot.search(vector, {.k = 1, .ef = 64}).value();
    ASSERT_EQ(hits.size(), 1U);
    ASSERT_EQ(hits[0].id, PointId(id));
    ASSERT_EQ(hits[0].distance, 0);
  }
  ASSERT_EQ(all_ids(snapshot), wanted);
  const auto everything = snapshot.search(vector_of(1, kDimension), {.k = 10'000, .exact = true}).value();
  ASSERT_EQ(everything.size(), model.size());
}

TEST_F(Vacuum, rows_of_deleted_points_are_used_again) {
  Collection collection = open();
  std::map<std::uint64_t, std::uint64_t> model;
  for (std::uint64_t id = 0; id < 500; ++id) {
    HF_ASSERT_OK(collection.upsert(id, vector_of(id, kDimension), payload_of(id)));
    model[id] = id;
  }
  HF_ASSERT_OK(collection.wait_until_indexed());
  const std::uint64_t slots = collection.stats().slots;
  std::uint64_t seed = 1'000;
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    for (std::uint64_t id = 0; id < 500; id += 2) {  // half of them, every time
      ++seed;
      HF_ASSERT_OK(collection.upsert(id, vector_of(seed, kDimension), payload_of(seed)));
      model[id] = seed;
    }
    HF_ASSERT_OK(collection.wait_until_indexed());
    HF_ASSERT_OK(collection.vacuum());
    EXPECT_EQ(collection.stats().dead_in_graph, 0U);
    EXPECT_EQ(collection.stats().graph_nodes, 500U);
    expect_holds(collection, model);
  }
  EXPECT_LE(collection.stats().slots, slots + 600) << "rows are not used again";
  collection = reopen();
  expect_holds(collection, model);
  EXPECT_LE(collection.stats().slots, slots + 600);
}

TEST_F(Vacuum, a_snapshot_keeps_what_vacuum_and_reuse_take_away) {
  Collection collection = open();
  for (std::uint64_t id = 0; id < 300; ++id)
    HF_ASSERT_OK(collection.upsert(id, vector_of(id, kDimension), payload_of(id)));
  HF_ASSERT_OK(collection.wait_until_indexed());
  const Snapshot before = collection.snapshot();
  const auto query = vector_of(77, kDimension);
  const Hits found = before.search(query, {.k = 50}).value();
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t id = 0; id < 300; ++id) HF_ASSERT_OK(collection.erase(id));
    HF_ASSERT_OK(collection.vacuum());
    for (std::uint64_t id = 0; id < 300; ++id) {
      HF_ASSERT_OK(collection.upsert(id + 1'000, vector_of(id + 5'000, kDimension), payload_of(id + 5'000)));
    }
    HF_ASSERT_OK(collection.wait_until_indexed());
    for (std::uint64_t id = 0; id < 300; ++id) HF_ASSERT_OK(collection.erase(id + 1'000));
    HF_ASSERT_OK(collection.checkpoint());
  }
  EXPECT_GT(collection.stats().reclaim_backlog, 0U);
  const Hits again = before.search(query, {.k = 50}).value();
  ASSERT_EQ(again.size(), found.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(again[i].id, found[i].id);
    EXPECT_EQ(again[i].distance, found[i].distance);
  }
  for (std::uint64_t id = 0; id < 300; ++id) {
    const Point point = before.get(id).value();
    EXPECT_EQ(point.vector, vector_of(id, kDimension));
    EXPECT_EQ(point.payload, payload_of(id));
    HF_EXPECT_CODE(StatusCode::not_found, before.get(id + 1'000));
  }
  EXPECT_EQ(all_ids(before).size(), 300U);
}

TEST_F(Vacuum, points_that_die_before_they_are_indexed_give_their_rows_back) {
  Collection collection = open();
  HF_ASSERT_OK(collection.upsert(1, vector_of(1, kDimension)));
  for (std::uint64_t round = 0; round < 200; ++round) {
    HF_ASSERT_OK(collection.upsert(7, vector_of(round, kDimension), payload_of(round)));
    HF_ASSERT_OK(collection.wait_until_indexed());
    HF_ASSERT_OK(collection.upsert(8, vector_of(round, kDimension)));
    HF_ASSERT_OK(collection.erase(8));
  }
  HF_ASSERT_OK(collection.vacuum());
  EXPECT_LT(collection.stats().slots, 250U);
  EXPECT_EQ(collection.get(7).value().payload, payload_of(199));
  HF_EXPECT_CODE(StatusCode::not_found, collection.get(8));
}

TEST_F(Vacuum, emptied_and_refilled_ten_times_it_is_as_small_as_new) {
  Collection collection = open();
  for (std::uint64_t round = 0; round < 10; ++round) {
    std::map<std::uint64_t, std::uint64_t> model;
    for (std::uint64_t id = 0; id < 200; ++id) {
      HF_ASSERT_OK(collection.upsert(round * 1'000 + id, vector_of(round * 1'000 + id, kDimension),
                                     payload_of(round * 1'000 + id)));
      model[round * 1'000 + id] = round * 1'000 + id;
    }
    HF_ASSERT_OK(collection.wait_until_indexed());
    expect_holds(collection, model);
    for (const auto& [id, seed] : model) HF_ASSERT_OK(collection.erase(id));
    HF_ASSERT_OK(collection.vacuum());
    EXPECT_EQ(collection.stats().graph_nodes, 0U);
    if (round % 3 == 2) collection = reopen();
  }
  EXPECT_EQ(collection.stats().slots, 200U);
}

TEST_F(Vacuum, rows_of_mapped_chunks_are_used_again_and_their_files_stay_as_they_are) {
  Collection collection = open();
  WriteBatch batch;
  const std::uint64_t points = 16'384 + 10;  // one full chunk, which is mapped after reopening
  for (std::uint64_t id = 0; id < points; ++id) {
    batch.upsert(id, vector_of(id, kDimension), id % 3 == 0 ? payload_of(id) : std::string());
    if (batch.size() < 4'000 && id + 1 < points) continue;
    HF_ASSERT_OK(collection.write(batch, {.durability = Durability::none}));
    batch.clear();
  }
  collection = reopen();
  for (std::uint64_t id = 0; id < 100; ++id) batch.erase(id);
  HF_ASSERT_OK(collection.write(batch));
  HF_ASSERT_OK(collection.wait_until_indexed());
  HF_ASSERT_OK(collection.vacuum());
  for (std::uint64_t id = 0; id < 100; ++id) {
    HF_ASSERT_OK(collection.upsert(id + 50'000, vector_of(id + 50'000, kDimension)));
  }
  EXPECT_LT(collection.stats().slots, points + 60);
  const auto expect_content = [&] {
    for (std::uint64_t id = 0; id < 200; ++id) {
      if (id < 100) {
        HF_EXPECT_CODE(StatusCode::not_found, collection.get(id));
        const Point point = collection.get(id + 50'000).value();
        EXPECT_EQ(point.vector, vector_of(id + 50'000, kDimension));
        EXPECT_EQ(point.payload, "") << "the payload of the row's earlier life, " << id;
      } else {
        EXPECT_EQ(collection.get(id).value().vector, vector_of(id, kDimension));
        EXPECT_EQ(collection.get(id).value().payload, id % 3 == 0 ? payload_of(id) : std::string());
      }
    }
  };
  expect_content();
  HF_ASSERT_OK(collection.checkpoint());
  expect_content();
  collection = reopen();
  expect_content();
}

TEST_F(Vacuum, a_collection_refilled_by_one_batch_does_not_grow) {
  Collection collection = open();
  for (std::uint64_t round = 0; round < 3; ++round) {
    WriteBatch batch;
    for (std::uint64_t id = 0; id < 300; ++id) batch.upsert(round * 1'000 + id, vector_of(id, kDimension));
    HF_ASSERT_OK(collection.write(batch));
    HF_ASSERT_OK(collection.wait_until_indexed());
    EXPECT_EQ(collection.stats().slots, 300U) << "round " << round;
    batch.clear();
    for (std::uint64_t id = 0; id < 300; ++id) batch.erase(round * 1'000 + id);
    HF_ASSERT_OK(collection.write(batch));
    HF_ASSERT_OK(collection.vacuum());
    EXPECT_EQ(collection.stats().free_slots, 300U);
    EXPECT_EQ(collection.stats().reclaim_backlog, 0U);
  }
}

TEST_F(Vacuum, several_values_live_and_die_together) {
  Collection collection = open();
  const auto values_of = [](std::uint64_t id, std::uint32_t count) {
    std::vector<float> all;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto one = vector_of(id * 100 + i, kDimension);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  };
  const auto write = [&](std::uint64_t id, std::uint32_t count) {
    WriteBatch batch;
    batch.upsert_values(id, values_of(id, count), count, payload_of(id));
    return collection.write(batch);
  };
  for (std::uint64_t id = 0; id < 40; ++id) HF_ASSERT_OK(write(id, 1 + id % 5));
  HF_ASSERT_OK(collection.wait_until_indexed());
  const auto expect_content = [&](std::uint64_t from) {
    EXPECT_EQ(collection.stats().points, 40 - from);
    for (std::uint64_t id = 0; id < 40; ++id) {
      const auto found = collection.get(id);
      if (id < from) {
        HF_EXPECT_CODE(StatusCode::not_found, found);
        continue;
      }
      HF_ASSERT_OK(found);
      EXPECT_EQ(found->values, 1 + id % 5);
      EXPECT_EQ(found->vector, values_of(id, 1 + id % 5));
      for (std::uint32_t value = 0; value < 1 + id % 5; ++value) {
        const auto query = vector_of(id * 100 + value, kDimension);
        for (const bool exact : {false, true}) {
          const Hits hits = collection.search(query, {.k = 40, .with_payload = true, .exact = exact}).value();
          ASSERT_EQ(hits.size(), 40 - from);
          EXPECT_EQ(hits[0].id, PointId(id));
          EXPECT_EQ(hits[0].value, value);
          EXPECT_EQ(hits[0].payload, payload_of(id));
          std::set<std::uint64_t> seen;
          for (const Hit& hit : hits) EXPECT_TRUE(seen.insert(hit.id.number()).second) << "twice";
        }
      }
    }
  };
  expect_content(0);
  collection = reopen();
  expect_content(0);
  for (std::uint64_t id = 0; id < 10; ++id) HF_ASSERT_OK(collection.erase(id));
  expect_content(10);
  HF_ASSERT_OK(collection.vacuum());
  for (std::uint64_t id = 10; id < 20; ++id) HF_ASSERT_OK(write(id, 1 + id % 5));  // replaced by the same
  expect_content(10);
  HF_ASSERT_OK(collection.wait_until_indexed());
  HF_ASSERT_OK(collection.vacuum());
  HF_ASSERT_OK(collection.checkpoint());
  collection = reopen();
  expect_content(10);
}

TEST_F(Vacuum, a_second_checkpoint_without_writes_lets_the_older_image_go) {
  Collection collection = open();
  for (std::uint64_t id = 0; id < 200; ++id) HF_ASSERT_OK(collection.upsert(id, vector_of(id, kDimension)));
  HF_ASSERT_OK(collection.wait_until_indexed());
  HF_ASSERT_OK(collection.checkpoint());
  HF_ASSERT_OK(collection.checkpoint());
  const std::uint64_t once = collection.stats().disk_bytes;
  for (std::uint64_t id = 0; id < 200; ++id) HF_ASSERT_OK(collection.upsert(id, vector_of(id + 900, kDimension)));
  HF_ASSERT_OK(collection.vacuum());
  for (std::uint64_t id = 0; id < 200; ++id) HF_ASSERT_OK(collection.upsert(id, vector_of(id + 900, kDimension)));
  HF_ASSERT_OK(collection.wait_until_indexed());
  HF_ASSERT_OK(collection.vacuum());
  HF_ASSERT_OK(collection.checkpoint());
  const std::uint64_t two_images = collection.stats().disk_bytes;
  HF_ASSERT_OK(collection.checkpoint());
  const std::uint64_t one_image = collection.stats().disk_bytes;
  EXPECT_LT(one_image, two_images);
  EXPECT_LT(one_image, 3 * once);
  HF_ASSERT_OK(collection.checkpoint());
  EXPECT_EQ(collection.stats().disk_bytes, one_image) << "a third one has nothing to do";
}

}  // namespace
}  // namespace holdfast::testing
