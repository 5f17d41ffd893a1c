// Compact codes of the graph's nodes (index/code_table.h): when they are made, and how views come by them.
//
// Once there are some thousand nodes, the graph mutator trains a quantizer on a sample of them and encodes all, a chunk
// at a time; nodes that come meanwhile are put in as they come. After open both come from the image, if it has them
// (code_loading.h). Only when every node has its code a view names the
// table, from then on all views do, and every batch of the indexer encodes its nodes before it is published. It is done
// again when the collection has outgrown the sample, or when many vectors lie beyond its ranges; the table before is
// freed when no view names it any more.
//
// Invariants
//  Q1. Every node of a view's graph has its code in the table that the view names.
//  Q2. A view that names no table is searched by rows. Nothing depends on codes but time: distances are exact.
//  Q3. A collection in which rows are damaged, whose vectors are too long for squares in float32, or for whose codes
//      there is no memory, does without them until it is opened again. What of an image's codes is damaged is made
//      anew.
//  Q4. Trainings are numbered in the order in which they begin, from the image's on: a checkpoint names an extent of
//      codes again only beside those of the same number. Numbers of an image that was given up may come again; its
//      extents never do, since a checkpoint goes by the image that was loaded.
// Threading: the graph mutator.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/ids.h"
#include "engine/collection_state.h"
#include "engine/view.h"
#include "holdfast/status.h"
#include "index/code_table.h"
#include "index/graph.h"

namespace holdfast::engine {

/// Nodes to train on, spread evenly over all.
[[nodiscard]] std::vector<Slot> sample_of_nodes(const CollectionState& state, const View& view);

/// Whether codes_piece() has something to do.
[[nodiscard]] bool wants_codes(const CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex);

/// Trains, or encodes or loads the next chunk; with the last one `made` names the new table. True if it does.
bool codes_piece(CollectionState& state, const View& view, PendingGraph& made) HF_REQUIRES(state.graph_mutex);

/// Before new nodes are published. resource_exhausted: they must not be.
Status encode_nodes(CollectionState& state, std::span<const index::NewNode> nodes) HF_REQUIRES(state.graph_mutex);

/// Before a view of `epoch` is published that names another table: the one of now is freed when nobody names it any
/// more. Throws bad_alloc.
void retire_codes(CollectionState& state, GraphEpoch epoch) HF_REQUIRES(state.graph_mutex);

/// After a view was published that names `codes`.
void codes_were_published(CollectionState& state, std::shared_ptr<index::CodeTable> codes) noexcept
    HF_REQUIRES(state.graph_mutex);

}  // namespace holdfast::engine
