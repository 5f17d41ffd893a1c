// Ids and the growing range in an image: what lets it be opened without looking at its rows (docs/format/image.md).
#pragma once

#include <vector>

#include "engine/collection_state.h"
#include "engine/id_runs.h"

namespace holdfast::engine {

/// The runs of an image that is being made, from the oldest to the newest. The first `kept` are those of the last
/// image, named again; behind them comes one that is written now, if there is anything to write.
struct RunPlan {
  std::size_t kept = 0;
  Lsn floor = 0;                 ///< of the new run: it holds what was born later
  std::vector<IdEntry> entries;  ///< of the new run; empty: there is none
};

/// The runs of the newest image with their floors, oldest first.
struct KnownRun {
  const storage::ExtentInfo* extent = nullptr;
  Lsn floor = 0;
};
[[nodiscard]] std::vector<KnownRun> known_runs(const CheckpointState& last);

/// Which runs the image of `view` names. Sizes grow geometrically from the newest to the oldest: a run that is not
/// twice as large as what comes behind it is merged with that. Reads the ids of the rows that were written since the
/// floor of the new run. Throws bad_alloc. REQUIRES a ReadCheck that is asked afterwards.
[[nodiscard]] RunPlan plan_runs(const CollectionState& state, const View& view, const CheckpointState& last);

/// The living rows of the growing range, in order of arrival.
[[nodiscard]] std::vector<Slot> growing_rows(const CollectionState& state, const View& view);

}  // namespace holdfast::engine
