#include "engine/disk_reserve.h"

#include <algorithm>
#include <new>

#include "base/plant.h"
#include "engine/id_runs.h"
#include "engine/image.h"
#include "index/code_image.h"

namespace holdfast::engine {

namespace {

/// Of one file beyond its data: header, footer, checksums of pages, and what the file system rounds up.
constexpr std::uint64_t kFileOverhead = std::uint64_t{16} << 10;
/// Directories and the file system's own records.
constexpr std::uint64_t kSlack = std::uint64_t{64} << 10;
constexpr std::uint64_t kStep = std::uint64_t{64} << 10;  ///< the reserve grows by this much at least
constexpr std::uint64_t kIdBytes = 17, kStampBytes = 16, kValueBytes = 5, kOffsetBytes = 8;  ///< docs/format/image.md

/// Upper lists are few: a node in m has them, and of the levels one in m again.
std::uint64_t list_bytes(const CollectionConfig& config) {
  return 4 * (1 + 2 * std::uint64_t{config.m}) + 4 * (3 + std::uint64_t{config.m}) * 2 / config.m + 4;
}

/// What a checkpoint of everything that can change in a chunk without a new row would write, and of its rows if they
/// changed since the last one, or may change before this is asked again.
std::uint64_t chunk_bytes(const CollectionState& state, const View& view, std::uint32_t chunk, bool rows_too) {
  const PointStore& store = state.store;
  const Slot begin = chunk << kChunkBits;
  const std::uint64_t rows = std::min<std::uint64_t>(kChunkSlots, view.slot_end - begin);
  std::uint64_t bytes = rows * (kStampBytes + list_bytes(state.config)) + 3 * kFileOverhead;
  if (view.codes != nullptr) {  // after a training the codes of all chunks
    bytes += index::CodeLayout{static_cast<std::uint32_t>(rows), state.config.dimension}.bytes() + kFileOverhead;
  }
  if (!rows_too) return bytes;
  bytes += rows * (kIdBytes + store.vectors().stride() + kOffsetBytes) + 3 * kFileOverhead;
  if (view.values != view.live) bytes += rows * kValueBytes + kFileOverhead;
  return bytes;
}

std::uint64_t marker_bytes(const Markers& markers) {
  std::uint64_t bytes = 0;
  for (const auto& [key, value] : markers) bytes += key.size() + value.size() + 8;
  return bytes;
}

/// An estimate from above, but for two unknowns: how the texts spread over the chunks, and which rows the next
/// segment's batches will take.
std::uint64_t checkpoint_share(const CollectionState& state) {
  const PointStore& store = state.store;
  const Pin view(store.pins());
  const Lsn last = state.checkpoint_lsn.load(std::memory_order_relaxed);
  const std::uint32_t chunks = (view->slot_end + kChunkSlots - 1) >> kChunkBits;
  std::uint64_t bytes = 0, changed = 0;
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    const bool next = chunk + 1 == chunks || (chunk == 0 && store.free_slots().free_count() > 0);
    const bool rows_too = next || store.slots().assigned_lsn(chunk) > last;
    changed += rows_too ? 1 : 0;
    bytes += chunk_bytes(state, *view, chunk, rows_too);
  }
  bytes += id_run_bytes(view->live) + (view->growing_end - view->growing_begin) * sizeof(Slot) + 2 * kFileOverhead;
  bytes += view->codes != nullptr ? index::quantizer_bytes(state.config.dimension) + kFileOverhead : 0;
  const std::uint64_t texts = store.slots().payload_bytes();
  if (chunks > 0) bytes += std::min(texts, texts / chunks * changed + state.log_bytes());
  // Two manifests: one more checkpoint lets the older image go.
  return bytes +
         2 * (chunks * (2 * kExtentKinds + 1) * std::uint64_t{64} + marker_bytes(*store.markers()) + kFileOverhead) +
         kSlack;
}

/// How much the log may grow before the reserve is looked at again. A small store looks often, and sets little aside.
std::uint64_t coming_bytes(const CollectionState& state) {
  return std::min(state.options.open.log_segment_bytes, std::max(kStep, state.log_bytes() / 2));
}

std::uint64_t segment_share(const CollectionState& state) { return state.options.open.log_segment_bytes + kSlack; }

bool lend_segment(CollectionState& state, std::uint64_t bytes) {
  const std::uint64_t share = segment_share(state);
  // What is missing from the whole was this share.
  if (bytes + kSlack > share || state.reserve.bytes() < state.reserve.whole()) return false;
  return state.reserve.lend(share);
}

std::uint64_t wanted_bytes(const CollectionState& state) {
  const std::uint64_t limit = state.options.open.disk_reserve_bytes;
  if (limit == 0) return 0;
  const std::uint64_t segment = segment_share(state);
  // What comes before this is asked again takes up to twice its size as rows.
  const std::uint64_t wanted = segment + checkpoint_share(state) + 2 * coming_bytes(state);
  return (std::min(wanted, std::max(limit, segment)) + kStep - 1) / kStep * kStep;
}

}  // namespace

