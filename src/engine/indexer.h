// Drains the growing tier into the graph (docs/flow/write.md, "Indexing").
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Moves one batch of the growing tier into the graph and publishes it. Returns whether there was anything to do.
/// resource_exhausted: nothing changed, try again later. Any thread; one at a time (graph_mutex).
[[nodiscard]] Result<bool> index_step(CollectionState& state);

/// Returns once the graph holds every point that was committed before the call: by working itself if nobody does so in
/// the background, else by waiting.
Status wait_until_indexed(CollectionState& state);

}  // namespace holdfast::engine
