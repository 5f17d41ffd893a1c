// The beam of a graph search: the best candidates so far as one ascending array of keys, and the kernel that offers it
// all neighbors of a node at once. Half of the time of a search by compact codes went into this bookkeeping.
//
// A key is 64 bits, so that comparing and moving are single instructions:
//   bits 63..32  distance, its bits arranged so that unsigned order is numeric order; -0 counts as 0
//   bits 31..1   slot, exclusive-or `flip`
//   bit 0        the owner's own mark (clear in what is offered)
//
// Invariants
//  B1. Every table leaves the same beam and the same list of what entered.
//  B2. Nothing beyond keys[capacity + kBeamRoom) is read or written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace holdfast::simd {

/// Keys behind the capacity that kernels may touch.
inline constexpr std::size_t kBeamRoom = 8;

struct Beam {
  std::uint64_t* keys = nullptr;  ///< ascending
  std::size_t capacity = 0;       ///< at least 1
  std::size_t size = 0;
  std::size_t cursor = 0;  ///< becomes the place of a key that is put before it
};

struct BeamKernels {
  const char* name;  ///< "scalar", "avx512"

  /// Puts in, one after the other, what is below the largest key of a full beam (which then goes), or anything while
  /// there is room. The slots that were put in are written to `entered`, which has room for `count`; returns how many.
  std::size_t (*offer)(Beam& beam, const float* distances, const std::uint32_t* slots, std::size_t count,
                       std::uint32_t flip, std::uint32_t* entered) noexcept;
};

/// The table that this process uses; chosen as simd::kernels().
[[nodiscard]] const BeamKernels& beam_kernels() noexcept;
/// Every table that this machine can run, scalar first.
[[nodiscard]] std::span<const BeamKernels* const> available_beam_kernels() noexcept;

namespace scalar {
extern const BeamKernels kBeamTable;
}
#if defined(__x86_64__)
namespace avx512 {
extern const BeamKernels kBeamTable;
}
#endif

}  // namespace holdfast::simd
