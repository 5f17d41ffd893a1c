// Range search, batch search, distance, iteration, and the time limits of searches.
#include <limits>

#include "engine/reading_fixture.h"

namespace holdfast::testing {
namespace {

using RangeTest = ReadingStore;

TEST_F(RangeTest, finds_all_points_within_the_radius) {
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    SimFileSystem fs(3);
    Database db = Database::open_with("/store", options_on(fs)).value();
    Collection c = make(db, "c", metric);
    fill(c);
    const Snapshot snapshot = c.snapshot();
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const auto query = vector_of(4000 + seed, kDimension);
      const Hits all = exact(snapshot, query, 5000);
      for (const std::size_t within : {std::size_t{1}, std::size_t{20}, std::size_t{300}, all.size()}) {
        const std::vector<Hit> truth(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(within));
        RangeOptions options;
        options.radius = truth.back().distance;  // inclusive
        options.exact = true;
        expect_same(*snapshot.search_range(query, options), truth);
        options.exact = false;
        expect_same(*snapshot.search_range(query, options), truth);
        options.limit = within / 2 + 1;
        const std::vector<Hit> nearest(truth.begin(), truth.begin() + static_cast<std::ptrdiff_t>(options.limit));
        expect_same(*snapshot.search_range(query, options), nearest);
      }
    }
  }
}

TEST_F(RangeTest, radius_is_checked) {
  Database db = open_database();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    Collection c = make(db, "c" + std::to_string(static_cast<int>(metric)), metric);
    fill(c);
    const Snapshot snapshot = c.snapshot();
    const auto query = vector_of(1, kDimension);
    HF_EXPECT_CODE(StatusCode::invalid_argument, snapshot.search_range(query, {.radius = nan}));
    const auto code = metric == Metric::inner_product ? StatusCode::ok : StatusCode::invalid_argument;
    HF_EXPECT_CODE(code, snapshot.search_range(query, {.radius = -1}));
    EXPECT_EQ(snapshot.search_range(query, {.radius = inf})->size(), kFilled);
    HF_EXPECT_CODE(StatusCode::invalid_argument, snapshot.search_range(query, {.radius = 1, .ef = kMaxEf + 1}));
    HF_EXPECT_CODE(StatusCode::invalid_argument, snapshot.search_range(vector_of(1, 3), {.radius = 1}));
  }
}

TEST_F(RangeTest, of_the_point_itself_and_of_nothing) {
  Database db = open_database();
  Collection c = make(db);
  EXPECT_TRUE(c.snapshot().search_range(vector_of(1, kDimension), {.radius = 100})->empty());
  fill(c);
  const auto hits = c.snapshot().search_range(vector_of(1001, kDimension), {.radius = 0, .with_payload = true});
  HF_ASSERT_OK(hits);
  ASSERT_EQ(hits->size(), 1u);
  EXPECT_EQ(hits->front().id, PointId(1001));
  EXPECT_EQ(hits->front().payload, payload_of(1001));
}

TEST_F(RangeTest, batches_do_not_depend_on_the_number_of_threads) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  const Snapshot snapshot = c.snapshot();
  std::vector<float> queries;
  for (std::uint64_t i = 0; i < 37; ++i) {
    const auto query = vector_of(800 + i, kDimension);
    queries.insert(queries.end(), query.begin(), query.end());
  }
  SearchOptions options;
  options.with_payload = true;
  for (const std::uint32_t threads : {0u, 1u, 2u, 5u, 100u}) {
    const auto answers = snapshot.search_batch(queries, options, threads);
    HF_ASSERT_OK(answers);
    ASSERT_EQ(answers->size(), 37u);
    for (std::uint64_t i = 0; i < 37; ++i) {
      expect_same((*answers)[i], *snapshot.search(vector_of(800 + i, kDimension), options));
    }
  }
  EXPECT_TRUE(snapshot.search_batch({}, options)->empty());
  queries.pop_back();
  HF_EXPECT_CODE(StatusCode::invalid_argument, snapshot.search_batch(queries, options));
  queries.push_back(std::numeric_limits<float>::infinity());
  HF_EXPECT_CODE(StatusCode::invalid_argument, snapshot.search_batch(queries, options));
}

TEST_F(RangeTest, distance_is_that_of_the_search) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  const Snapshot snapshot = c.snapshot();
  const auto query = vector_of(4711, kDimension);
  for (const Hit& hit : exact(snapshot, query, 5000)) EXPECT_EQ(*snapshot.distance(hit.id, query), hit.distance);
  HF_EXPECT_CODE(StatusCode::not_found, snapshot.distance(0, query));  // erased
  HF_EXPECT_CODE(StatusCode::not_found, snapshot.distance(99'999, query));
  HF_EXPECT_CODE(StatusCode::invalid_argument, snapshot.distance(1, vector_of(1, 3)));
}

TEST_F(RangeTest, points_come_in_a_fixed_order_and_can_be_taken_up_again) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  const Snapshot snapshot = c.snapshot();
  HF_ASSERT_OK(put(c, 5, 1'000'005));
  HF_ASSERT_OK(c.erase(7));
  std::uint64_t next = 0;
  const auto all = snapshot.ids(0, 100'000, &next);
  HF_ASSERT_OK(all);
  EXPECT_EQ(all->size(), kFilled);
  for (const std::size_t limit : {std::size_t{1}, std::size_t{37}}) {
    std::vector<PointId> ids;
    std::uint64_t after = 0;
    for (;;) {
      const auto points = snapshot.points(after, limit, &next);
      HF_ASSERT_OK(points);
      EXPECT_LE(points->size(), limit);
      for (const Point& point : *points) {
        ids.push_back(point.id);
        EXPECT_EQ(point.vector, vector_of(point.id.number(), kDimension));
        EXPECT_EQ(point.payload, payload_of(point.id.number()));
        EXPECT_EQ(point.values, 1u);
      }
      if (next == after) break;
      after = next;
    }
    EXPECT_EQ(ids, *all);
  }
}

TEST_F(RangeTest, past_a_deadline_searches_say_so) {
  Database db = open_database();
  Collection c = make(db);
  fill(c);
  const Snapshot snapshot = c.snapshot();
  const auto query = vector_of(3, kDimension);
  std::stop_source source;
  for (const bool exact : {false, true}) {
    SearchOptions options;
    options.exact = exact;
    options.limits.deadline = Deadline::min();
    auto hits = snapshot.search(query, options);
    HF_ASSERT_OK(hits);
    EXPECT_EQ(hits->stopped, Stopped::deadline);
    EXPECT_LE(hits->size(), 10u);
    RangeOptions range;
    range.radius = 1000;
    range.exact = exact;
    range.limits.deadline = Deadline::min();
    hits = snapshot.search_range(query, range);
    HF_ASSERT_OK(hits);
    EXPECT_EQ(hits->stopped, Stopped::deadline);
    EXPECT_LT(hits->size(), kFilled);
    options.limits = {.cancel = source.get_token()};
    EXPECT_EQ(snapshot.search(query, options)->stopped, Stopped::no);
    options.limits.deadline = Deadline::max();
    EXPECT_EQ(snapshot.search(query, options)->stopped, Stopped::no);
  }
  source.request_stop();
  SearchOptions options;
  options.limits.cancel = source.get_token();
  EXPECT_EQ(snapshot.search(query, options)->stopped, Stopped::cancelled);
  const auto answers = snapshot.search_batch(query, options, 1);
  HF_ASSERT_OK(answers);
  EXPECT_EQ(answers->front().stopped, Stopped::cancelled);
}

}  // namespace
}  // namespace holdfast::testing
