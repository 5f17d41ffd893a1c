// Which rows a view shows, for the searches of this room.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "base/ids.h"
#include "engine/point_store.h"
#include "index/search.h"
#include "index/stop.h"

namespace holdfast::engine {

/// Answers "is this row a result?" for one view. Lives as long as the searches that ask it.
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

/// Calls visit(std::span<const Slot>) for the runs that make up the view's growing tier.
template <class Store, class Shown, class Visit>
void for_each_growing_run(const Store& store, const Shown& view, Visit visit) {
  if constexpr (requires { view.growing_end; }) {
    store.arrivals().for_each_run(view.growing_begin, view.growing_end, visit);
  } else {
    std::array<Slot, index::kRowsPerStopCheck> run;
    for (auto slot = static_cast<Slot>(view.growing_begin); slot < view.slot_end;) {
      std::size_t count = 0;
      while (slot < view.slot_end && count < run.size()) run[count++] = slot++;
      visit(std::span<const Slot>(run.data(), count));
    }
  }
}

/// Visible rows of the view: more than its points if some have several vectors.
template <class Shown>
[[nodiscard]] std::uint64_t values_of(const Shown& view) noexcept {
  if constexpr (requires { view.values; }) {
    return view.values;
  } else {
    return view.live;
  }
}

/// Checks the mapped page of a row, if it was not checked yet.
template <class State>
[[nodiscard]] Status verify_row(const State& state, Slot slot) {
  if constexpr (requires { state.verify_row(slot); }) {
    return state.verify_row(slot);
  } else {
    return state.store.vectors().verify_row(slot);
  }
}

template <class Slots>
[[nodiscard]] Slot next_value(const Slots& slots, Slot slot) noexcept {
  if constexpr (requires { slots.next_value(slot); }) {
    return slots.next_value(slot);
  } else {
    return kNoSlot;
  }
}

template <class Slots>
[[nodiscard]] bool is_head(const Slots& slots, Slot slot) noexcept {
  if constexpr (requires { slots.is_head(slot); }) {
    return slots.is_head(slot);
  } else {
    return true;
  }
}

}  // namespace holdfast::engine
