// Codes of an image back into memory, a chunk at a time, instead of training and encoding (coding.h).
//
// Invariants
//  L1. A code of the image counts if its row held a node when it was written and no row was born there since: row and
//      birth together say which vector it is. Every other node is encoded from its vector.
//  L2. No byte of it is used before its page was checked. Damage is noted (DamageLog), and costs encoding: of the rows
//      of that page, of the chunk if it is the head, of everything, training included, if it is the quantizer.
// Threading: the graph mutator.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Makes a table with the quantizer of the image. False: it cannot be read; the image's codes are given up. Throws
/// bad_alloc.
bool begin_loading(CollectionState& state) HF_REQUIRES(state.graph_mutex);

/// Fills the rows [first, end) of one chunk in `coding.making`, which has room for them. False: there is no memory.
bool load_codes(CollectionState& state, const View& view, Slot first, Slot end) HF_REQUIRES(state.graph_mutex);

/// What of the image's codes is not as encoding the rows gives it: extents with what is wrong with them, one finding
/// each. Damaged pages are no findings. Reads everything. For verify. Throws bad_alloc.
[[nodiscard]] std::vector<std::pair<storage::ExtentInfo, std::string>> check_image_codes(CollectionState& state,
                                                                                         const View& view)
    HF_EXCLUDES(state.graph_mutex);

}  // namespace holdfast::engine
