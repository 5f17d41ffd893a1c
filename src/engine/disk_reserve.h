// What must go on when the disk is full: erasing, and writing the checkpoint that makes room (docs/adr/0011). Each
// collection keeps a reserve (storage/space_reserve.h) of two shares:
//   the segment's      the log's next segment, if a batch that only erases, or a mark, needs it
//   the checkpoint's   the extents that the next checkpoint will write, and its manifest
// Whatever makes the store larger is turned away before it touches them: before a batch with upserts takes a new
// segment, or brings what the next checkpoint must write beyond what is set aside, the reserve must stand
// (hold_reserve).
#pragma once

#include "engine/collection_state.h"

namespace holdfast::engine {

/// Sets aside what should be. disk_full if there is no room, and only then: a file system that cannot set space aside,
/// or fails otherwise, leaves the store as good as it would be without a reserve.
Status hold_reserve(CollectionState& state);

/// Whether a batch with upserts has to see to the reserve first: it takes a new segment, the log has grown,
/// or something was given away.
[[nodiscard]] bool reserve_is_due(const CollectionState& state, bool new_segment) noexcept;

/// Makes the reserve again, if it is not whole and the disk looks as if it had room. Whether it stands now. If not,
/// what there is of room may be better than nothing: after a checkpoint used it, for the next one.
enum class IfShort : std::uint8_t { nothing, what_there_is };
bool restore_reserve(CollectionState& state, IfShort if_short = IfShort::nothing) noexcept;

/// The segment's share, for what takes `bytes` of log: it is given away, and does not come back as long as this lives.
/// Empty if it is gone, or if `bytes` is more: the checkpoint's share is not for that.
class SegmentShare {
 public:
  SegmentShare(CollectionState& state, std::uint64_t bytes);
  ~SegmentShare();
  SegmentShare(const SegmentShare&) = delete;
  SegmentShare& operator=(const SegmentShare&) = delete;
  [[nodiscard]] bool empty() const noexcept { return !lent_; }

 private:
  CollectionState& state_;
  const bool lent_;
};

/// Of a collection that is being dropped, or cannot be opened otherwise: everything.
void give_whole_reserve(CollectionState& state);

/// The checkpoint's share, for as long as it lives.
class CheckpointShare {
 public:
  explicit CheckpointShare(CollectionState& state);
  ~CheckpointShare();
  CheckpointShare(const CheckpointShare&) = delete;
  CheckpointShare& operator=(const CheckpointShare&) = delete;
  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }

 private:
  CollectionState& state_;
  const std::uint64_t bytes_;
};

/// The disk is full: asks the background for a checkpoint, once until a batch with upserts goes through again.
void note_full_disk(CollectionState& state) noexcept;
void note_growth(CollectionState& state) noexcept;

}  // namespace holdfast::engine
