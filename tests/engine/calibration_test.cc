// Beam widths for a wanted recall (engine/calibration.h): when they are measured, that they are enough, and that
// nothing that a snapshot answers changes with them.
#include "engine/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "engine/store_fixture.h"

namespace holdfast::testing {
namespace {

constexpr std::uint32_t kDimension = 16;

class Calibrated : public ::testing::Test {
 protected:
  void SetUp() override {
    auto database = Database::open_with("/store", options_on(fs_));
    HF_ASSERT_OK(database);
    database_.emplace(std::move(database).value());
    auto made = database_->create_collection("c", {.dimension = kDimension, .m = 6, .ef_construction = 40});
    HF_ASSERT_OK(made);
    collection_ = *made;
  }
  void put(std::uint64_t begin, std::uint64_t end) {
    WriteBatch batch;
    for (std::uint64_t id = begin; id < end; ++id) {
      batch.upsert(id, vector_of(id, kDimension));
      if (batch.size() < 2'000 && id + 1 < end) continue;
      HF_ASSERT_OK(collection_->write(batch));
      batch.clear();
    }
    HF_ASSERT_OK(collection_->wait_until_indexed());
  }
  static SearchOptions wanting(float recall, Preset preset = Preset::balanced, std::uint32_t k = 10) {
    SearchOptions options{.k = k};
    options.recall = recall;
    options.preset = preset;
    return options;
  }
  static Hits ask(const Snapshot& snapshot, std::uint64_t seed, const SearchOptions& options) {
    auto hits = snapshot.search(vector_of(5'000'000 + seed, kDimension), options);
    HF_EXPECT_OK(hits);
    return hits.ok() ? std::move(hits).value() : Hits();
  }
  /// Of 60 queries from elsewhere.
  static double recall_of(const Snapshot& snapshot, const SearchOptions& options) {
    SearchOptions exact = options;
    exact.recall = 0;
    exact.preset = Preset::exact;
    std::size_t found = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const Hits truth = ask(snapshot, seed, exact);
      for (const Hit& hit : ask(snapshot, seed, options)) {
        found += std::count_if(truth.begin(), truth.end(), [&](const Hit& one) { return one.id == hit.id; });
      }
    }
    return static_cast<double>(found) / (60.0 * options.k);
  }
  void index_until_idle() {
    for (int i = 0; i < 2'000; ++i) {
      const CollectionStats before = collection_->stats();
      HF_ASSERT_OK(collection_->calibrate());
      if (collection_->stats().calibrations == before.calibrations) return;
    }
    FAIL() << "it never ends";
  }

