// What a user of one collection sees: writes, reads, search, snapshots, markers.
#include <algorithm>
#include <cmath>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

using CollectionTest = AnyStore;
HF_ON_BOTH_DISKS(CollectionTest);

double exact_distance(Metric metric, const std::vector<float>& a, const std::vector<float>& b) {
  double l2 = 0, dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  switch (metric) {
    case Metric::l2: return l2;
    case Metric::inner_product: return -dot;
    case Metric::cosine: return 1 - dot / std::sqrt(aa * bb);
  }
  return 0;
}

TEST_P(CollectionTest, upsert_get_replace_erase) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 10));
  EXPECT_TRUE(holds(c, 1, 10));
  HF_ASSERT_OK(put(c, 1, 11));
  EXPECT_TRUE(holds(c, 1, 11));
  EXPECT_EQ(c.snapshot().size(), 1u);
  const auto erased = c.erase(1);
  HF_ASSERT_OK(erased);
  EXPECT_EQ(erased->erased, 1u);
  EXPECT_TRUE(missing(c, 1));
  EXPECT_EQ(c.erase(1)->erased, 0u) << "erasing what is not there is no error and no effect";
  HF_ASSERT_OK(put(c, 1, 12));
  EXPECT_TRUE(holds(c, 1, 12));
}

TEST_P(CollectionTest, receipts_count_and_number) {
  Database db = open_database();
  Collection c = make(db);
  WriteBatch batch;
  batch.upsert(1, vector_of(1, kDimension));
  batch.upsert(2, vector_of(2, kDimension));
  batch.erase(3);
  const auto first = c.write(batch);
  HF_ASSERT_OK(first);
  EXPECT_EQ(first->lsn, 1u);
  EXPECT_EQ(first->upserted, 2u);
  EXPECT_EQ(first->erased, 0u);
  EXPECT_EQ(c.write(WriteBatch{})->lsn, 0u) << "an empty batch is ok and writes nothing";
  EXPECT_EQ(c.erase(1)->lsn, 2u);
  EXPECT_EQ(c.snapshot().lsn(), 2u);
}

TEST_P(CollectionTest, uuid_and_number_ids_are_apart) {
  Database db = open_database();
  Collection c = make(db);
  const PointId uuid = PointId::parse("00000000-0000-0000-0000-000000000007").value();
  HF_ASSERT_OK(c.upsert(7, vector_of(1, kDimension)));
  HF_ASSERT_OK(c.upsert(uuid, vector_of(2, kDimension)));
  EXPECT_EQ(c.get(7)->vector, vector_of(1, kDimension));
  EXPECT_EQ(c.get(uuid)->vector, vector_of(2, kDimension));
  EXPECT_EQ(c.get(uuid)->id.to_string(), "00000000-0000-0000-0000-000000000007");
}

class EveryMetric : public SimStore, public ::testing::WithParamInterface<Metric> {};

