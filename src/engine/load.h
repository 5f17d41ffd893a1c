// Loading of one checkpoint image into an empty collection.
#pragma once

#include <memory>

#include "engine/recovery.h"
#include "storage/manifest.h"

namespace holdfast::engine {

/// A collection as the manifest says, before the log is replayed. Its extents are there and of the right size; their
/// pages are verified, and what they hold is checked, when it is first touched, or now with VerifyOnOpen::everything
/// and for verify. data_damaged names file and offset.
[[nodiscard]] Result<std::shared_ptr<CollectionState>> load_image(const RecoveryRequest& request,
                                                                  const storage::Manifest& manifest);

}  // namespace holdfast::engine
