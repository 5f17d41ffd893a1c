// Principal axes: orthonormal, the widest first, and those that the data was made from.
#include "index/principal_axes.h"

#include <cmath>

#include "index/aligned_room.h"
#include "index/fixture.h"

namespace holdfast::index {
namespace {

/// Points whose spread in component i is `spread[i]`, so that the axes are known: the components, widest first.
std::vector<float> along_components(const std::vector<float>& spread, std::size_t count) {
  SeededRandom random(3);
  std::vector<float> rows;
  for (std::size_t i = 0; i < count; ++i) {
    for (const float width : spread) rows.push_back(5.0F + width * static_cast<float>(random.unit() - 0.5));
  }
  return rows;
}

std::vector<float> coordinates_of(const PrincipalAxes& axes, const std::vector<float>& x) {
  std::vector<float> out(axes.count() + 3);
  (void)axes.project(x.data(), out.data());
  out.resize(axes.count());
  return out;
}

TEST(PrincipalAxes, AreTheDirectionsOfTheWidestSpreads) {
  const std::vector<float> spread = {1, 20, 0.5F, 0, 9, 0.1F, 4};
  const PrincipalAxes axes = PrincipalAxes::learn(along_components(spread, 4'000), spread.size(), 3);
  ASSERT_EQ(3U, axes.count());
  const std::size_t expected[] = {1, 4, 6};
  const std::vector<float> center = coordinates_of(axes, std::vector<float>(spread.size(), 5.0F));
  for (std::size_t component = 0; component < spread.size(); ++component) {
    std::vector<float> x(spread.size(), 5.0F);
    x[component] += 1;
    const std::vector<float> coordinates = coordinates_of(axes, x);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(component == expected[i] ? 1 : 0, std::abs(coordinates[i] - center[i]), 0.05)
          << "axis " << i << ", component " << component;
    }
  }
  double inside = 0;
  double all = 0;
  for (const float width : spread) all += static_cast<double>(width) * static_cast<double>(width);
  for (const std::size_t i : expected) inside += static_cast<double>(spread[i]) * static_cast<double>(spread[i]);
  EXPECT_NEAR(inside / all, static_cast<double>(axes.share_of_variance()), 0.01);
  EXPECT_NEAR(10, axes.widest(), 0.5);
}

TEST(PrincipalAxes, TogetherWithTheRestMakeUpTheWholeSquare) {
  const std::uint32_t dimension = 70;
  const auto vectors = clustered(500, dimension, 10, 1);
  std::vector<float> rows;
  for (const auto& vector : vectors) rows.insert(rows.end(), vector.begin(), vector.end());
  for (const std::size_t count : {1U, 6U, 64U, 70U}) {
    const PrincipalAxes axes = PrincipalAxes::learn(rows, dimension, count);
    std::vector<float> out(72);
    for (std::size_t i = 0; i < vectors.size(); i += 50) {
      const PrincipalAxes::Projected parts = axes.project(vectors[i].data(), out.data());
      double square = 0;
      for (std::size_t j = 0; j < dimension; ++j) {
        double mean = 0;
        for (const auto& vector : vectors) mean += static_cast<double>(vector[j]);
        const double off = static_cast<double>(vectors[i][j]) - mean / static_cast<double>(vectors.size());
        square += off * off;
      }
      EXPECT_NEAR(square, static_cast<double>(parts.inside + parts.outside), square * 1e-3);
      if (count == dimension) EXPECT_LT(parts.outside, square * 1e-3);
      // A1: no difference is lengthened.
      const std::vector<float> a = coordinates_of(axes, vectors[i]);
      const std::vector<float> b = coordinates_of(axes, vectors[i + 1]);
      double between = 0;
      double projected = 0;
      for (std::size_t j = 0; j < dimension; ++j) {
        between += std::pow(static_cast<double>(vectors[i][j]) - static_cast<double>(vectors[i + 1][j]), 2);
      }
      for (std::size_t j = 0; j < count; ++j) {
        projected += std::pow(static_cast<double>(a[j]) - static_cast<double>(b[j]), 2);
      }
      EXPECT_LE(projected, between * 1.001);
    }
  }
}

TEST(PrincipalAxes, OfRowsThatDoNotDifferAreNone) {
  const PrincipalAxes axes = PrincipalAxes::learn(std::vector<float>(20 * 9, 2.5F), 9, 4);
  EXPECT_EQ(0, axes.share_of_variance());
  EXPECT_EQ(0, axes.widest());
  const std::vector<float> coordinates = coordinates_of(axes, std::vector<float>(9, 2.5F));
  for (const float coordinate : coordinates) EXPECT_EQ(0, coordinate);
}

}  // namespace
}  // namespace holdfast::index
