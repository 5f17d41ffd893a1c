// Points with several vectors: found once, by their nearest vector; read and deleted as one.
#include <limits>
#include <map>

#include "engine/reading_fixture.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kValuesMax = 5;

/// Vectors of the id: one to five, by the id's number.
std::uint32_t values_of(std::uint64_t id) { return 1 + static_cast<std::uint32_t>(id % kValuesMax); }

class ValuesTest : public ReadingStore {
 protected:
  static std::vector<float> vectors_of(std::uint64_t id) {
    std::vector<float> all;
    for (std::uint32_t value = 0; value < values_of(id); ++value) {
      const auto one = vector_of(id * 100 + value, kDimension);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
  static void put_values(Collection& collection, std::uint64_t begin, std::uint64_t end) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) {
      batch.upsert_values(id, vectors_of(id), values_of(id), payload_of(id));
    }
    HF_ASSERT_OK(collection.write(batch));
  }
  /// 200 points in the graph, of which 20 are dead; 40 growing.
  static void fill_values(Collection& collection) {
    put_values(collection, 0, 200);
    HF_ASSERT_OK(collection.wait_until_indexed());
    WriteBatch dead;
    for (std::uint64_t id = 0; id < 200; id += 10) dead.erase(id);
    HF_ASSERT_OK(collection.write(dead));
    put_values(collection, 1000, 1040);
  }
  static std::set<std::uint64_t> living() {
    std::set<std::uint64_t> ids;
    for (std::uint64_t id = 0; id < 200; ++id) {
      if (id % 10 != 0) ids.insert(id);
    }
    for (std::uint64_t id = 1000; id < 1040; ++id) ids.insert(id);
    return ids;
  }
  /// By comparing all vectors of all points, without the index.
  static std::vector<Hit> truth(const std::vector<float>& query) {
    std::vector<Hit> hits;
    for (const std::uint64_t id : living()) {
      const auto vectors = vectors_of(id);
      Hit best;
      best.id = id;
      best.distance = std::numeric_limits<float>::max();
      for (std::uint32_t value = 0; value < values_of(id); ++value) {
        double sum = 0;
        for (std::uint32_t i = 0; i < kDimension; ++i) {
          const double d = static_cast<double>(vectors[value * kDimension + i]) - query[i];
          sum += d * d;
        }
        if (sum < static_cast<double>(best.distance)) {
          best.distance = static_cast<float>(sum);
          best.value = value;
        }
      }
      hits.push_back(best);
    }
    std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.distance < b.distance; });
    return hits;
  }
  static void expect_near(const std::vector<Hit>& hits, const std::vector<Hit>& expected, bool with_payload = false) {
    ASSERT_EQ(hits.size(), expected.size());
    for (std::size_t i = 0; i < hits.size(); ++i) {
      ASSERT_EQ(hits[i].id, expected[i].id) << "place " << i;
      EXPECT_EQ(hits[i].value, expected[i].value) << "place " << i;
      EXPECT_NEAR(hits[i].distance, expected[i].distance, 1e-4);
      EXPECT_EQ(hits[i].payload, with_payload ? payload_of(hits[i].id.number()) : "");
    }
  }
  static std::vector<Hit> first(const std::vector<Hit>& hits, std::size_t count) {
    return {hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(std::min(count, hits.size()))};
  }
};

