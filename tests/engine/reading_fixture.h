// What the tests of reading share: a store of many points and the truth about them.
#pragma once

#include <algorithm>
#include <set>

#include "engine/store_fixture.h"

namespace holdfast::testing {

class ReadingStore : public SimStore {
 protected:
  /// Ids [begin, end), each with the vector of its own number.
  static void put_many(Collection& collection, std::uint64_t begin, std::uint64_t end) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) {
      batch.upsert(id, vector_of(id, collection.config().dimension), payload_of(id));
    }
    HF_ASSERT_OK(collection.write(batch));
  }
  /// 600 points in the graph, of which 60 are dead; 90 points growing, of which 10 are dead.
  static void fill(Collection& collection) {
    put_many(collection, 0, 600);
    HF_ASSERT_OK(collection.wait_until_indexed());
    WriteBatch dead;
    for (std::uint64_t id = 0; id < 600; id += 10) dead.erase(id);
    HF_ASSERT_OK(collection.write(dead));
    put_many(collection, 1000, 1100);
    WriteBatch more;
    for (std::uint64_t id = 1000; id < 1100; id += 10) more.erase(id);
    HF_ASSERT_OK(collection.write(more));
  }
  static constexpr std::uint64_t kFilled = 540 + 90;

  /// Draws to the end, `n` at a time.
  static std::vector<Hit> drain(Cursor& cursor, std::uint32_t n) {
    std::vector<Hit> all;
    for (;;) {
      auto hits = cursor.next(n);
      if (!hits.ok()) {
        ADD_FAILURE() << hits.status().to_string();
        return all;
      }
      EXPECT_EQ(hits->stopped, Stopped::no);
      EXPECT_LE(hits->size(), n);
      EXPECT_TRUE(std::is_sorted(hits->begin(), hits->end(),
                                 [](const Hit& a, const Hit& b) { return a.distance < b.distance; }));
      if (hits->empty()) return all;
      all.insert(all.end(), hits->begin(), hits->end());
    }
  }
  static Hits exact(const Snapshot& snapshot, const std::vector<float>& query, std::uint32_t k) {
    SearchOptions options;
    options.k = k;
    options.exact = true;
    auto hits = snapshot.search(query, options);
    HF_EXPECT_OK(hits);
    return hits.ok() ? *hits : Hits();
  }
  static void expect_same(const std::vector<Hit>& a, const std::vector<Hit>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].id, b[i].id) << "place " << i;
      ASSERT_EQ(a[i].distance, b[i].distance) << "place " << i;
      ASSERT_EQ(a[i].payload, b[i].payload) << "place " << i;
      ASSERT_EQ(a[i].value, b[i].value) << "place " << i;
    }
  }
  static std::set<PointId> ids_of(const std::vector<Hit>& hits) {
    std::set<PointId> ids;
    for (const Hit& hit : hits) EXPECT_TRUE(ids.insert(hit.id).second) << hit.id.to_string() << " stands twice";
    return ids;
  }
};

}  // namespace holdfast::testing
