// Reads of one view: search, get, iteration (docs/flow/search.md).
#pragma once

#include <span>
#include <vector>

#include "engine/collection_state.h"

namespace holdfast::engine {

[[nodiscard]] Result<Hits> search(const CollectionState& state, const View& view, std::span<const float> query,
                                  const SearchOptions& options);
[[nodiscard]] Result<Point> get(const CollectionState& state, const View& view, PointId id);
/// See Snapshot::ids.
[[nodiscard]] std::vector<PointId> list_ids(const CollectionState& state, const View& view, std::uint64_t after,
                                            std::size_t limit, std::uint64_t* next);

}  // namespace holdfast::engine