TEST_P(EveryMetric, search_agrees_with_double_precision_before_and_after_indexing) {
  constexpr std::uint64_t kPoints = 600;
  Database db = open_database();
  Collection c = make(db, "c", GetParam());
  for (std::uint64_t id = 0; id < kPoints; ++id) HF_ASSERT_OK(put(c, id, id));
  const auto query = vector_of(99'999, kDimension);
  std::vector<std::pair<double, std::uint64_t>> expected;
  for (std::uint64_t id = 0; id < kPoints; ++id) {
    expected.emplace_back(exact_distance(GetParam(), query, vector_of(id, kDimension)), id);
  }
  std::sort(expected.begin(), expected.end());
  Hits before;
  for (const bool indexed : {false, true}) {
    SCOPED_TRACE(indexed ? "from the graph" : "from the growing tier");
    if (indexed) HF_ASSERT_OK(c.wait_until_indexed());
    EXPECT_EQ(c.stats().growing, indexed ? 0u : kPoints);
    SearchOptions options;
    options.k = 20;
    options.ef = 300;
    options.with_payload = true;
    const auto hits = c.search(query, options);
    HF_ASSERT_OK(hits);
    ASSERT_EQ(hits->size(), 20u);
    for (std::size_t i = 0; i < hits->size(); ++i) {
      EXPECT_EQ((*hits)[i].id, PointId(expected[i].second));
      EXPECT_NEAR((*hits)[i].distance, expected[i].first, 1e-5);
      EXPECT_EQ((*hits)[i].payload, payload_of(expected[i].second));
    }
    if (!indexed) before = *hits;
    if (indexed) {
      for (std::size_t i = 0; i < hits->size(); ++i) {
        EXPECT_EQ((*hits)[i].distance, before[i].distance) << "distances do not change when points enter the graph";
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, EveryMetric, ::testing::Values(Metric::l2, Metric::inner_product, Metric::cosine));

TEST_P(CollectionTest, a_snapshot_does_not_change) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 300; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.wait_until_indexed());
  const Snapshot snapshot = c.snapshot();
  const auto query = vector_of(12'345, kDimension);
  SearchOptions options;
  options.k = 50;
  options.ef = 200;
  options.with_payload = true;
  const auto before = snapshot.search(query, options);
  HF_ASSERT_OK(before);
  for (std::uint64_t id = 0; id < 300; ++id) {
    if (id % 3 == 0) HF_ASSERT_OK(c.erase(id));
    if (id % 3 == 1) HF_ASSERT_OK(put(c, id, id + 1000));
  }
  for (std::uint64_t id = 1000; id < 1300; ++id) HF_ASSERT_OK(put(c, id, id + 5000));
  HF_ASSERT_OK(c.wait_until_indexed());
  HF_ASSERT_OK(c.checkpoint());
  const auto after = snapshot.search(query, options);
  HF_ASSERT_OK(after);
  ASSERT_EQ(after->size(), before->size());
  for (std::size_t i = 0; i < after->size(); ++i) {
    EXPECT_EQ((*after)[i].id, (*before)[i].id);
    EXPECT_EQ((*after)[i].distance, (*before)[i].distance);
    EXPECT_EQ((*after)[i].payload, (*before)[i].payload);
  }
  EXPECT_EQ(snapshot.size(), 300u);
  for (std::uint64_t id = 0; id < 300; ++id) {
    const auto point = snapshot.get(id);
    HF_ASSERT_OK(point);
    EXPECT_EQ(point->vector, vector_of(id, kDimension));
    EXPECT_EQ(point->payload, payload_of(id));
  }
  HF_EXPECT_CODE(StatusCode::not_found, snapshot.get(1000));
  EXPECT_EQ(c.snapshot().size(), 500u);
}

TEST_P(CollectionTest, a_snapshot_outlives_collection_and_database) {
  std::optional<Snapshot> snapshot;
  {
    Database db = open_database(true);
    Collection c = make(db);
    for (std::uint64_t id = 0; id < 100; ++id) HF_ASSERT_OK(put(c, id, id));
    snapshot = c.snapshot();
    HF_ASSERT_OK(db.close());
    HF_EXPECT_CODE(StatusCode::closed, put(c, 1, 2));
  }
  EXPECT_EQ(snapshot->size(), 100u);
  const auto hits = snapshot->search(vector_of(5, kDimension), {.k = 1});
  HF_ASSERT_OK(hits);
  EXPECT_EQ(hits->front().id, PointId(5));
  Database again = open_database(true);
  EXPECT_EQ(again.collection("c")->snapshot().size(), 100u);
}

TEST_P(CollectionTest, ids_lists_live_points_by_age_and_resumes) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 50; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.erase(10));
  HF_ASSERT_OK(put(c, 20, 1));
  const Snapshot snapshot = c.snapshot();
  HF_ASSERT_OK(put(c, 60, 60));
  std::vector<PointId> seen;
  for (std::uint64_t position = 0;;) {
    std::uint64_t next = 0;
    const auto part = snapshot.ids(position, 7, &next);
    HF_ASSERT_OK(part);
    seen.insert(seen.end(), part->begin(), part->end());
    if (next == position) break;
    position = next;
  }
  std::vector<PointId> expected;
  for (std::uint64_t id = 0; id < 50; ++id) {
    if (id != 10 && id != 20) expected.emplace_back(id);
  }
  expected.emplace_back(20);
  EXPECT_EQ(seen, expected);
}

TEST_P(CollectionTest, markers_are_part_of_their_batch) {
  Database db = open_database();
  Collection c = make(db);
  EXPECT_FALSE(c.marker("import").has_value());
  WriteBatch batch;
  batch.upsert(1, vector_of(1, kDimension));
  batch.set_marker("import", "1");
  HF_ASSERT_OK(c.write(batch));
  EXPECT_EQ(c.marker("import"), "1");
  batch.clear();
  batch.upsert(1, std::vector<float>(kDimension - 1));
  batch.set_marker("import", "2");
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.write(batch));
  EXPECT_EQ(c.marker("import"), "1") << "a refused batch sets nothing";
  HF_ASSERT_OK(c.checkpoint());
  batch.clear();
  batch.set_marker("other", "x");
  HF_ASSERT_OK(c.write(batch));
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  Collection reopened = again.collection("c").value();
  EXPECT_EQ(reopened.marker("import"), "1");
  EXPECT_EQ(reopened.marker("other"), "x");
  batch.clear();
  batch.set_marker("import", "");
  HF_ASSERT_OK(reopened.write(batch));
  EXPECT_FALSE(reopened.marker("import").has_value());
}

