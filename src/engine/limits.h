// What snapshots may cost: OpenOptions::snapshot_age_max and snapshot_bytes_max.
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Expires the snapshots that are too old, and, while old versions take more memory than allowed, the oldest ones.
/// Cheap when nothing is due. Any thread, beside reads and writes.
void enforce_limits(CollectionState& state) noexcept;

/// Milliseconds since the capture of the oldest living snapshot; 0 if there is none.
[[nodiscard]] std::uint64_t age_ms(const CollectionState& state, const SnapshotMeters& meters);

}  // namespace holdfast::engine
