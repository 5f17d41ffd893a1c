// The graph mutator: moves the growing tier into the graph, takes dead nodes out of it (vacuum.h) and keeps every node
// within reach (docs/flow/write.md, "Indexing"). Each step makes a new epoch of the graph and publishes it.
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// One step of what is most urgent: a batch of the growing tier, a piece of a vacuum, or the search for nodes that
/// cannot be reached. Returns whether there was anything to do. resource_exhausted: nothing changed, try again later.
/// Any thread; one at a time (graph_mutex).
[[nodiscard]] Result<bool> index_step(CollectionState& state);

/// Returns once the graph holds every point that was committed before the call, and every node can be reached: by
/// working itself if nobody does so in the background, else by waiting.
Status wait_until_indexed(CollectionState& state);

/// Collection::calibrate().
Status calibrate(CollectionState& state, Preset preset);

/// Takes every node that is dead at the time of the call out of the graph.
Status vacuum(CollectionState& state);

// --- parts, shared by the steps ---

/// Threads for the graph mutator's work.
[[nodiscard]] unsigned worker_count(const CollectionState& state);
/// Publishes state.mutator.pending. bad_alloc: it stays pending.
void publish_pending(CollectionState& state) HF_REQUIRES(state.graph_mutex);

}  // namespace holdfast::engine