TEST_P(CollectionTest, collections_are_created_listed_dropped) {
  Database db = open_database();
  Collection a = make(db, "a");
  Collection b = make(db, "b");
  HF_ASSERT_OK(put(a, 1, 1));
  HF_ASSERT_OK(put(b, 1, 2));
  EXPECT_EQ(db.collections(), (std::vector<std::string>{"a", "b"}));
  const Snapshot kept = a.snapshot();
  HF_ASSERT_OK(db.drop_collection("a"));
  EXPECT_EQ(db.collections(), std::vector<std::string>{"b"});
  HF_EXPECT_CODE(StatusCode::not_found, db.collection("a"));
  HF_EXPECT_CODE(StatusCode::closed, put(a, 2, 2));
  EXPECT_EQ(kept.get(1)->vector, vector_of(1, kDimension)) << "a snapshot of a dropped collection still reads";
  Collection fresh = make(db, "a");
  EXPECT_TRUE(missing(fresh, 1));
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  EXPECT_EQ(again.collections(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(holds(again.collection("b").value(), 1, 2));
}

TEST_P(CollectionTest, dead_points_take_no_place_in_results) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 400; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.wait_until_indexed());
  for (std::uint64_t id = 0; id < 390; ++id) HF_ASSERT_OK(c.erase(id));
  for (const bool exact : {false, true}) {
    SearchOptions options;
    options.k = 100;
    options.exact = exact;
    const auto hits = c.search(vector_of(3, kDimension), options);
    HF_ASSERT_OK(hits);
    EXPECT_EQ(hits->size(), 10u);
    for (const Hit& hit : *hits) EXPECT_GE(hit.id.number(), 390u);
  }
}

TEST_P(CollectionTest, more_pins_than_one_block_holds) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  std::vector<Snapshot> snapshots;
  for (int i = 0; i < 500; ++i) snapshots.push_back(c.snapshot());
  EXPECT_EQ(c.stats().pinned_snapshots, 500u);
  HF_ASSERT_OK(put(c, 1, 2));
  for (const Snapshot& snapshot : snapshots) EXPECT_EQ(snapshot.get(1)->vector, vector_of(1, kDimension));
  snapshots.clear();
  EXPECT_EQ(c.stats().pinned_snapshots, 0u);
}

TEST_P(CollectionTest, superseded_lists_are_freed_when_the_last_snapshot_goes) {
  Database db = open_database();
  Collection c = make(db);
  for (std::uint64_t id = 0; id < 300; ++id) HF_ASSERT_OK(put(c, id, id));
  HF_ASSERT_OK(c.wait_until_indexed());
  EXPECT_EQ(c.stats().retained_bytes, 0u);
  {
    const Snapshot snapshot = c.snapshot();
    for (std::uint64_t id = 300; id < 600; ++id) HF_ASSERT_OK(put(c, id, id));
    HF_ASSERT_OK(c.wait_until_indexed());
    EXPECT_GT(c.stats().retained_bytes, 0u);
  }
  HF_ASSERT_OK(put(c, 1, 1));  // any publication collects
  EXPECT_EQ(c.stats().retained_bytes, 0u);
}

}  // namespace
}  // namespace holdfast::testing
