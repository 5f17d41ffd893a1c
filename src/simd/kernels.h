// Distance kernels: one table of functions per instruction set, chosen once.
//
// Invariants
//  K1. For one table, the distance of a pair is the same bit for bit whichever entry computed it: `l2` and each of the
//      four lanes of `l2_x4` use the same order of additions. Search results therefore do not depend on how candidates
//      were grouped.
//  K2. No alignment and no multiple of anything is required of `dim`; nothing past `dim` components is read.
//      Speed does ask for something: a query that begins on a 64-byte boundary, and vectors that do, too (300
//      dimensions from L2, AVX-512: 15 ns packed, 10 ns padded to 304). See bench/kernels_bench.cc.
//  K3. Inputs are finite (validated at the API). Sums may overflow to +inf.
#pragma once

#include <span>

#include "holdfast/status.h"
#include "simd/kernel_table.h"

namespace holdfast::simd {

/// The table that this process uses: the best one that the machine supports, up to the instruction set named by the
/// environment variable HOLDFAST_KERNELS ("scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot",
/// "auto"). Decided at the first call, for every family of kernels. If the variable names one that is unknown or
/// unsupported the best tables are used and `kernels_error()` says so (Database::open reports it).
[[nodiscard]] const Kernels& kernels() noexcept;
[[nodiscard]] Status kernels_error();

/// Every table that this machine can run, scalar first. For tests and benchmarks.
[[nodiscard]] std::span<const Kernels* const> available_kernels() noexcept;

}  // namespace holdfast::simd