  SimFileSystem fs_;
  std::optional<Database> database_;
  std::optional<Collection> collection_;
};

TEST_F(Calibrated, WidthsAreEnoughForTheRecallThatIsWanted) {
  put(0, 4'000);
  const Snapshot before = collection_->snapshot();
  EXPECT_EQ(Beam::assumed, ask(before, 1, wanting(0.9F)).beam);
  HF_ASSERT_OK(collection_->calibrate());
  EXPECT_EQ(1U, collection_->stats().calibrations);
  EXPECT_GT(collection_->stats().calibration_us, 0U);
  const Snapshot after = collection_->snapshot();
  std::uint32_t width = 0;
  for (const float recall : {0.8F, 0.9F, 0.95F, 0.98F}) {
    SCOPED_TRACE(recall);
    const Hits hits = ask(after, 1, wanting(recall));
    ASSERT_EQ(Beam::calibrated, hits.beam);
    EXPECT_GE(hits.ef, width);
    width = hits.ef;
    EXPECT_GE(recall_of(after, wanting(recall)), static_cast<double>(recall) - 0.02);
  }
  EXPECT_GT(width, ask(after, 1, wanting(0.8F)).ef) << "more costs more";
  EXPECT_GE(recall_of(after, wanting(0.9F, Preset::balanced, 100)), 0.88);
  EXPECT_GE(ask(after, 1, wanting(0.9F, Preset::balanced, 300)).ef, 300U);
}

TEST_F(Calibrated, SnapshotsKeepTheWidthThatTheyBeganWith) {
  put(0, 2'000);
  const Snapshot before = collection_->snapshot();
  const Hits assumed = ask(before, 7, wanting(0.95F));
  HF_ASSERT_OK(collection_->calibrate());
  const Snapshot calibrated = collection_->snapshot();
  const Hits measured = ask(calibrated, 7, wanting(0.95F));
  EXPECT_EQ(Beam::calibrated, measured.beam);
  put(2'000, 6'000);
  HF_ASSERT_OK(collection_->calibrate());
  EXPECT_EQ(2U, collection_->stats().calibrations) << "it has grown";
  EXPECT_EQ(Beam::assumed, ask(before, 7, wanting(0.95F)).beam);
  EXPECT_EQ(assumed.ef, ask(before, 7, wanting(0.95F)).ef);
  EXPECT_EQ(measured.ef, ask(calibrated, 7, wanting(0.95F)).ef);
  EXPECT_EQ(measured.beam, ask(calibrated, 7, wanting(0.95F)).beam);
}

TEST_F(Calibrated, OnlyWhatIsWantedIsMeasuredAndOnlyWhenItIsDue) {
  put(0, 2'000);
  HF_ASSERT_OK(collection_->wait_until_indexed());
  EXPECT_EQ(0U, collection_->stats().calibrations) << "nobody asked for a recall";
  (void)ask(collection_->snapshot(), 1, wanting(0.9F));
  put(2'000, 2'100);  // steps of the mutator: the search has asked for it
  HF_ASSERT_OK(collection_->calibrate());
  EXPECT_EQ(1U, collection_->stats().calibrations);
  HF_ASSERT_OK(collection_->calibrate());
  put(2'100, 2'200);
  HF_ASSERT_OK(collection_->calibrate());
  EXPECT_EQ(1U, collection_->stats().calibrations) << "little has changed";
  EXPECT_EQ(Beam::assumed, ask(collection_->snapshot(), 1, wanting(0.9F, Preset::fast)).beam);
  HF_ASSERT_OK(collection_->calibrate(Preset::fast));
  EXPECT_EQ(2U, collection_->stats().calibrations);
  EXPECT_EQ(Beam::calibrated, ask(collection_->snapshot(), 1, wanting(0.9F, Preset::fast)).beam);
  EXPECT_EQ(Beam::calibrated, ask(collection_->snapshot(), 1, wanting(0.9F)).beam) << "the other one stays";
  // Half of the points are replaced.
  put(0, 1'600);
  HF_ASSERT_OK(collection_->vacuum());
  index_until_idle();
  EXPECT_GE(collection_->stats().calibrations, 3U);
}

TEST_F(Calibrated, SmallAndEmptyCollectionsDoWithout) {
  HF_ASSERT_OK(collection_->calibrate());
  put(0, 500);
  HF_ASSERT_OK(collection_->calibrate());
  EXPECT_EQ(0U, collection_->stats().calibrations);
  EXPECT_EQ(Beam::assumed, ask(collection_->snapshot(), 1, wanting(0.99F)).beam);
  EXPECT_GE(recall_of(collection_->snapshot(), wanting(0.99F)), 0.98);
}

TEST_F(Calibrated, DeadNodesAndAnExpiredViewDoNotDisturbIt) {
  put(0, 3'000);
  WriteBatch dead;
  for (std::uint64_t id = 0; id < 3'000; id += 5) dead.erase(id);
  HF_ASSERT_OK(collection_->write(dead));
  HF_ASSERT_OK(collection_->calibrate());
  const Snapshot snapshot = collection_->snapshot();
  EXPECT_EQ(Beam::calibrated, ask(snapshot, 1, wanting(0.9F)).beam);
  EXPECT_GE(recall_of(snapshot, wanting(0.9F)), 0.88);
  EXPECT_EQ(1U, collection_->stats().pinned_snapshots) << "the run has let go of its view";
}

TEST(CalibrationInTheBackground, FollowsTheFirstSearchThatWantsARecall) {
  SimFileSystem fs;
  auto database = Database::open_with("/store", options_on(fs, true));
  HF_ASSERT_OK(database);
  auto made = database->create_collection("c", {.dimension = kDimension, .m = 6, .ef_construction = 40});
  HF_ASSERT_OK(made);
  WriteBatch batch;
  for (std::uint64_t id = 0; id < 1'500; ++id) batch.upsert(id, vector_of(id, kDimension));
  HF_ASSERT_OK(made->write(batch));
  HF_ASSERT_OK(made->wait_until_indexed());
  SearchOptions options;
  options.recall = 0.9F;
  const std::vector<float> query = vector_of(77, kDimension);
  Beam beam = Beam::assumed;
  const Deadline patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);  // a second is what it takes
  while (beam == Beam::assumed && std::chrono::steady_clock::now() < patience) {
    const auto hits = made->search(query, options);
    HF_ASSERT_OK(hits);
    beam = hits->beam;
    HF_ASSERT_OK(made->wait_until_indexed());
  }
  EXPECT_EQ(Beam::calibrated, beam);
  HF_ASSERT_OK(database->close());
}

// The walk of the fast preset goes by other codes once they are there: what was measured without them says nothing.
TEST(CalibrationOfTheFastPreset, IsMadeWithTheCodesThatItWalksBy) {
  constexpr std::uint32_t kWide = 160;
  SimFileSystem fs;
  auto database = Database::open_with("/store", options_on(fs));
  HF_ASSERT_OK(database);
  auto made = database->create_collection("c", {.dimension = kWide, .m = 6, .ef_construction = 40});
  HF_ASSERT_OK(made);
  WriteBatch batch;
  for (std::uint64_t id = 0; id < 1'200; ++id) batch.upsert(id, vector_of(id, kWide));
  HF_ASSERT_OK(made->write(batch));
  HF_ASSERT_OK(made->wait_until_indexed());
  const std::uint64_t before = made->stats().code_bytes;
  HF_ASSERT_OK(made->calibrate(Preset::fast));
  EXPECT_GT(made->stats().code_bytes, before) << "short codes come first";
  EXPECT_EQ(1U, made->stats().calibrations);
  SearchOptions options;
  options.recall = 0.9F;
  options.preset = Preset::fast;
  const auto hits = made->search(vector_of(77'777, kWide), options);
  HF_ASSERT_OK(hits);
  EXPECT_EQ(Beam::calibrated, hits->beam);
  HF_ASSERT_OK(made->wait_until_indexed());
  HF_ASSERT_OK(made->calibrate(Preset::fast));
  EXPECT_EQ(1U, made->stats().calibrations) << "nothing has changed";
}

TEST_F(Calibrated, PresetsAndConflictsAreTyped) {
  put(0, 1'200);
  const Snapshot snapshot = collection_->snapshot();
  const std::vector<float> query = vector_of(1, kDimension);
  const auto outcome = [&](auto change) {
    SearchOptions options;
    change(options);
    return code(snapshot.search(query, options));
  };
  EXPECT_EQ(StatusCode::ok, outcome([](SearchOptions& o) { o.recall = 1; }));
  EXPECT_EQ(StatusCode::invalid_argument, outcome([](SearchOptions& o) { o.recall = 1.01F; }));
  EXPECT_EQ(StatusCode::invalid_argument, outcome([](SearchOptions& o) { o.recall = -0.1F; }));
  EXPECT_EQ(StatusCode::invalid_argument,
            outcome([](SearchOptions& o) { o.recall = std::numeric_limits<float>::quiet_NaN(); }));
  EXPECT_EQ(StatusCode::invalid_argument, outcome([](SearchOptions& o) { o.recall = 0.9F, o.ef = 50; }));
  EXPECT_EQ(StatusCode::invalid_argument, outcome([](SearchOptions& o) { o.exact = true, o.preset = Preset::fast; }));
  EXPECT_EQ(StatusCode::invalid_argument, outcome([](SearchOptions& o) { o.preset = static_cast<Preset>(3); }));
  EXPECT_EQ(StatusCode::ok, outcome([](SearchOptions& o) { o.exact = true, o.recall = 0.9F; }));
  SearchOptions exact;
  exact.preset = Preset::exact;
  EXPECT_EQ(Beam::exact, ask(snapshot, 1, exact).beam);
  EXPECT_EQ(0U, ask(snapshot, 1, exact).ef);
  EXPECT_EQ(Beam::exact, ask(snapshot, 1, wanting(1)).beam);
  EXPECT_EQ(Beam::given, ask(snapshot, 1, {}).beam);
  EXPECT_EQ(100U, ask(snapshot, 1, {}).ef);
  SearchOptions fast;
  fast.preset = Preset::fast;
  for (const Hit& hit : ask(snapshot, 1, fast)) {
    EXPECT_EQ(hit.distance, snapshot.distance(hit.id, vector_of(5'000'001, kDimension)).value())
        << "exact all the same";
  }
  for (const char* name : {"balanced", "fast", "exact"}) EXPECT_EQ(name, to_string(parse_preset(name).value()));
  EXPECT_EQ(StatusCode::invalid_argument, parse_preset("slow").status().code());
}

}  // namespace
}  // namespace holdfast::testing
