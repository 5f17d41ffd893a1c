// Integer kernels over compact codes: one query against many rows at random addresses, as a graph search scores the
// fresh neighbors of a node.
//
// Invariants
//  C1. Every table computes the same number, exactly: nothing saturates, nothing wraps. The bounds in
//      code_kernel_table.h make that so for every content of rows and query.
//  C2. No alignment is required, `count` may be anything; nothing past a row, the query or the planes is read, nothing
//      past `count` results is written. Rows may be the same, or overlap.
//      Speed does ask for something: rows and query that begin on a 64-byte boundary, dimensions and words that fill
//      whole cache lines.
//  C3. Rows are read in the order given, up to eight at a time, and none is prefetched here: the processor itself runs
//      several groups ahead, and prefetching what already lies in the second-level cache costs time. Who knows the rows
//      earlier than the call prefetches them then.
#pragma once

#include <span>

#include "simd/code_kernel_table.h"

namespace holdfast::simd {

/// The table that this process uses. Chosen as, and together with, simd::kernels(): HOLDFAST_KERNELS names the best
/// instruction set that either may use.
[[nodiscard]] const CodeKernels& code_kernels() noexcept;

/// Every table that this machine can run, scalar first, each complete. For tests and benchmarks.
[[nodiscard]] std::span<const CodeKernels* const> available_code_kernels() noexcept;

}  // namespace holdfast::simd