TEST_F(ValuesTest, a_search_finds_each_id_once_by_its_nearest_vector) {
  Database db = open_database();
  Collection c = make(db);
  fill_values(c);
  const Snapshot snapshot = c.snapshot();
  EXPECT_EQ(snapshot.size(), living().size());
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto query = vector_of(500'000 + seed, kDimension);
    for (const std::uint32_t k : {1u, 10u, 100u, 5'000u}) {
      SearchOptions options;
      options.k = k;
      options.with_payload = true;
      options.exact = true;
      const auto expected = first(truth(query), k);
      expect_near(*snapshot.search(query, options), expected, true);
      options.exact = false;
      options.ef = 300;
      expect_near(*snapshot.search(query, options), expected, true);
    }
  }
}

TEST_F(ValuesTest, k_ids_are_found_though_one_has_all_the_nearest_vectors) {
  Database db = open_database();
  Collection c = make(db);
  put_values(c, 1000, 1100);
  const auto query = vector_of(42, kDimension);
  std::vector<float> crowd;
  for (int i = 0; i < 600; ++i) crowd.insert(crowd.end(), query.begin(), query.end());
  WriteBatch batch;
  batch.upsert_values(7, crowd, 600);
  HF_ASSERT_OK(c.write(batch));
  for (const bool indexed : {false, true}) {
    if (indexed) HF_ASSERT_OK(c.wait_until_indexed());
    const auto hits = c.search(query);
    HF_ASSERT_OK(hits);
    EXPECT_EQ(hits->size(), 10u);
    EXPECT_EQ(hits->front().id, PointId(7));
    EXPECT_EQ(ids_of(*hits).size(), 10u);
  }
}

TEST_F(ValuesTest, cursors_and_ranges_give_each_id_once) {
  Database db = open_database();
  Collection c = make(db);
  fill_values(c);
  const Snapshot snapshot = c.snapshot();
  for (const bool exact : {false, true}) {
    for (const std::uint32_t n : {1u, 16u, 1000u}) {
      const auto query = vector_of(600'000 + n, kDimension);
      Cursor cursor = snapshot.cursor(query, {.exact = exact}).value();
      const auto all = drain(cursor, n);
      EXPECT_TRUE(cursor.exhausted());
      EXPECT_EQ(ids_of(all).size(), living().size());
      const auto expected = truth(query);
      if (exact) {
        expect_near(all, expected);
        expect_same(all, ReadingStore::exact(snapshot, query, 1000));
      }
      RangeOptions options;
      options.radius = expected[60].distance + 1e-4F;
      options.exact = exact;
      const auto within = snapshot.search_range(query, options);
      HF_ASSERT_OK(within);
      EXPECT_GE(within->size(), 61u);
      expect_near(first(*within, 61), first(expected, 61));
      options.limit = 25;
      expect_near(*snapshot.search_range(query, options), first(expected, 25));
    }
  }
}

TEST_F(ValuesTest, are_read_and_deleted_as_one) {
  Database db = open_database();
  Collection c = make(db);
  fill_values(c);
  const Snapshot before = c.snapshot();
  const auto check = [&](const Snapshot& snapshot) {
    std::uint64_t next = 0;
    const auto points = snapshot.points(0, 10'000, &next);
    HF_ASSERT_OK(points);
    EXPECT_EQ(points->size(), living().size());
    for (const Point& point : *points) {
      EXPECT_EQ(point.values, values_of(point.id.number()));
      EXPECT_EQ(point.vector, vectors_of(point.id.number()));
      EXPECT_EQ(point.payload, payload_of(point.id.number()));
    }
    EXPECT_EQ(snapshot.ids(0, 10'000, &next)->size(), living().size());
    const auto query = vector_of(5, kDimension);
    for (const Hit& hit : truth(query)) EXPECT_NEAR(*snapshot.distance(hit.id, query), hit.distance, 1e-4);
  };
  check(before);
  HF_ASSERT_OK(c.erase(1004));
  HF_ASSERT_OK(put(c, 1003, 77));  // from several vectors to one
  EXPECT_EQ(c.get(1003)->values, 1u);
  HF_EXPECT_CODE(StatusCode::not_found, c.get(1004));
  for (std::uint32_t value = 0; value < values_of(1004); ++value) {
    const auto hits = c.search(vector_of(1004 * 100 + value, kDimension));
    EXPECT_EQ(ids_of(*hits).count(PointId(1004)), 0u) << "a ghost";
    EXPECT_NE(hits->front().distance, 0);
  }
  HF_ASSERT_OK(c.wait_until_indexed());
  HF_ASSERT_OK(c.vacuum());
  check(before);
  HF_ASSERT_OK(db.close());
  Database again = open_database();
  const Snapshot after = again.collection("c")->snapshot();
  EXPECT_EQ(after.size(), living().size() - 1);
  EXPECT_EQ(after.get(1009)->vector, vectors_of(1009));
}

}  // namespace
}  // namespace holdfast::testing
