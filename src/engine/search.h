// Reads of one view: search, range search, get, iteration (docs/flow/search.md). The caller holds the view.
#pragma once

#include <span>
#include <vector>

#include "engine/collection_state.h"
#include "index/search.h"

namespace holdfast::engine {

[[nodiscard]] Result<Hits> search(const CollectionState& state, const View& view, std::span<const float> query,
                                  const SearchOptions& options);
/// See Snapshot::search_batch.
[[nodiscard]] Result<std::vector<Hits>> search_batch(const CollectionState& state, const View& view,
                                                     std::span<const float> queries, const SearchOptions& options,
                                                     std::uint32_t threads);
/// See Snapshot::search_range.
[[nodiscard]] Result<Hits> search_range(const CollectionState& state, const View& view, std::span<const float> query,
                                        const RangeOptions& options);
[[nodiscard]] Result<Point> get(const CollectionState& state, const View& view, PointId id);
/// See Snapshot::distance.
[[nodiscard]] Result<float> distance(const CollectionState& state, const View& view, PointId id,
                                     std::span<const float> query);
/// See Snapshot::ids. Throws bad_alloc.
[[nodiscard]] Result<std::vector<PointId>> list_ids(const CollectionState& state, const View& view, std::uint64_t after,
                                                    std::size_t limit, std::uint64_t* next);
/// See Snapshot::points. Throws bad_alloc.
[[nodiscard]] Result<std::vector<Point>> list_points(const CollectionState& state, const View& view,
                                                     std::uint64_t after, std::size_t limit, std::uint64_t* next);

/// The answer for a row: its id, which of the id's vectors it is, and the payload if asked for. Throws bad_alloc.
[[nodiscard]] Result<Hit> make_hit(const CollectionState& state, const View& view, const index::Candidate& row,
                                   bool with_payload);
/// Whether the row is the only vector of its point.
[[nodiscard]] bool is_alone(const SlotTable& slots, Slot slot) noexcept;

}  // namespace holdfast::engine
