// Meters of a collection.
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

[[nodiscard]] CollectionStats collect_stats(const CollectionState& state);

}  // namespace holdfast::engine
