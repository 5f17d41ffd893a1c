// Short codes of the graph's nodes (index/short_codes.h), by which Preset::fast walks: when they are made, and how
// views come by them.
//
// The first search with that preset asks for them; the graph mutator then makes them from the codes of 8 bits, a chunk
// at a time, as coding.h makes those from vectors. New codes of 8 bits make them obsolete, and they are made again;
// also when many nodes have come that lie beyond their range. Until a view names some, Preset::fast walks by 8 bits.
//
// Invariants
//  S1. Every node of a view's graph has its code in the table that the view names, and in that of 8 bits which it was
//      made from, which the view names, too.
//  S2. A collection has none where they are of no use (ShortCodes::learn), until its codes of 8 bits are made anew. One
//      for whose short codes there is no memory does without until it is opened again. Nothing of it is on disk.
// Threading: the graph mutator, but want_short_codes().
#pragma once

#include <memory>
#include <span>

#include "engine/collection_state.h"
#include "engine/view.h"
#include "index/graph.h"
#include "index/short_codes.h"

namespace holdfast::engine {

/// From now on the collection has short codes, if they are of use. Any thread.
void want_short_codes(const CollectionState& state) noexcept;

/// Whether short_codes_piece() has something to do.
[[nodiscard]] bool wants_short_codes(const CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex);
/// Begins, or encodes the next chunk; with the last one `made` names the new table. True if it does.
bool short_codes_piece(CollectionState& state, const View& view, PendingGraph& made) HF_REQUIRES(state.graph_mutex);

/// Before new nodes are published, whose codes of 8 bits are there. resource_exhausted: they must not be.
Status shorten_nodes(CollectionState& state, std::span<const index::NewNode> nodes) HF_REQUIRES(state.graph_mutex);

/// Before a view of `epoch` is published that names another table, or none. Throws bad_alloc.
void retire_short_codes(CollectionState& state, GraphEpoch epoch) HF_REQUIRES(state.graph_mutex);
/// After a view was published that names `made` (null: none, because the codes of 8 bits are new).
void short_codes_were_published(CollectionState& state, std::shared_ptr<index::ShortCodes> made) noexcept
    HF_REQUIRES(state.graph_mutex);

}  // namespace holdfast::engine
