// Distance kernels: one table of functions per instruction set, chosen once.
//
// Invariants
//  K1. For one table, the distance of a pair is the same bit for bit whichever entry computed it: `l2` and each of the
//      four lanes of `l2_x4` use the same order of additions. Search results therefore do not depend on how candidates
//      were grouped.
//  K2. No alignment and no multiple of anything is required of `dim`; nothing past `dim` components is read.
//  K3. Inputs are finite (validated at the API). Sums may overflow to +inf.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "holdfast/status.h"

namespace holdfast::simd {

struct Kernels {
  const char* name;  ///< "scalar", "avx2", "avx512", "neon"

  /// sum (a_i - b_i)^2
  float (*l2)(const float* a, const float* b, std::size_t dim) noexcept;
  /// sum a_i b_i
  float (*dot)(const float* a, const float* b, std::size_t dim) noexcept;
  /// Four vectors against one query: out[j] = l2(query, vectors[j]). Shares the loads of the query.
  void (*l2_x4)(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept;
  void (*dot_x4)(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept;
};

/// The table that this process uses: the best one that the machine supports, or the one named by the environment
/// variable HOLDFAST_KERNELS. Decided at the first call. If the variable names an unknown or unsupported table the
/// best one is used and `kernels_error()` says so (Database::open reports it).
[[nodiscard]] const Kernels& kernels() noexcept;
[[nodiscard]] Status kernels_error();

/// Every table that this machine can run, scalar first. For tests and benchmarks.
[[nodiscard]] std::span<const Kernels* const> available_kernels() noexcept;

}  // namespace holdfast::simd
