#include "index/quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/query_kernels.h"

namespace holdfast::index {
namespace {

constexpr float kTopCode = 255.0F;
constexpr float kTopShortCode = 15.0F;
/// Range of 16 codes in standard deviations (short_codes.h has the source).
constexpr float kShortRange = 5.4F;
/// Room left beyond the smallest and the largest value of the sample, of its range, on either side.
constexpr float kMargin = 0.05F;
constexpr float kLargestWeight = 127.0F;
constexpr float kWidest = 1e15F;

/// Sums of their own, so that the compiler may keep them in registers, and their order is the same everywhere.
constexpr std::size_t kLanes = 16;

template <class One>
void for_lanes(std::size_t dimension, One one) {
  std::size_t i = 0;
  for (; i + kLanes <= dimension; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) one(i + lane, lane);
  }
  for (std::size_t lane = 0; i < dimension; ++i, ++lane) one(i, lane);
}

/// The components of a row, decoded if they have to be; good until the thread's next call.
const float* components_of(const VectorTable& vectors, const void* row) {
  thread_local std::vector<float> room;
  return vectors.floats(row, room);
}

float inverse_norm(const float* vector, std::size_t dimension) noexcept {
  double lanes[kLanes] = {};
  for_lanes(dimension, [&](std::size_t i, std::size_t lane) {
    lanes[lane] += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
  });
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum > 0 ? static_cast<float>(1.0 / std::sqrt(sum)) : 0.0F;
}

}  // namespace

Quantizer Quantizer::train(const VectorTable& vectors, std::span<const Slot> sample) {
  const std::size_t dimension = vectors.dimension();
  Quantizer made;
  made.metric_ = vectors.metric();
  std::vector<float> low(dimension, std::numeric_limits<float>::max());
  std::vector<float> high(dimension, std::numeric_limits<float>::lowest());
  std::vector<double> sum(dimension, 0.0);
  bool whole = vectors.metric() != Metric::cosine;
  for (const Slot slot : sample) {
    const float* const row = components_of(vectors, vectors.address(slot));
    const float scale = vectors.inverse_norm_of(vectors.address(slot));
    for (std::size_t i = 0; i < dimension; ++i) {
      const float x = row[i] * scale;
      low[i] = std::min(low[i], x);
      high[i] = std::max(high[i], x);
      sum[i] += static_cast<double>(x);
      whole = whole && std::nearbyint(x) == x;
    }
  }
  float widest = 0;
  for (std::size_t i = 0; i < dimension; ++i) widest = std::max(widest, high[i] - low[i]);
  made.usable_ = widest <= kWidest;  // not if it is infinite
  made.whole_ = whole && widest <= kTopCode;
  const float step = made.whole_ ? 1.0F : std::max(widest * (1 + 2 * kMargin) / kTopCode, 1e-30F);
  for (std::size_t i = 0; i < dimension; ++i) {
    // The range of a component lies in the middle of the 256 codes: what comes later may be smaller or larger.
    const float room = step * kTopCode - (high[i] - low[i]);
    float begin = low[i] - room / 2;
    if (made.whole_) begin = low[i] >= 0 && high[i] <= kTopCode ? 0.0F : std::floor(begin);  // bytes stay bytes
    made.add_component(begin, step, static_cast<float>(sum[i] / static_cast<double>(sample.size())));
  }
  made.mean_step_ = step;
  made.bytes_ = made.whole_ && std::all_of(made.low_.begin(), made.low_.end(), [](float begin) { return begin == 0; });
  for (const Slot slot : sample) {
    const float* const row = components_of(vectors, vectors.address(slot));
    const float scale = vectors.inverse_norm_of(vectors.address(slot));
    double norm = 0;
    for (std::size_t i = 0; i < dimension; ++i) {
      const double x = static_cast<double>(row[i] * scale - made.center_[i]);
      norm += x * x;
    }
    made.widest_norm_ = std::max(made.widest_norm_, static_cast<float>(std::sqrt(norm)));
  }
  return made;
}

void Quantizer::add_component(float begin, float step, float mean) {
  add_coded(begin, step, std::clamp(std::nearbyint((mean - begin) / step), 0.0F, top_));
}

void Quantizer::add_coded(float begin, float step, float zero) {
  low_.push_back(begin);
  step_.push_back(step);
  inverse_step_.push_back(1.0F / step);
  zero_.push_back(zero);
  center_.push_back(begin + step * zero);
}

void Quantizer::add_to(std::span<Moments> moments, const std::uint8_t* code) noexcept {
  for (std::size_t i = 0; i < moments.size(); ++i) {
    Moments& of = moments[i];
    const std::uint64_t x = code[i];
    ++of.count;
    of.sum += x;
    of.squares += x * x;
    of.low = std::min(of.low, code[i]);
    of.high = std::max(of.high, code[i]);
  }
}

