// Every kernel of this machine behind one form, so that the micro-benchmarks need one loop: a query that is fixed, and
// rows at the addresses that they are given.
//
// A new table is added in kernel_list.cc, and nowhere else.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace holdfast::bench {

/// Scores rows at any addresses, in order.
using ScoreRows = std::function<void(std::span<const std::byte* const> rows)>;

/// One kind of distance in one dimension.
struct KernelCase {
  std::string kind;       ///< e.g. "f32 l2, four"
  std::size_t dim;        ///< components
  std::size_t row_bytes;  ///< what a distance reads
  std::size_t stride;     ///< from row to row
  struct Table {
    std::string name;  ///< instruction set
    ScoreRows score;
  };
  std::vector<Table> tables;  ///< scalar first
};

/// All kinds in all of `dims`.
[[nodiscard]] std::vector<KernelCase> kernel_cases(std::span<const std::size_t> dims);
/// The machine's limit: reads as many bytes of each row in the widest registers there are, and computes next to
/// nothing.
[[nodiscard]] ScoreRows plain_read(std::size_t row_bytes);
/// Bytes behind the last row that kernels and plain_read may touch.
inline constexpr std::size_t kReadSlack = 64;

}  // namespace holdfast::bench
