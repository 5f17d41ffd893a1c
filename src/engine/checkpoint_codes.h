// Which codes an image has, and whether an extent of them still has enough (docs/adr/0024-codes-in-extents.md).
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// What the image of `view` says of its codes: those of the table that the view names. If it names none (they have not
/// been loaded yet), those of the last image stay, unless their quantizer is known to be damaged.
[[nodiscard]] CodesRecord codes_of_image(const CollectionState& state, const View& view, const CheckpointState& last);

/// Whether too many nodes in [begin, end) of a chunk, which changed, have no code in `extent` that holds: from three to
/// five sixteenths of them, more in some chunks than in others, so that chunks that change alike do not come due at
/// the same checkpoint. Reads its first page; also if that is damaged.
[[nodiscard]] bool lacks_codes(CollectionState& state, const View& view, const storage::ExtentInfo& extent,
                               std::uint64_t training, Slot begin, Slot end);

}  // namespace holdfast::engine
