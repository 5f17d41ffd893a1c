#include "engine/limits.h"

#include <chrono>

#include "engine/clock.h"

namespace holdfast::engine {

namespace {

void expire_by_age(CollectionState& state) {
  const std::uint64_t age_max =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(state.options.open.snapshot_age_max).count());
  if (age_max == 0) return;
  const std::uint64_t now = now_ns(state.options);
  if (now <= age_max) return;
  bool any = false;
  while (state.store.pins().expire_oldest(now - age_max)) any = true;
  if (any) state.store.reclaimer().collect();
}

/// Snapshots of one instant go together: one alone would keep all that it holds. If that freed nothing, somebody else
/// holds the memory (a read that is under way, another thread that is just collecting): the next call goes on.
void expire_by_bytes(CollectionState& state) {
  const std::uint64_t bytes_max = state.options.open.snapshot_bytes_max;
  Reclaimer& reclaimer = state.store.reclaimer();
  if (bytes_max == 0 || reclaimer.retained_bytes() <= bytes_max) return;
  reclaimer.collect();  // perhaps nobody needs it any more
  PinTable& pins = state.store.pins();
  for (std::uint64_t bytes = 0; (bytes = reclaimer.retained_bytes()) > bytes_max;) {
    const SnapshotMeters oldest = pins.snapshots();
    if (oldest.count == 0) return;
    while (pins.expire_oldest() && pins.snapshots().count > 0 && pins.snapshots().oldest_lsn == oldest.oldest_lsn) {
    }
    reclaimer.collect();
    if (reclaimer.retained_bytes() >= bytes) return;
  }
}

}  // namespace

void enforce_limits(CollectionState& state) noexcept {
  expire_by_age(state);
  expire_by_bytes(state);
}

std::uint64_t age_ms(const CollectionState& state, const SnapshotMeters& meters) {
  if (meters.count == 0) return 0;
  const std::uint64_t now = now_ns(state.options);
  return now > meters.oldest_captured_ns ? (now - meters.oldest_captured_ns) / 1'000'000 : 0;
}

}  // namespace holdfast::engine
