// Which rows a view shows, as the index wants to be told.
#pragma once

#include "base/ids.h"
#include "engine/slot_table.h"
#include "index/visibility.h"

namespace holdfast::engine {

/// Answers "is this row alive?" for one view. Lives as long as the calls that ask it.
class ViewRows {
 public:
  ViewRows(const SlotTable& slots, Lsn lsn) noexcept : slots_(slots), lsn_(lsn) {}

  /// For nodes of the view's graph and entries of its growing range: they are born in time, so death alone decides.
  [[nodiscard]] index::Visibility alive() const noexcept { return {alive_row, this}; }
  /// For any row below view.slot_end.
  [[nodiscard]] index::Visibility any() const noexcept { return {visible_row, this}; }

 private:
  static bool alive_row(const void* context, Slot slot) noexcept {
    const auto& rows = *static_cast<const ViewRows*>(context);
    return rows.lsn_ < rows.slots_.died(slot);
  }
  static bool visible_row(const void* context, Slot slot) noexcept {
    const auto& rows = *static_cast<const ViewRows*>(context);
    return rows.slots_.visible(slot, rows.lsn_);
  }
  const SlotTable& slots_;
  const Lsn lsn_;
};

}  // namespace holdfast::engine
