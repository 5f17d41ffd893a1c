// Writing the extents of one checkpoint image: what changed since the last one, and no more.
//
// Invariants
//  I1. An extent is named again iff nothing in its range changed between the last image and this view. If few rows did,
//      it is named again beside a patch that has those rows (patch_plan.h, docs/adr/0015-patches.md).
//  I2. Ids, stamps, vectors, payloads and values of a chunk, whether whole or patches, are written one after the other:
//      their numbers tell `holdfast repair` what belongs together (repair_manifest.cc).
//  I3. Every row that is written was checked; what is known to be damaged is written anew or not at all (checkpoint.cc,
//      K4).
//  I4. What was read on the way counts only if nothing of it was damaged (checkpoint.cc, K5).
//  I5. Codes are of the table that the view names (coding.h, Q1). An extent of codes is named again however its chunk
//      changed, as long as it has enough of them: which of its codes hold is known from its lsn and the rows' births.
#pragma once

#include "engine/collection_state.h"
#include "storage/manifest.h"

namespace holdfast::engine {

/// Rows from here on are no nodes, neither now nor in the last image: lists of an image never get fewer.
[[nodiscard]] Slot find_graph_end(const CollectionState& state, const View& view, const storage::Manifest& last);

/// What the state of an image says of its extents.
struct ImageParts {
  std::vector<Lsn> floors;  ///< of the runs of ids
  CodesRecord codes;
};

/// Fills manifest.extents and `parts`. REQUIRES generation, lsn and next_extent of `manifest`. Throws bad_alloc.
Status write_image(CollectionState& state, const View& view, Slot graph_end, const CheckpointState& last,
                   storage::Manifest& manifest, ImageParts& parts);

}  // namespace holdfast::engine
