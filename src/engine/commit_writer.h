// The committer's token: the only way to change slots, ids and payloads. Replay uses the same one.
//
//   stage(batch)  may fail; takes all memory that apply will need. Nothing is visible, nothing is logged.
//   apply(lsn)    cannot fail. Still invisible.
//   publish()     everything applied so far becomes visible at once.
//
// REQUIRES: at most one CommitWriter of a store exists, and whatever was applied is published before it goes
// (or the store is thrown away).
#pragma once

#include <memory>
#include <vector>

#include "engine/point_store.h"
#include "engine/record.h"

namespace holdfast::engine {

struct Applied {
  std::uint64_t upserted = 0;
  std::uint64_t erased = 0;
};

class CommitWriter {
 public:
  explicit CommitWriter(PointStore& store);

  /// Takes memory for the batch. resource_exhausted: the batch cannot be applied; others can.
  /// Every batch that was staged must be applied, in order, or the writer dropped before anything is applied.
  Status stage(const std::vector<PreparedOperation>& batch);
  Applied apply(Lsn lsn, std::vector<PreparedOperation>& batch) noexcept;
  /// REQUIRES that memory for one view and the retired items is to be had; throws bad_alloc before anything is visible.
  void publish();

  [[nodiscard]] Lsn lsn() const noexcept { return lsn_; }

 private:
  void upsert(Lsn lsn, PreparedOperation& operation, Applied& applied) noexcept;
  void kill(Slot slot, Lsn lsn) noexcept;
  void reserve_ids(std::uint64_t more);
  Status stage_markers(const std::vector<PreparedOperation>& batch);

  PointStore& store_;
  Lsn lsn_ = 0;  // of the last batch applied
  Slot slot_end_ = 0;
  Slot staged_end_ = 0;  // slot_end_ once every staged batch is applied
  std::uint64_t live_ = 0;
  std::uint64_t staged_kills_ = 0;
  struct Death {
    Slot slot;
    Lsn lsn;
  };
  std::vector<Death> deaths_;         // capacity is reserved by stage()
  std::unique_ptr<Markers> markers_;  // the next markers, if a batch sets any
  std::vector<float> scratch_;
};

}  // namespace holdfast::engine
