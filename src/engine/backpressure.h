// Slowing writers down when the graph falls behind (docs/flow/write.md, "Backpressure").
#pragma once

#include <cstdint>

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Points that may wait for the graph without anybody being slowed down.
[[nodiscard]] std::uint64_t growing_allowance(const CollectionState& state);

/// Before a batch that adds `rows` to the growing tier is queued: waits as long as the growing tier asks for. Never
/// fails; a second at most.
void hold_back(CollectionState& state, std::uint64_t rows);

}  // namespace holdfast::engine
