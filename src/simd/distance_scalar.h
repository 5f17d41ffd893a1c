// Distances of a float32 query to a row of any element type, in plain C++: the reference of the other tables, and what
// machines use that have none of them. For the files that fill the scalar tables.
//
// A row's sum is kept in eight partial sums, component i in partial sum i mod 8, which are added as a tree at the end.
// The order is written out, so the compiler may keep the eight in registers of four (SSE2, NEON) but not reorder them;
// nothing is fused (-ffp-contract=off). The single entry and `_x4` are the same template (K1).
//
// An `Element` has `static float at(const unsigned char* row, std::size_t i)`. All here is local to the file that
// includes it (kernel_table.h says why).
#pragma once

#include <cstddef>
#include <cstring>

#ifdef __FAST_MATH__
#error "Kernels need IEEE arithmetic: -ffast-math breaks invariant K1"
#endif

namespace holdfast::simd::scalar {
namespace {

constexpr std::size_t kPartials = 8;

struct L2 {
  static float term(float a, float b) noexcept { return (a - b) * (a - b); }
};
struct Dot {
  static float term(float a, float b) noexcept { return a * b; }
};

/// The element at a place of any alignment.
template <class Stored>
Stored stored_at(const unsigned char* row, std::size_t i) noexcept {
  Stored stored;
  std::memcpy(&stored, row + i * sizeof(Stored), sizeof(Stored));
  return stored;
}

struct F32 {
  static float at(const unsigned char* row, std::size_t i) noexcept { return stored_at<float>(row, i); }
};

template <class Element, class Op>
float distance(const float* query, const void* row, std::size_t dim) noexcept {
  const auto* const x = static_cast<const unsigned char*>(row);
  float sums[kPartials] = {};
  std::size_t i = 0;
  for (; i + kPartials <= dim; i += kPartials) {
    for (std::size_t p = 0; p < kPartials; ++p) sums[p] += Op::term(query[i + p], Element::at(x, i + p));
  }
  for (std::size_t p = 0; i + p < dim; ++p) sums[p] += Op::term(query[i + p], Element::at(x, i + p));
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/// Sharing the query's loads gains nothing without registers to keep them in. T: void, or the type of the elements.
template <class Element, class Op, class T>
void distance_x4(const float* query, const T* const rows[4], std::size_t dim, float out[4]) noexcept {
  for (std::size_t j = 0; j < 4; ++j) out[j] = distance<Element, Op>(query, rows[j], dim);
}

}  // namespace
}  // namespace holdfast::simd::scalar
