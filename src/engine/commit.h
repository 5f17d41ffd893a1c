// The write path: validate -> queue -> group -> log -> sync -> apply -> publish -> acknowledge (docs/flow/write.md).
#pragma once

#include <functional>

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Applies one batch atomically. See Collection::write.
[[nodiscard]] Result<WriteReceipt> write(CollectionState& state, const WriteBatch& batch, const WriteOptions& options);

/// Runs `work` as leader of the commit queue: no commit runs beside it. Returns its status.
Status run_exclusive(CollectionState& state, std::function<Status()> work);

/// The last thing that is done to a collection: it takes no more writes, and its log lets go of the files. Also when
/// there is no memory at all, so that nothing is acknowledged into files that belong to somebody else by then.
void close_log(CollectionState& state) noexcept;

/// Syncs the log. REQUIRES leadership (call inside run_exclusive). A failure poisons the collection.
Status sync_log(CollectionState& state);

/// Everything acknowledged so far becomes durable.
Status flush(CollectionState& state);

/// Moves rows that the reclaimer has released on towards reuse without waiting for the next commit: with no snapshot in
/// their way they are free when it returns. Cheap when there are none.
void recycle_rows(CollectionState& state) noexcept;

}  // namespace holdfast::engine
