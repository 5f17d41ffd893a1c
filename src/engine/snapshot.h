// Snapshots: a pinned view that may be taken back (pins.h), and how one is waited for.
#pragma once

#include <memory>

#include "engine/collection_state.h"

namespace holdfast::engine {

/// The collection's state and a pinned view of it. The state outlives the view. What size() and lsn() answer is copied
/// at capture: it is there after the view is gone.
class SnapshotState {
 public:
  /// O(1): a few stores. Throws bad_alloc.
  explicit SnapshotState(std::shared_ptr<const CollectionState> collection);
  ~SnapshotState() { PinTable::release(entry_); }
  SnapshotState(const SnapshotState&) = delete;
  SnapshotState& operator=(const SnapshotState&) = delete;

  [[nodiscard]] const CollectionState& collection() const noexcept { return *collection_; }
  [[nodiscard]] Lsn lsn() const noexcept { return lsn_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] bool expired() const noexcept { return PinTable::expired(entry_); }

 private:
  friend class SnapshotRead;
  const std::shared_ptr<const CollectionState> collection_;
  const View* view_ = nullptr;  ///< for SnapshotRead only
  PinTable::Entry* entry_;
  Lsn lsn_ = 0;
  std::uint64_t size_ = 0;
};

/// One read through a snapshot: while it is alive the view is, unless the snapshot had expired before.
class SnapshotRead {
 public:
  explicit SnapshotRead(const SnapshotState& snapshot) noexcept
      : snapshot_(snapshot), entered_(PinTable::enter(snapshot.entry_)) {}
  ~SnapshotRead() {
    if (entered_) PinTable::leave(snapshot_.entry_);
  }
  SnapshotRead(const SnapshotRead&) = delete;
  SnapshotRead& operator=(const SnapshotRead&) = delete;

  /// ok or snapshot_expired.
  [[nodiscard]] Status status() const;
  /// REQUIRES status().ok().
  [[nodiscard]] const View& view() const noexcept { return *snapshot_.view_; }

 private:
  const SnapshotState& snapshot_;
  const bool entered_;
};

/// Waits until the collection's view contains options.at_least. invalid_argument, deadline_exceeded, or why the
/// collection became read-only before that.
Status wait_for_lsn(CollectionState& state, const SnapshotOptions& options);

}  // namespace holdfast::engine
