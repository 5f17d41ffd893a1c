// Which nodes of a view's graph are not dead in it, as the graph wants to be told.
#pragma once

#include "engine/slot_table.h"
#include "index/visibility.h"

namespace holdfast::engine {

/// For nodes of the view's graph and entries of its growing range, which are born in time: only death decides.
class AliveIn {
 public:
  AliveIn(const SlotTable& slots, Lsn lsn) : slots_(slots), lsn_(lsn) {}
  [[nodiscard]] bool operator()(Slot slot) const noexcept { return lsn_ < slots_.died(slot); }
  /// REQUIRES that this object outlives it.
  [[nodiscard]] index::Visibility visibility() const noexcept {
    return {[](const void* self, Slot slot) noexcept { return (*static_cast<const AliveIn*>(self))(slot); }, this};
  }

 private:
  const SlotTable& slots_;
  const Lsn lsn_;
};

}  // namespace holdfast::engine
