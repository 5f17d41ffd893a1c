// The synthetic half of datasets.h: clustered vectors, and exact neighbors by comparing with everything.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numbers>
#include <numeric>
#include <thread>

#include "base/random.h"
#include "bench/datasets.h"

namespace holdfast::bench {

namespace {

constexpr std::uint32_t kNeighborWidth = 100;
constexpr std::uint32_t kLatentDim = 24;  // about the intrinsic dimension of common embeddings

float gaussian(SeededRandom& random) {  // Box and Muller
  const double radius = std::sqrt(-2.0 * std::log(1.0 - random.unit()));
  return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * random.unit()));
}

std::vector<float> gaussians(SeededRandom& random, std::size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = gaussian(random);
  return values;
}

/// Points around cluster centers in a latent space, carried to `dim` dimensions by one random linear map.
class Generator {
 public:
  Generator(std::uint32_t dim, std::uint32_t clusters, std::uint64_t seed)
      : dim_(dim),
        random_(seed),
        map_(gaussians(random_, std::size_t{dim} * kLatentDim)),
        centers_(gaussians(random_, std::size_t{clusters} * kLatentDim)) {}

  Matrix make(std::uint32_t rows) {
    Matrix matrix{rows, dim_, std::vector<float>(std::size_t{rows} * dim_)};
    const std::size_t clusters = centers_.size() / kLatentDim;
    std::array<float, kLatentDim> latent;
    for (std::uint32_t r = 0; r < rows; ++r) {
      const float* const center = centers_.data() + random_.below(clusters) * kLatentDim;
      for (std::uint32_t i = 0; i < kLatentDim; ++i) latent[i] = center[i] + 0.5f * gaussian(random_);
      float* const out = matrix.values.data() + std::size_t{r} * dim_;
      for (std::uint32_t d = 0; d < dim_; ++d) {
        out[d] = std::inner_product(latent.begin(), latent.end(), map_.data() + std::size_t{d} * kLatentDim, 0.0f);
      }
    }
    return matrix;
  }

 private:
  std::uint32_t dim_;
  SeededRandom random_;
  std::vector<float> map_;
  std::vector<float> centers_;
};

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double distance(std::span<const float> a, std::span<const float> b, Metric metric) {
  if (metric == Metric::inner_product) return -dot(a, b);
  if (metric == Metric::cosine) return 1 - dot(a, b) / std::sqrt(dot(a, a) * dot(b, b));
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += difference * difference;
  }
  return sum;
}

}  // namespace

Result<Shape> shape_of(std::string_view name) {
  if (name == "fashion-mnist-784-l2") return Shape{60'000, 2'000, 784, Metric::l2};
  if (name == "sift-100k-128-l2") return Shape{100'000, 2'000, 128, Metric::l2};
  if (name == "gist-30k-960-l2") return Shape{30'000, 1'000, 960, Metric::l2};
  if (name == "word2vec-300-cosine") return Shape{12'598, 1'000, 300, Metric::cosine};
  if (name == "glove-25-cosine") return Shape{10'925, 1'000, 25, Metric::cosine};
  return Status(StatusCode::not_found, "no data set and no known shape is called '" + std::string(name) + "'");
}

Dataset synthetic_dataset(std::string name, const Shape& shape, std::uint64_t seed) {
  Dataset set;
  set.name = std::move(name);
  set.synthetic = true;
  set.metric = shape.metric;
  Generator generator(shape.dim, std::max(10u, shape.rows / 1'000), seed);
  set.base = generator.make(shape.rows);
  set.queries = generator.make(shape.queries);
  if (shape.queries > 0) set.nearest = nearest_rows(set.base, set.queries, set.metric, kNeighborWidth);
  return set;
}

void shorten(Dataset& set, std::uint32_t rows, std::uint32_t queries) {
  const auto keep = [](Matrix& matrix, std::uint32_t wanted) {
    if (wanted == 0 || wanted >= matrix.rows) return false;
    matrix.rows = wanted;
    matrix.values.resize(std::size_t{wanted} * matrix.dim);
    matrix.values.shrink_to_fit();
    return true;
  };
  const bool fewer_rows = keep(set.base, rows);
  const bool fewer_queries = keep(set.queries, queries);
  if (!fewer_rows && !fewer_queries) return;
  set.name += "[first " + std::to_string(set.base.rows) + "]";
  set.nearest = nearest_rows(set.base, set.queries, set.metric, kNeighborWidth);
}

Neighbors nearest_rows(const Matrix& base, const Matrix& queries, Metric metric, std::uint32_t width) {
  width = std::min(width, base.rows);
  Neighbors nearest{queries.rows, width, std::vector<std::uint32_t>(std::size_t{queries.rows} * width)};
  std::atomic<std::uint32_t> next{0};  // hands out queries; results are joined, not synchronised by it
  const auto work = [&] {
    std::vector<std::pair<double, std::uint32_t>> all(base.rows);
    for (std::uint32_t q = next++; q < queries.rows; q = next++) {
      for (std::uint32_t r = 0; r < base.rows; ++r) all[r] = {distance(queries.row(q), base.row(r), metric), r};
      std::partial_sort(all.begin(), all.begin() + width, all.end());  // ties by lower row
      for (std::uint32_t i = 0; i < width; ++i) nearest.rows[std::size_t{q} * width + i] = all[i].second;
    }
  };
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < std::max(1u, std::thread::hardware_concurrency()); ++t) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return nearest;
}

}  // namespace holdfast::bench
