// Which slots count: the one thing that the graph is told about deletes and filters.
#pragma once

#include "base/ids.h"

namespace holdfast::index {

/// Decides whether a slot may be a result of a search or the target of a new link. Invisible slots route but never
/// take a place. Asked from several threads at once; must answer the same throughout one call.
struct Visibility {
  bool (*visible)(const void* context, Slot slot) noexcept = nullptr;  ///< null: every slot is visible
  const void* context = nullptr;
  [[nodiscard]] bool operator()(Slot slot) const noexcept { return visible == nullptr || visible(context, slot); }
};

}  // namespace holdfast::index
