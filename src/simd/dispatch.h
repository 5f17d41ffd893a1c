// How a kernel table is chosen, apart from where the wish comes from. For dispatch.cc and its test.
#pragma once

#include <span>
#include <string_view>

#include "simd/kernels.h"

namespace holdfast::simd {

enum class ForcedName {
  honoured,     ///< no name, "auto", or a table that this machine runs
  unsupported,  ///< a table that exists, but not on this machine
  unknown,      ///< no such table
};

struct Choice {
  const Kernels* table;
  ForcedName forced;
};

/// `forced`: the value of HOLDFAST_KERNELS, empty if unset. `available`: not empty, ordered from worst to best.
/// ENSURES: table is not null; it is the best one unless `forced` names another and is honoured.
[[nodiscard]] Choice choose_kernels(std::string_view forced, std::span<const Kernels* const> available) noexcept;

}  // namespace holdfast::simd
