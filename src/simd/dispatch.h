// How the kernel tables of the process are chosen, apart from where the wish comes from. For dispatch.cc and its test.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "simd/beam_kernels.h"
#include "simd/code_kernels.h"
#include "simd/kernels.h"
#include "simd/query_kernels.h"
#include "simd/typed_kernels.h"

namespace holdfast::simd {

/// The names that HOLDFAST_KERNELS takes (beside "auto") and that tables have: of one architecture from worst to best.
/// No family of kernels has a table for every one of them.
inline constexpr std::string_view kTiers[] = {"scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon", "neondot"};

enum class ForcedName {
  honoured,     ///< no name, "auto", or one that this machine has tables for
  unsupported,  ///< a name that exists, but not on this machine
  unknown,      ///< no such name
};

struct Choice {
  std::string_view tier;  ///< each family uses its best table up to this one
  ForcedName forced;
};

/// The place of a name in kTiers; past its end if it is none.
[[nodiscard]] std::size_t rank_of(std::string_view name) noexcept;

/// `forced`: the value of HOLDFAST_KERNELS, empty if unset. `available`: not empty, in the order of kTiers.
/// ENSURES: tier is one of `available`; it is the best one unless `forced` names another and is honoured.
[[nodiscard]] Choice choose_tier(std::string_view forced, std::span<const std::string_view> available) noexcept;

/// Every tier that some family of kernels has a table for on this machine, in the order of kTiers.
[[nodiscard]] std::span<const std::string_view> available_tiers() noexcept;

/// The best of `available`, which is in the order of kTiers and begins with "scalar", up to `tier`.
template <class Table>
[[nodiscard]] const Table& best_up_to(std::string_view tier, std::span<const Table* const> available) noexcept {
  const Table* best = available.front();
  for (const Table* table : available) {
    if (rank_of(table->name) <= rank_of(tier)) best = table;
  }
  return *best;
}

}  // namespace holdfast::simd
