// What stands behind holdfast::Cursor: a snapshot, the rows of it that are still to be handed out in order (nearest.h),
// and the ids that were handed out already, for points with several vectors.
//
// Nothing is pinned between two calls but the snapshot itself; when that expires, the cursor does.
#pragma once

#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "engine/nearest.h"
#include "engine/snapshot.h"

namespace holdfast::engine {

class CursorState {
 public:
  /// REQUIRES a valid query (open_cursor checks). Allocates nothing that depends on the size of the collection: that
  /// comes with the first call.
  CursorState(std::shared_ptr<const SnapshotState> snapshot, std::span<const float> query,
              const CursorOptions& options);

  [[nodiscard]] Result<Hits> next(std::uint32_t n, const ReadLimits& limits);
  [[nodiscard]] bool exhausted() const noexcept;
  void reset() noexcept;

 private:
  void draw(const View& view, std::uint32_t n, const index::StopCheck& stop);
  [[nodiscard]] Status damage() const;

  const std::shared_ptr<const SnapshotState> snapshot_;
  const bool with_payload_;
  Nearest nearest_;
  std::vector<index::Candidate> drawn_;  ///< for this answer, or for one that could not be given (no memory, damage)
  std::unordered_set<PointId> several_;  ///< points with several vectors that were drawn
  std::uint64_t given_ = 0;
  /// It met a damaged row, so nobody knows what comes next: every call says so, until reset().
  bool damaged_ = false;
  Status damage_;
};

[[nodiscard]] Result<std::unique_ptr<CursorState>> open_cursor(std::shared_ptr<const SnapshotState> snapshot,
                                                               std::span<const float> query,
                                                               const CursorOptions& options);

}  // namespace holdfast::engine
