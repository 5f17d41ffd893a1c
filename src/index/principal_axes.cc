#include "index/principal_axes.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "index/aligned_room.h"
#include "simd/kernels.h"

namespace holdfast::index {
namespace {

constexpr std::size_t kLine = 64 / sizeof(float);
/// Turns of the orthogonal iteration. Axes whose variances are close take longer to part, and need not.
constexpr int kTurns = 8;

constexpr std::size_t round_up(std::size_t count, std::size_t unit) noexcept {
  return (count + unit - 1) / unit * unit;
}

/// Rows of floats that begin on cache lines, zeros behind them and up to a multiple of four rows.
struct Rows {
  Rows(std::size_t count, std::size_t width)
      : stride(round_up(width, kLine)), first(aligned_room(round_up(count, 4) * stride, memory)) {}
  [[nodiscard]] float* row(std::size_t i) const noexcept { return first + i * stride; }

  std::vector<float> memory;
  std::size_t stride;
  float* first;
};

/// out[j] = x . rows[j] for all `count` rows.
void products(const float* x, const Rows& rows, std::size_t count, std::size_t width, float* out) noexcept {
  for (std::size_t i = 0; i < count; i += 4) {
    const float* const four[4] = {rows.row(i), rows.row(i + 1), rows.row(i + 2), rows.row(i + 3)};
    float dots[4];
    simd::kernels().dot_x4(x, four, width, dots);
    for (std::size_t j = i; j < std::min(i + 4, count); ++j) out[j] = dots[j - i];
  }
}

void scale(float* x, std::size_t width, float by) noexcept {
  for (std::size_t i = 0; i < width; ++i) x[i] *= by;
}

/// Gram-Schmidt, each row against those before it, twice: once leaves what rounding put back. A row that is nothing
/// but a combination of those before it becomes zero.
void orthonormalise(Rows& rows, std::size_t count, std::size_t width) noexcept {
  const simd::Kernels& kernels = simd::kernels();
  for (std::size_t i = 0; i < count; ++i) {
    float* const x = rows.row(i);
    const float before = kernels.dot(x, x, width);
    for (int time = 0; time < 2; ++time) {
      for (std::size_t j = 0; j < i; ++j) {
        const float* const other = rows.row(j);
        const float along = kernels.dot(x, other, width);
        for (std::size_t t = 0; t < width; ++t) x[t] -= along * other[t];
      }
    }
    const float square = kernels.dot(x, x, width);
    scale(x, width, square > before * 1e-8F ? 1.0F / std::sqrt(square) : 0.0F);
  }
}

}  // namespace

PrincipalAxes PrincipalAxes::learn(std::span<const float> rows, std::size_t dimension, std::size_t count) {
  const std::size_t sample = rows.size() / dimension;
  PrincipalAxes made;
  made.dimension_ = dimension;
  made.count_ = count;
  made.mean_.assign(dimension, 0.0F);
  Rows columns(dimension, sample);
  for (std::size_t i = 0; i < dimension; ++i) {
    double sum = 0;
    float* const column = columns.row(i);
    for (std::size_t j = 0; j < sample; ++j) sum += static_cast<double>(rows[j * dimension + i]);
    const auto mean = static_cast<float>(sum / static_cast<double>(sample));
    for (std::size_t j = 0; j < sample; ++j) column[j] = rows[j * dimension + i] - mean;
    made.mean_[i] = mean;
  }
  Rows covariance(dimension, dimension);
  for (std::size_t i = 0; i < dimension; ++i) products(columns.row(i), columns, i + 1, sample, covariance.row(i));
  for (std::size_t i = 0; i < dimension; ++i) {
    for (std::size_t j = 0; j < i; ++j) covariance.row(j)[i] = covariance.row(i)[j];
  }

  Rows axes(count, dimension);
  Rows turned(count, dimension);
  SeededRandom random(1);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < dimension; ++j) axes.row(i)[j] = static_cast<float>(random.unit() - 0.5);
  }
  orthonormalise(axes, count, dimension);
  for (int turn = 0; turn < kTurns; ++turn) {
    for (std::size_t i = 0; i < count; ++i) products(axes.row(i), covariance, dimension, dimension, turned.row(i));
    std::swap(axes.memory, turned.memory);
    std::swap(axes.first, turned.first);
    orthonormalise(axes, count, dimension);
  }
  made.stride_ = axes.stride;
  made.begin_ = static_cast<std::size_t>(axes.first - axes.memory.data());
  made.memory_ = std::move(axes.memory);
  made.offsets_.resize(count);
  for (std::size_t i = 0; i < count; ++i)
    made.offsets_[i] = simd::kernels().dot(made.axis(i), made.mean_.data(), dimension);
  made.survey(rows);
  return made;
}

void PrincipalAxes::survey(std::span<const float> rows) {
  std::vector<float> room;
  float* const coordinates = aligned_room(round_up(count_, 4), room);
  double inside = 0;
  double all = 0;
  for (std::size_t begin = 0; begin < rows.size(); begin += dimension_) {
    const Projected parts = project(&rows[begin], coordinates);
    inside += static_cast<double>(parts.inside);
    all += static_cast<double>(parts.inside) + static_cast<double>(parts.outside);
    for (std::size_t i = 0; i < count_; ++i) widest_ = std::max(widest_, std::abs(coordinates[i]));
  }
  share_ = all > 0 ? static_cast<float>(inside / all) : 0.0F;
}

PrincipalAxes::Projected PrincipalAxes::project(const float* x, float* out) const noexcept {
  for (std::size_t i = 0; i < count_; i += 4) {
    const float* const four[4] = {axis(i), axis(i + 1), axis(i + 2), axis(i + 3)};
    simd::kernels().dot_x4(x, four, dimension_, out + i);
  }
  Projected parts;
  for (std::size_t i = 0; i < count_; ++i) {
    out[i] -= offsets_[i];
    parts.inside += out[i] * out[i];
  }
  parts.outside = std::max(simd::kernels().l2(x, mean_.data(), dimension_) - parts.inside, 0.0F);
  return parts;
}

}  // namespace holdfast::index
