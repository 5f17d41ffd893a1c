#include "index/short_codes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "index/aligned_room.h"
#include "simd/kernels.h"

namespace holdfast::index {
namespace {

/// Two cache lines of codes with their norm.
constexpr std::size_t kAxes = 124;
/// With fewer components, codes of 8 bits are hardly longer than three times as many lines, and projecting a query
/// costs more than that (docs/adr/0020-principal-components.md).
constexpr std::uint32_t kManyComponents = 384;
/// Of the variance, for axes to stand for a vector.
constexpr float kEnough = 0.8F;
/// Vectors to learn axes from.
constexpr std::size_t kSample = 4'096;
constexpr std::size_t kSampleMin = 4 * kAxes;  // of fewer, axes would fit the sample and not what comes
/// Up to here half of a code of 8 bits is a cache line or two: measured, nothing is gained
/// (docs/adr/0019-short-codes.md).
constexpr std::uint32_t kFewComponents = 128;

constexpr float kLargestCode = 127.0F;
constexpr float kMiddle = 128.0F;
/// Coordinates may be so many times the widest of the sample; what is beyond is cut.
constexpr float kReach = 1.1F;

constexpr std::size_t blocks_of(std::size_t dimension) noexcept {
  return (dimension + simd::kNibbleBlock - 1) / simd::kNibbleBlock;
}

/// To the nearest whole number, to the even one of two; |x| < 2^22.
float rounded(float x) noexcept {
  constexpr float kShift = 12582912.0F;  // 1.5 * 2^23
  return (x + kShift) - kShift;
}

PrincipalAxes axes_of(const CodeTable& codes, std::span<const Slot> sample) {
  const std::size_t dimension = codes.quantizer().dimension();
  const std::size_t count = std::min(sample.size(), kSample);
  std::vector<float> rows(count * dimension);
  for (std::size_t i = 0; i < count; ++i) {
    codes.quantizer().decode(codes.row(sample[i * sample.size() / count]), &rows[i * dimension]);
  }
  return PrincipalAxes::learn(rows, dimension, std::min(kAxes, dimension));
}

}  // namespace

std::unique_ptr<ShortCodes> ShortCodes::learn(const CodeTable& codes, std::span<const Slot> sample) {
  const Quantizer& fine = codes.quantizer();
  if (codes.exact()) return nullptr;
  if (fine.dimension() >= kManyComponents && fine.metric() != Metric::inner_product && sample.size() >= kSampleMin) {
    PrincipalAxes axes = axes_of(codes, sample);
    if (axes.share_of_variance() >= kEnough) {
      return std::unique_ptr<ShortCodes>(new ShortCodes(codes, std::move(axes)));
    }
  }
  if (fine.dimension() <= kFewComponents) return nullptr;
  return make(Kind::nibbles, codes, sample);
}

std::unique_ptr<ShortCodes> ShortCodes::make(Kind kind, const CodeTable& codes, std::span<const Slot> sample) {
  return std::unique_ptr<ShortCodes>(kind == Kind::principal ? new ShortCodes(codes, axes_of(codes, sample))
                                                             : new ShortCodes(codes, sample));
}

ShortCodes::ShortCodes(const CodeTable& codes, PrincipalAxes axes)
    : kind_(Kind::principal),
      metric_(codes.quantizer().metric()),
      axes_(std::move(axes)),
      step_(std::max(axes_.widest() * kReach / kLargestCode, 1e-30F)),
      components_((axes_.count() + sizeof(float) + 63) / 64 * 64),
      rows_(components_ - sizeof(float)) {}

ShortCodes::ShortCodes(const CodeTable& codes, std::span<const Slot> sample)
    : kind_(Kind::nibbles),
      metric_(codes.quantizer().metric()),
      quantizer_(Quantizer::shorten(codes.quantizer(), sample, [&](Slot slot) { return codes.row(slot); })),
      components_(blocks_of(quantizer_->dimension()) * simd::kNibbleBlock),
      rows_(blocks_of(quantizer_->dimension()) * simd::kNibbleBlockBytes) {}

void ShortCodes::assign(const CodeTable& codes, Slot slot) {
  thread_local std::vector<float> room;
  float* const vector = aligned_room(codes.quantizer().dimension(), room);
  codes.quantizer().decode(codes.row(slot), vector);
  if (kind_ == Kind::principal) {
    assign_principal(vector, slot);
  } else {
    assign_nibbles(vector, slot);
  }
}

void ShortCodes::assign_principal(const float* vector, Slot slot) {
  thread_local std::vector<float> room;
  float* const coordinates = aligned_room(components_, room);
  float rest = axes_.project(vector, coordinates).outside;
  std::uint8_t* const out = rows_.codes(slot);
  const float inverse_step = 1 / step_;
  float norm = 0;
  bool cut = false;
  for (std::size_t i = 0; i < axes_.count(); ++i) {
    const float exact = coordinates[i] * inverse_step;
    const float inside = exact > -kLargestCode ? std::min(exact, kLargestCode) : -kLargestCode;
    const float code = rounded(inside);
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(code + kMiddle));
    norm += code * code;
    const float lost = (exact - inside) * step_;  // belongs to what the codes leave out
    rest += lost * lost;
    cut = cut || lost != 0;
  }
  rows_.set_norm(slot, norm * step_ * step_ + rest);
  if (cut) cut_rows_.fetch_add(1, std::memory_order_relaxed);
}

