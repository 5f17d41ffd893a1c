// Bad input gets a clear error, changes nothing, and reaches neither log nor graph.
#include <cmath>
#include <limits>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

class BadInput : public SimStore {
 protected:
  /// The write is refused with a message that contains `words`, and nothing of it is there, now or after a reopen.
  void expect_refused(Collection& c, const WriteBatch& batch, const std::string& words) {
    const Lsn before = c.stats().last_lsn;
    const auto outcome = c.write(batch);
    HF_EXPECT_CODE(StatusCode::invalid_argument, outcome);
    EXPECT_NE(std::string(outcome.status().message()).find(words), std::string::npos) << text(outcome);
    EXPECT_EQ(c.stats().last_lsn, before) << "nothing was logged";
    EXPECT_EQ(c.snapshot().size(), 1u);
  }
};

TEST_F(BadInput, vectors) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  WriteBatch batch;
  const auto with = [&](std::vector<float> vector) -> const WriteBatch& {
    batch.clear();
    batch.upsert(5, vector_of(5, kDimension));
    batch.upsert(6, vector);
    return batch;
  };
  std::vector<float> bad = vector_of(6, kDimension);
  expect_refused(c, with(std::vector<float>(kDimension - 1)), "has 7 components, the collection 8");
  expect_refused(c, with(std::vector<float>(kDimension + 1)), "operation 1 (id 6)");
  expect_refused(c, with({}), "has 0 components");
  bad[3] = std::nanf("");
  expect_refused(c, with(bad), "component 3 is NaN");
  bad[3] = -std::numeric_limits<float>::infinity();
  expect_refused(c, with(bad), "component 3 is infinite");
  bad[3] = std::numeric_limits<float>::max();
  expect_refused(c, with(bad), "too long");
}

TEST_F(BadInput, zero_vector_under_cosine_only) {
  Database db = open_database();
  Collection c = make(db, "cosine", Metric::cosine);
  HF_ASSERT_OK(put(c, 1, 1));
  WriteBatch batch;
  batch.upsert(2, std::vector<float>(kDimension));
  expect_refused(c, batch, "no direction");
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.search(std::vector<float>(kDimension)));
  Collection l2 = make(db, "l2");
  HF_EXPECT_OK(l2.write(batch));
  HF_EXPECT_OK(l2.search(std::vector<float>(kDimension)));
}

TEST_F(BadInput, payloads) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  WriteBatch batch;
  for (const char* payload : {"{", "[1]", "\"text\"", "17", "null", "{\"a\":}", "{} {}", "   ", "{\"a\":\"\xff\"}"}) {
    SCOPED_TRACE(payload);
    batch.clear();
    batch.upsert(2, vector_of(2, kDimension), payload);
    expect_refused(c, batch, "no JSON object");
  }
  batch.clear();
  batch.upsert(2, vector_of(2, kDimension), "{\"a\":\"" + std::string(kMaxPayloadBytes, 'x') + "\"}");
  expect_refused(c, batch, "at most");
  HF_EXPECT_OK(c.upsert(2, vector_of(2, kDimension), " {\"a\": [1, 2.5, {\"b\": null}]} "));
  EXPECT_EQ(c.get(2)->payload, " {\"a\": [1, 2.5, {\"b\": null}]} ") << "payloads come back byte by byte";
}

TEST_F(BadInput, batches) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  WriteBatch batch;
  batch.upsert(2, vector_of(2, kDimension));
  batch.erase(2);
  expect_refused(c, batch, "stands twice");
  batch.clear();
  for (std::uint64_t id = 0; id <= kMaxBatchOperations; ++id) batch.erase(id);
  expect_refused(c, batch, "split it");
  batch.clear();
  batch.set_marker("", "x");
  expect_refused(c, batch, "needs a key");
  batch.clear();
  batch.set_marker("key", std::string(kMaxMarkerBytes, 'x'));
  expect_refused(c, batch, "larger than");
}

TEST_F(BadInput, too_many_markers_is_refused_without_poisoning) {
  Database db = open_database();
  Collection c = make(db);
  WriteBatch batch;
  for (std::size_t i = 0; i < kMaxMarkers; ++i) batch.set_marker("m" + std::to_string(i), "x");
  HF_ASSERT_OK(c.write(batch));
  batch.clear();
  batch.set_marker("one more", "x");
  batch.upsert(9, vector_of(9, kDimension));
  HF_EXPECT_CODE(StatusCode::resource_exhausted, c.write(batch));
  EXPECT_TRUE(missing(c, 9));
  HF_EXPECT_OK(put(c, 1, 1));
}

