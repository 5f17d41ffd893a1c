// Cursors: in order, without gaps or duplicates, to the end.
#include "engine/reading_fixture.h"

namespace holdfast::testing {
namespace {

using CursorTest = ReadingStore;

TEST_F(CursorTest, exact_answers_together_are_one_large_search) {
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    SimFileSystem fs(3);
    Database db = Database::open_with("/store", options_on(fs)).value();
    Collection c = make(db, "c", metric);
    fill(c);
    const Snapshot snapshot = c.snapshot();
    for (const std::uint32_t n : {1u, 7u, 100u, 5000u}) {
      const auto query = vector_of(5000 + n, kDimension);
      Cursor cursor = snapshot.cursor(query, {.exact = true}).value();
      const auto all = drain(cursor, n);
      expect_same(all, exact(snapshot, query, 5000));
      EXPECT_EQ(all.size(), kFilled);
      EXPECT_TRUE(cursor.exhausted());
    }
  }
}

TEST_F(CursorTest, the_walk_leaves_nothing_out_and_gives_nothing_twice) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  const Snapshot snapshot = c.snapshot();
  for (const std::uint32_t ef : {1u, 10u, 100u}) {
    for (const std::uint32_t n : {1u, 13u, 200u}) {
      SCOPED_TRACE("ef " + std::to_string(ef) + ", n " + std::to_string(n));
      const auto query = vector_of(7000 + n, kDimension);
      Cursor cursor = snapshot.cursor(query, {.ef = ef}).value();
      EXPECT_FALSE(cursor.exhausted());
      const auto all = drain(cursor, n);
      EXPECT_TRUE(cursor.exhausted());
      EXPECT_EQ(ids_of(all), ids_of(exact(snapshot, query, 5000)));
      // Late finds are the only difference to the exact order: few, with a look-ahead of 100.
      std::size_t late = 0;
      for (std::size_t i = 1; i < all.size(); ++i) late += all[i].distance < all[i - 1].distance ? 1 : 0;
      if (ef == 100) EXPECT_LE(late, 2u);
    }
  }
}

TEST_F(CursorTest, the_first_answer_is_that_of_a_search) {
  Database db = open_database();
  Collection c = make(db);
  put_many(c, 0, 900);
  HF_ASSERT_OK(c.wait_until_indexed());
  put_many(c, 2000, 2050);
  const Snapshot snapshot = c.snapshot();
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto query = vector_of(9000 + seed, kDimension);
    SearchOptions options;
    options.with_payload = true;
    options.ef = 40;
    Cursor cursor = snapshot.cursor(query, {.ef = 40, .with_payload = true}).value();
    expect_same(*cursor.next(10), *snapshot.search(query, options));
  }
}

TEST_F(CursorTest, asking_for_nothing_and_for_too_much) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  Cursor cursor = c.snapshot().cursor(vector_of(1, kDimension)).value();  // the cursor holds the snapshot
  EXPECT_TRUE(cursor.next(0)->empty());
  EXPECT_FALSE(cursor.exhausted());
  HF_EXPECT_CODE(StatusCode::invalid_argument, cursor.next(kMaxK + 1));
  EXPECT_EQ(cursor.next(5)->size(), 5u);
  EXPECT_EQ(cursor.next(5000)->size(), kFilled - 5) << "leftovers";
  EXPECT_TRUE(cursor.exhausted());
  EXPECT_TRUE(cursor.next(1)->empty());
}

TEST_F(CursorTest, reset_begins_again) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  for (const bool exact : {false, true}) {
    Cursor cursor = c.snapshot().cursor(vector_of(1, kDimension), {.exact = exact}).value();
    const Hits first = *cursor.next(30);
    (void)drain(cursor, 50);
    cursor.reset();
    EXPECT_FALSE(cursor.exhausted());
    expect_same(*cursor.next(30), first);
    cursor.reset();
    EXPECT_EQ(drain(cursor, 50).size(), kFilled);
  }
}

TEST_F(CursorTest, of_an_empty_collection_and_with_wrong_queries) {
  Database db = open_database();
  Collection c = make(db);
  Cursor cursor = c.snapshot().cursor(vector_of(1, kDimension)).value();
  EXPECT_TRUE(cursor.exhausted());
  EXPECT_TRUE(cursor.next(3)->empty());
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.snapshot().cursor(vector_of(1, 3)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.snapshot().cursor(vector_of(1, kDimension), {.ef = kMaxEf + 1}));
}

TEST_F(CursorTest, sees_its_instant_whatever_comes_after) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  const auto query = vector_of(77, kDimension);
  const Snapshot snapshot = c.snapshot();
  const Hits before = exact(snapshot, query, 5000);
  Cursor cursor = snapshot.cursor(query).value();
  std::vector<Hit> all = *cursor.next(20);
  put_many(c, 1000, 1060);  // also points that it has yet to hand out from the growing tier
  put_many(c, 3000, 3100);
  HF_ASSERT_OK(c.wait_until_indexed());  // they move to the graph
  WriteBatch erase;
  for (std::uint64_t id = 0; id < 500; ++id) erase.erase(id);
  HF_ASSERT_OK(c.write(erase));
  const auto rest = drain(cursor, 33);
  all.insert(all.end(), rest.begin(), rest.end());
  EXPECT_EQ(ids_of(all), ids_of(before));
  expect_same(exact(snapshot, query, 5000), before);
}

TEST_F(CursorTest, a_deadline_that_has_passed_and_a_cancelled_call_lose_nothing) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  for (const bool exact : {false, true}) {
    Cursor cursor = c.snapshot().cursor(vector_of(5, kDimension), {.exact = exact}).value();
    std::vector<Hit> all;
    ReadLimits late;
    late.deadline = Deadline::min();
    std::stop_source source;
    source.request_stop();
    ReadLimits cancelled;
    cancelled.cancel = source.get_token();
    for (int i = 0; i < 3; ++i) {
      for (const auto& [limits, reason] :
           {std::pair(late, Stopped::deadline), std::pair(cancelled, Stopped::cancelled)}) {
        const auto hits = cursor.next(100, limits);
        HF_ASSERT_OK(hits);
        if (hits->size() < 100) EXPECT_EQ(hits->stopped, reason);
        all.insert(all.end(), hits->begin(), hits->end());
      }
      const auto hits = cursor.next(40);
      all.insert(all.end(), hits->begin(), hits->end());
    }
    const auto rest = drain(cursor, 100);
    all.insert(all.end(), rest.begin(), rest.end());
    EXPECT_EQ(ids_of(all).size(), kFilled);
    EXPECT_TRUE(cursor.exhausted());
  }
}

}  // namespace
}  // namespace holdfast::testing
