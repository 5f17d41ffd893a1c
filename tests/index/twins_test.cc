// Identical vectors: all distances between them are equal, and a careless heuristic makes islands of them.
#include "index/fixture.h"

namespace holdfast::index {
namespace {

class Twins : public testing::TestWithParam<Metric> {};

std::size_t twins_found(const World& world, const std::vector<float>& twin, std::uint32_t k) {
  const float self = Query(*world.table, twin.data()).distance(world.table->row(world.exact(twin, 1)[0].slot));
  std::size_t found = 0;
  for (const Candidate& hit : world.search(twin, k, k + 100)) found += hit.distance == self ? 1 : 0;
  return found;
}

TEST_P(Twins, ScatteredAmongOthersAreAllFound) {
  auto vectors = clustered(2'000, 16, 10, 41);
  for (std::size_t i = 0; i < vectors.size(); i += 10) vectors[i] = vectors[0];
  World world(16, GetParam());
  world.add_rows(vectors);
  world.index_all();
  EXPECT_EQ(twins_found(world, vectors[0], 200), 200U);
  expect_sound(world, GetParam() == Metric::inner_product ? 200 : 0);
}

INSTANTIATE_TEST_SUITE_P(Metrics, Twins, testing::Values(Metric::l2, Metric::cosine),
                         [](const auto& param_info) { return std::string(to_string(param_info.param)); });

TEST(TwinsInARow, MoreThanABatchAndABeamAreAllFound) {
  auto vectors = clustered(2'400, 8, 10, 42);
  for (std::size_t i = 600; i < 1'800; ++i) vectors[i] = vectors[600];
  World world(8, Metric::l2, {8, 50});
  world.add_rows(vectors);
  world.index_all();
  expect_sound(world);
  EXPECT_EQ(twins_found(world, vectors[600], 1'200), 1'200U);
  // And the others are still found from the entry, wherever that is.
  const std::vector<std::vector<float>> others(vectors.begin() + 1'800, vectors.begin() + 1'900);
  EXPECT_GT(world.recall(others, 5, 50), 0.95);
}

TEST(TwinsOnly, AllVectorsIdentical) {
  World world(4, Metric::l2, {4, 20});
  world.add_rows(std::vector<std::vector<float>>(1'000, {1, 2, 3, 4}));
  world.index_all();
  expect_sound(world);
  EXPECT_EQ(twins_found(world, {1, 2, 3, 4}, 1'000), 1'000U);
}

}  // namespace
}  // namespace holdfast::index