Quantizer Quantizer::shortened(const Quantizer& fine, std::span<const Moments> moments) {
  Quantizer made;
  made.metric_ = fine.metric_;
  made.usable_ = fine.usable_;
  made.top_ = kTopShortCode;
  made.widest_norm_ = fine.widest_norm_;
  double squares = 0;
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const Moments& of = moments[i];
    const double count = static_cast<double>(of.count);
    const double mean = static_cast<double>(of.sum) / count;
    const double variance = std::max(static_cast<double>(of.squares) / count - mean * mean, 0.0);
    // In codes of `fine`. What lies farther out is cut; a component that is always the same has its one code.
    const double range = std::min<double>(of.high - of.low, static_cast<double>(kShortRange) * std::sqrt(variance));
    const double width = std::max(range / static_cast<double>(kTopShortCode), 1.0 / 256);
    const double begin = std::clamp(mean - range / 2, static_cast<double>(of.low), of.high - range);
    const auto step = static_cast<float>(width) * fine.step_[i];
    made.add_component(fine.low_[i] + fine.step_[i] * static_cast<float>(begin), step,
                       fine.low_[i] + fine.step_[i] * static_cast<float>(mean));
    squares += static_cast<double>(step) * static_cast<double>(step);
  }
  made.mean_step_ = static_cast<float>(std::sqrt(squares / static_cast<double>(moments.size())));
  return made;
}

void Quantizer::decode(const std::uint8_t* code, float* components) const noexcept {
  for (std::size_t i = 0; i < step_.size(); ++i) components[i] = low_[i] + step_[i] * static_cast<float>(code[i]);
}

Quantizer::Coded Quantizer::encode(const VectorTable& vectors, const void* from, std::uint8_t* code) const {
  return encode(components_of(vectors, from), vectors.inverse_norm_of(from), code);
}

Quantizer::Coded Quantizer::encode(const float* row, float scale, std::uint8_t* code) const noexcept {
  const std::size_t dimension = step_.size();
  const float top = top_;
  float norms[kLanes] = {};
  float beyond = 0;
  float rounding = 0;
  for_lanes(dimension, [&](std::size_t i, std::size_t lane) {
    const float exact = (row[i] * scale - low_[i]) * inverse_step_[i];
    const float inside = exact > 0 ? std::min(exact, top) : 0.0F;  // 0 for what is no number, of a damaged row
    const auto rounded = static_cast<std::int32_t>(inside + 0.5F);
    code[i] = static_cast<std::uint8_t>(rounded);
    const float difference = step_[i] * (static_cast<float>(rounded) - zero_[i]);
    norms[lane] += difference * difference;
    beyond = std::max(beyond, std::max(exact - inside, inside - exact));
    const float error = exact - static_cast<float>(rounded);
    rounding = std::max(rounding, std::max(error, -error));
  });
  Coded coded;
  coded.cut = beyond > kMargin * top;
  coded.lossless = whole_ && rounding == 0;
  for (const float part : norms) coded.norm += part;
  return coded;
}

CodeQuery Quantizer::prepare(const float* query, std::int8_t* weights, std::size_t room) const noexcept {
  const std::size_t dimension = step_.size();
  const bool product = metric_ == Metric::inner_product;
  const float scale = metric_ == Metric::cosine ? inverse_norm(query, dimension) : 1.0F;
  const simd::QueryKernels& kernels = simd::query_kernels();
  const simd::QueryGrid grid = {.query = query,
                                .center = center_.data(),
                                .step = step_.data(),
                                .inverse_step = inverse_step_.data(),
                                .zero = zero_.data(),
                                .dim = dimension,
                                .scale = scale,
                                .shift = product ? 0.0F : 1.0F};
  const float widest = kernels.widest(grid);
  const float t = widest > 0 ? widest / kLargestWeight : 1.0F;
  simd::QuerySums sums;
  kernels.round(grid, t, weights, sums);
  float zeros = 0;
  float norm = 0;
  float offset = 0;
  float error = 0;
  for (std::size_t lane = 0; lane < simd::kQueryLanes; ++lane) {
    zeros += sums.zeros[lane];  // of whole numbers: exact below 2^24
    norm += sums.norms[lane];   // |q~ - center|^2
    offset += sums.offsets[lane];
    error += sums.errors[lane];  // |q~ - q|^2
  }
  std::fill(weights + dimension, weights + room, std::int8_t{0});
  CodeQuery made;
  made.weights = weights;
  const float error_of_row = whole_ ? 0.0F : mean_step_;
  const float error_of_query = t / mean_step_;
  const float spread = std::sqrt((error_of_row * error_of_row + error_of_query * error_of_query) / 12.0F);
  if (product) {
    made.of_dot = -t;
    made.constant = t * zeros - offset;
    const float length = std::sqrt(norm);
    made.spread = std::sqrt((error_of_row * error_of_row * length * length +
                             error_of_query * error_of_query * widest_norm_ * widest_norm_) /
                            12.0F);
    return made;
  }
  const float half = metric_ == Metric::cosine ? 0.5F : 1.0F;
  made.of_norm = half;
  made.of_dot = -2 * t * half;
  made.constant = half * (norm + 2 * t * zeros);
  made.spread = spread;
  made.excess = error + static_cast<float>(dimension) * error_of_row * error_of_row / 12.0F;
  return made;
}

float Quantizer::lower_bound(const CodeQuery& query, float approximate, float deviations) const noexcept {
  const float bound = deviations * query.spread;
  if (metric_ == Metric::inner_product) return approximate - bound;
  const float half = metric_ == Metric::cosine ? 0.5F : 1.0F;
  // The errors across the direction of x - q only ever add.
  const float square = approximate / half - query.excess;
  const float distance = std::sqrt(std::max(square, 0.0F)) - bound;
  return distance > 0 ? half * distance * distance : 0.0F;
}

}  // namespace holdfast::index
