// Loading of one checkpoint image into an empty collection.
#pragma once

#include <memory>

#include "engine/recovery.h"
#include "storage/manifest.h"

namespace holdfast::engine {

/// A collection as the manifest says, before the log is replayed. Ids, stamps and lists are checked against their
/// checksums and for plausibility; vectors and payloads when they are first returned, or now with
/// VerifyOnOpen::everything. data_damaged names file and offset.
[[nodiscard]] Result<std::shared_ptr<CollectionState>> load_image(const RecoveryRequest& request,
                                                                  const storage::Manifest& manifest);

}  // namespace holdfast::engine
