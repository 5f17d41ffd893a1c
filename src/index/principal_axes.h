// The directions in which vectors differ most: principal components of a sample, for codes of a few numbers instead of
// all components (short_codes.h).
//
// The leading eigenvectors of the sample's covariance, by orthogonal iteration (Golub, Van Loan: "Matrix Computations",
// section 8.2.4): products with the covariance and orthonormalisation in turns. A dozen of turns do: the axes need not
// be exact, they must be orthonormal and lie in the space in which the variance is, the wider ones first.
//
// Invariant A1. The axes are orthonormal, so projecting never lengthens a difference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace holdfast::index {

class PrincipalAxes {
 public:
  PrincipalAxes() = default;
  /// `count` axes of the rows, `dimension` floats each. REQUIRES at least one row, 1 <= count <= dimension. Throws
  /// bad_alloc.
  [[nodiscard]] static PrincipalAxes learn(std::span<const float> rows, std::size_t dimension, std::size_t count);

  struct Projected {
    float inside = 0;   ///< square of the part along the axes
    float outside = 0;  ///< square of the rest
  };
  /// The coordinates of x on the axes, from the mean. REQUIRES room in `out` for count() rounded up to a multiple of
  /// four. Fast if x begins on a cache line.
  Projected project(const float* x, float* out) const noexcept;

  [[nodiscard]] std::size_t dimension() const noexcept { return dimension_; }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  /// How much of the sample's variance lies along the axes, 0 to 1.
  [[nodiscard]] float share_of_variance() const noexcept { return share_; }
  /// The largest coordinate in the sample, without its sign.
  [[nodiscard]] float widest() const noexcept { return widest_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return memory_.size() * sizeof(float); }

 private:
  /// Sets share_ and widest_.
  void survey(std::span<const float> rows);
  [[nodiscard]] const float* axis(std::size_t i) const noexcept { return axes() + i * stride_; }
  [[nodiscard]] const float* axes() const noexcept { return memory_.data() + begin_; }

  std::size_t dimension_ = 0;
  std::size_t stride_ = 0;  ///< floats from axis to axis: whole cache lines
  std::size_t count_ = 0;
  float share_ = 0;
  float widest_ = 0;
  std::size_t begin_ = 0;      ///< of the first axis in memory_, on a cache line
  std::vector<float> memory_;  ///< the axes, zeros up to a multiple of four of them
  std::vector<float> mean_;
  std::vector<float> offsets_;  ///< axis . mean, for each
};

}  // namespace holdfast::index
