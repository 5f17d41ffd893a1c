// Checkpoints (docs/flow/checkpoint.md).
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Writes the newest view as a checkpoint and shortens the log. Blocks neither readers nor writers (writers wait for
/// the log to change segments). No effect if nothing changed since the newest one. Any failure leaves the old
/// checkpoint and the whole log.
Status checkpoint(CollectionState& state) HF_EXCLUDES(state.checkpoint_mutex);

/// Whether the log has grown enough for a background checkpoint.
[[nodiscard]] bool wants_checkpoint(const CollectionState& state);

/// Makes the directory of a new, empty collection: durable when it returns ok, and garbage until the catalog names it.
Status create_collection_files(os::FileSystem& fs, const std::string& directory, const Uuid& uuid,
                               const std::string& name, const CollectionConfig& config);

}  // namespace holdfast::engine