TEST_F(BadInput, searches) {
  Database db = open_database();
  Collection c = make(db);
  HF_ASSERT_OK(put(c, 1, 1));
  const auto query = vector_of(1, kDimension);
  const auto with = [](std::uint32_t k, std::uint32_t ef) {
    SearchOptions options;
    options.k = k;
    options.ef = ef;
    return options;
  };
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.search(query, with(0, 10)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.search(query, with(kMaxK + 1, 10)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.search(query, with(10, kMaxEf + 1)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.search(std::span(query).first(3), with(10, 10)));
  auto nan = query;
  nan[0] = std::nanf("");
  HF_EXPECT_CODE(StatusCode::invalid_argument, c.search(nan, with(10, 10)));
  EXPECT_EQ(c.search(query, with(kMaxK, 0))->size(), 1u) << "k above the number of points returns them all";
  EXPECT_EQ(c.search(query, with(10, 1))->size(), 1u) << "ef below k is raised to k";
}

TEST_F(BadInput, collections) {
  Database db = open_database();
  CollectionConfig config;
  config.dimension = 4;
  for (const std::string& name : {std::string(), std::string(".hidden"), std::string("a/b"), std::string("a b"),
                                  std::string(kMaxNameBytes + 1, 'x'), std::string("..")}) {
    SCOPED_TRACE(name);
    HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection(name, config));
  }
  const auto with = [](std::uint32_t dimension, std::uint32_t m, std::uint32_t ef) {
    CollectionConfig bad;
    bad.dimension = dimension;
    bad.m = m;
    bad.ef_construction = ef;
    return bad;
  };
  HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection("c", with(0, 16, 200)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection("c", with(kMaxDimension + 1, 16, 200)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection("c", with(4, 1, 200)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection("c", with(4, kMaxM + 1, 200)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection("c", with(4, 16, 15)));
  HF_EXPECT_CODE(StatusCode::invalid_argument, db.create_collection("c", with(4, 16, kMaxEfConstruction + 1)));
  HF_ASSERT_OK(db.create_collection("c", config));
  HF_EXPECT_CODE(StatusCode::already_exists, db.create_collection("c", config));
  HF_EXPECT_CODE(StatusCode::not_found, db.collection("d"));
  HF_EXPECT_CODE(StatusCode::not_found, db.drop_collection("d"));
}

TEST_F(BadInput, places_that_are_no_store) {
  auto options = options_on(fs_);
  options.open.create_if_missing = false;
  HF_EXPECT_CODE(StatusCode::not_a_store, Database::open_with("/nothing", options));
  HF_ASSERT_OK(fs_.create_directory("/mine"));
  HF_ASSERT_OK(fs_.write_whole("/mine/thesis.txt", {}));
  HF_EXPECT_CODE(StatusCode::not_a_store, Database::open_with("/mine", options_on(fs_)));
  EXPECT_EQ(fs_.list("/mine")->size(), 1u) << "a place that is no store is left as it is";
  HF_ASSERT_OK(fs_.write_whole("/file", {}));
  HF_EXPECT_CODE(StatusCode::not_a_store, Database::open_with("/file", options_on(fs_)));
}

TEST_F(BadInput, a_second_opener_is_told_who_has_it) {
  Database db = open_database();
  const auto second = Database::open_with("/store", options_on(fs_));
  HF_EXPECT_CODE(StatusCode::already_open, second);
  HF_ASSERT_OK(db.close());
  HF_EXPECT_OK(Database::open_with("/store", options_on(fs_)));
}

TEST_F(BadInput, ids) {
  for (const char* id : {"", "-1", "1.5", "x", "18446744073709551616", "018f3a5e-7c1d-7e32-9b4a-0123456789a",
                         "018f3a5e-7c1d-7e32-9b4a-0123456789ag", "018f3a5e07c1d-7e32-9b4a-0123456789ab", "1 "}) {
    SCOPED_TRACE(id);
    HF_EXPECT_CODE(StatusCode::invalid_argument, PointId::parse(id));
  }
  const auto lines = PointId::parse("two\nlines\x7f");
  ASSERT_FALSE(lines.ok());
  EXPECT_EQ(std::string_view::npos, lines.status().message().find('\n'))
      << "a message is one line, whatever was written";
  EXPECT_EQ(PointId::parse("18446744073709551615")->number(), ~std::uint64_t{0});
}

}  // namespace
}  // namespace holdfast::testing