void ShortCodes::assign_nibbles(const float* vector, Slot slot) {
  thread_local std::vector<std::uint8_t> digits;
  digits.assign(components_, 0);
  const Quantizer::Coded coded = quantizer_->encode(vector, 1.0F, digits.data());
  std::uint8_t* out = rows_.codes(slot);
  constexpr std::size_t kHalf = simd::kNibbleBlockBytes;
  for (std::size_t block = 0; block < components_; block += simd::kNibbleBlock, out += kHalf) {
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[i] = static_cast<std::uint8_t>(digits[block + i] | digits[block + kHalf + i] << 4);
    }
  }
  rows_.set_norm(slot, coded.norm);
}

CodeQuery ShortCodes::prepare(const float* query, QueryRoom& room) const {
  if (kind_ == Kind::principal) return prepare_principal(query, room);
  return quantizer_->prepare(query, aligned_room(components_, room.weights), components_);
}

CodeQuery ShortCodes::prepare_principal(const float* query, QueryRoom& room) const {
  const std::size_t count = axes_.count();
  if (metric_ == Metric::cosine) {
    const std::size_t dimension = axes_.dimension();
    const float square = simd::kernels().dot(query, query, dimension);
    const float inverse_norm = square > 0 ? 1 / std::sqrt(square) : 0.0F;
    float* const unit = aligned_room(dimension, room.unit);
    for (std::size_t i = 0; i < dimension; ++i) unit[i] = query[i] * inverse_norm;
    query = unit;
  }
  float* const coordinates = aligned_room(components_, room.coordinates);
  std::int8_t* const weights = aligned_room(components_, room.weights);
  const float outside = axes_.project(query, coordinates).outside;
  float widest = 0;
  for (std::size_t i = 0; i < count; ++i) widest = std::max(widest, std::abs(coordinates[i]));
  const float t = widest > 0 ? widest / kLargestCode : 1.0F;  // q~[i] = t * weight[i], x~[i] = step * (code[i] - 128)
  const float inverse_t = 1 / t;
  float norm = 0;
  float sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float weight = std::clamp(rounded(coordinates[i] * inverse_t), -kLargestCode, kLargestCode);
    weights[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(weight));
    norm += weight * weight;
    sum += weight;
  }
  std::fill(weights + count, weights + components_, std::int8_t{0});
  const float half = metric_ == Metric::cosine ? 0.5F : 1.0F;
  CodeQuery made;
  made.weights = weights;
  made.of_norm = half;
  made.of_dot = -2 * t * step_ * half;
  made.constant = half * (norm * t * t + outside + 2 * t * step_ * kMiddle * sum);
  return made;
}

}  // namespace holdfast::index
