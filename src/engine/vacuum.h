// Taking dead nodes out of the graph, a piece at a time (docs/flow/write.md, "Vacuum").
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Whether a vacuum is under way or enough nodes are dead to begin one.
[[nodiscard]] bool wants_vacuum(const CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex);

/// Begins a vacuum of all nodes that are dead in `view`, unless one is under way.
[[nodiscard]] Status begin_vacuum(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex);

/// The next piece of the vacuum under way, as a pending graph. REQUIRES state.mutator.vacuum and nothing pending.
Status vacuum_piece(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex);

}  // namespace holdfast::engine
