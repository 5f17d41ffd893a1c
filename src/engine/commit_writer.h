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
  ~CommitWriter();  ///< gives back the rows that were taken and not used
  CommitWriter(const CommitWriter&) = delete;
  CommitWriter& operator=(const CommitWriter&) = delete;

  /// Takes memory for the batch. resource_exhausted: the batch cannot be applied; others can.
  /// Every batch that was staged must be applied, in order, or the writer dropped before anything is applied.
  Status stage(const std::vector<PreparedOperation>& batch);
  Applied apply(Lsn lsn, std::vector<PreparedOperation>& batch) noexcept;
  /// REQUIRES that memory for one view and the retired items is to be had; throws bad_alloc before anything is visible.
  void publish();

  [[nodiscard]] Lsn lsn() const noexcept { return lsn_; }

 private:
  void upsert(Lsn lsn, PreparedOperation& operation, Applied& applied) noexcept;
  [[nodiscard]] Slot write_row(const PreparedOperation& operation, std::uint32_t value, SlotTable::Row row) noexcept;
  /// All rows of the point whose head is `slot`.
  void kill(Slot slot, Lsn lsn) noexcept;
  [[nodiscard]] Slot next_slot() noexcept;
  void give_back() noexcept;
  Status take_rows(std::uint64_t rows);
  void reserve_ids(std::uint64_t more);
  Status look_up(const std::vector<PreparedOperation>& batch);
  /// The newest row of the id. Called once for each operation, in the order of staging.
  [[nodiscard]] Slot find(PointId id) noexcept;
  Status stage_markers(const std::vector<PreparedOperation>& batch);

  PointStore& store_;
  Lsn lsn_ = 0;  // of the last batch applied
  Slot slot_end_ = 0;
  Arrival growing_end_ = 0;
  std::uint64_t live_ = 0;
  std::uint64_t values_ = 0;
  std::uint64_t pending_rows_ = 0;  // staged and not applied
  std::uint64_t staged_ids_ = 0;    // upserts, staged and not applied
  std::vector<Slot> loaded_;        // what the loaded image says of the ids of staged operations, in their order
  std::size_t loaded_used_ = 0;
  std::vector<Slot> taken_;  // free rows for the staged batches, in order of use
  std::size_t taken_used_ = 0;
  struct Death {
    Slot slot;
    Lsn lsn;
  };
  std::vector<Death> deaths_;    // heads; capacity is reserved by stage()
  std::size_t killed_rows_ = 0;  // of all values of those
  std::uint64_t staged_kills_ = 0;
  std::unique_ptr<Markers> markers_;  // the next markers, if a batch sets any
};

}  // namespace holdfast::engine
