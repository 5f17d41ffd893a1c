// Numbers that must not be mixed up.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "holdfast/types.h"

namespace holdfast {

/// Row in which one version of a point lives.
using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = std::numeric_limits<Slot>::max();

/// Counts publications of the graph; 0 is the empty graph.
using GraphEpoch = std::uint64_t;

/// `died` of a row that lives.
inline constexpr Lsn kNeverDied = std::numeric_limits<Lsn>::max();

/// Rows per chunk: the unit of memory, of dirtiness and of extents.
inline constexpr std::uint32_t kChunkBits = 14;
inline constexpr std::uint32_t kChunkSlots = 1u << kChunkBits;

/// Rows that a collection can hold, dead ones included: 2^31 (searches pack a slot and one more bit into 32).
inline constexpr std::uint32_t kMaxChunks = 1u << (31 - kChunkBits);
inline constexpr Slot kMaxSlots = kMaxChunks << kChunkBits;

/// Identity of a store or a collection, drawn at creation.
using Uuid = std::array<std::uint8_t, 16>;

}  // namespace holdfast
