// Checkpoints (docs/flow/checkpoint.md).
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Writes the newest view as a checkpoint and shortens the log. Blocks neither readers nor writers (writers wait for
/// the log to change segments). Any failure leaves the old checkpoint and the whole log.
enum class IfUnchanged : std::uint8_t {
  nothing,  ///< if nothing changed since the newest one: no effect
  /// If nothing changed, but the older generation still keeps files of its own: reads the newest image back, checks it
  /// whole, and writes one more generation that names the same files, so that the space of the older one comes back.
  let_go_of_older,
  /// The same if the older generation keeps anything, be it only log: on a full disk.
  let_go_of_log_too,
};
Status checkpoint(CollectionState& state, IfUnchanged if_unchanged = IfUnchanged::nothing)
    HF_EXCLUDES(state.checkpoint_mutex);

/// Whether the log has grown enough for a background checkpoint.
[[nodiscard]] bool wants_checkpoint(const CollectionState& state);

/// Makes the directory of a new, empty collection: durable when it returns ok, and garbage until the catalog names it.
Status create_collection_files(os::FileSystem& fs, const std::string& directory, const Uuid& uuid,
                               const std::string& name, const CollectionConfig& config);

}  // namespace holdfast::engine