Status hold_reserve(CollectionState& state) {
  const std::uint64_t wanted = wanted_bytes(state);
  if (wanted == 0 || HF_PLANTED(nothing_is_held_for_a_full_disk)) return {};
  Status held = state.reserve.hold(wanted);
  if (held.code() != StatusCode::disk_full) {
    state.reserve_due_at.store(state.log_bytes() + coming_bytes(state), std::memory_order_relaxed);
    return {};
  }
  return held.with_context("there is no room for the reserve of " + std::to_string(wanted) +
                           " bytes (OpenOptions::disk_reserve_bytes) that keeps erasing and checkpoints possible");
}

bool reserve_is_due(const CollectionState& state, bool new_segment) noexcept {
  const bool lacks = state.reserve.bytes() < state.reserve.wanted();  // what was given away was not for upserts
  return new_segment || lacks || state.log_bytes() >= state.reserve_due_at.load(std::memory_order_relaxed);
}

bool restore_reserve(CollectionState& state, IfShort if_short) noexcept {
  try {
    const std::uint64_t has = state.reserve.bytes();
    const std::uint64_t wanted = wanted_bytes(state);
    if (has < wanted) {
      const auto room = state.fs.free_bytes(state.directory);
      if (!room.ok() || *room < wanted - has) {
        const std::uint64_t some = room.ok() ? (has + *room) / kStep * kStep : 0;
        if (if_short == IfShort::what_there_is && some > has) state.reserve.hold(some).ignore();
        state.reserve.want(wanted);
        return false;
      }
    }
    return hold_reserve(state).ok();
  } catch (const std::bad_alloc&) {
    return false;  // the next turn
  }
}

SegmentShare::SegmentShare(CollectionState& state, std::uint64_t bytes)
    : state_(state), lent_(lend_segment(state, bytes)) {}
SegmentShare::~SegmentShare() {
  if (lent_) state_.reserve.repay_part();
}

void give_whole_reserve(CollectionState& state) { state.reserve.give_all(); }

CheckpointShare::CheckpointShare(CollectionState& state)
    : state_(state), bytes_(state.reserve.lend_but(segment_share(state))) {}
CheckpointShare::~CheckpointShare() {
  if (bytes_ != 0) state_.reserve.repay();
}

void note_full_disk(CollectionState& state) noexcept {
  if (state.disk_was_full.exchange(true, std::memory_order_relaxed)) return;
  state.checkpoint_wanted_at.store(0, std::memory_order_relaxed);
  state.signals->checkpoint.ring();
}

void note_growth(CollectionState& state) noexcept {
  if (state.disk_was_full.load(std::memory_order_relaxed)) state.disk_was_full.store(false, std::memory_order_relaxed);
}

}  // namespace holdfast::engine
