// Beam widths for a wanted recall (SearchOptions::recall), measured on the collection's own points.
//
// A sample of nodes is searched for with their own vectors, as if they were strangers: the walk does not enter the
// node's own row (index::SearchAids::left_out), so that it has to find the neighbors by the links of others, as a query
// from outside has to. Which are the true neighbors is found by comparing the sample with every node. For two k and a
// ladder of beam widths this gives the part of them that a search finds, from which a search takes the smallest width
// that is wide enough: between two rungs the logarithm of what is missed is taken as linear in that of the width.
//
// What it cannot know is whether queries are like the points. They are less so where recall for them is lower than
// measured; docs/figures.md has both for real data with queries of their own.
//
// Invariants
//  B1. A Calibration never changes, and a view keeps the one that it began with: a search on a snapshot is as wide
//      tomorrow as today.
//  B2. The rungs of a curve are not narrower, and their recall is not lower, than that of the rung before.
//  B3. Each rung's recall is below the mean of the sample by one standard error: a sample that was lucky does not make
//      a beam too narrow.
// Nothing of it is on disk. Cost: one comparison of every node with every member of the sample (at most 128, fewer for
// large collections), in blocks of rows that stay in the cache, and some 20 searches for each member.
// Threading: CalibrationRun is the graph mutator's. It holds its view as a snapshot does, between its pieces, too.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "engine/collection_state.h"
#include "engine/pins.h"
#include "engine/view.h"
#include "holdfast/status.h"
#include "holdfast/types.h"
#include "index/search.h"

namespace holdfast::engine {

/// Presets that walk the graph: Preset::balanced and Preset::fast.
inline constexpr std::size_t kWalkingPresets = 2;

class Calibration {
 public:
  struct Rung {
    std::uint32_t ef = 0;
    float recall = 0;  ///< B3
  };
  static constexpr std::array<std::uint32_t, 2> kMeasuredK = {10, 100};
  struct Curves {
    std::array<std::vector<Rung>, kMeasuredK.size()> of_k;
    std::uint64_t nodes = 0;      ///< of the graph; 0: not measured
    std::uint64_t changes = 0;    ///< CalibrationState::changes then
    std::uint64_t trainings = 0;  ///< of codes, until then
    bool by_short_codes = false;  ///< the walks went by them
  };

  Calibration() = default;
  /// A copy with other curves for one preset.
  Calibration(const Calibration& before, Preset preset, Curves curves);

  [[nodiscard]] const Curves& curves(Preset preset) const noexcept { return curves_[static_cast<std::size_t>(preset)]; }
  [[nodiscard]] bool has(Preset preset) const noexcept { return curves(preset).nodes != 0; }
  /// The smallest width with this recall for k; 0: none that was measured has it. REQUIRES has(preset).
  [[nodiscard]] std::uint32_t width(Preset preset, float recall, std::uint32_t k) const noexcept;
  [[nodiscard]] std::uint64_t bytes() const noexcept;

 private:
  std::array<Curves, kWalkingPresets> curves_;
};

/// How wide a search is.
struct BeamChoice {
  Beam beam = Beam::given;
  std::uint32_t ef = 0;  ///< 0 with Beam::exact
};
/// What the options ask for in this view. REQUIRES options that validate_search() lets pass.
[[nodiscard]] BeamChoice choose_beam(const View& view, const SearchOptions& options) noexcept;

/// From now on the collection is calibrated for this preset, with the codes that its walks go by. Any thread.
void want_calibration(const CollectionState& state, Preset preset) noexcept;

/// One measurement under way.
class CalibrationRun {
 public:
  /// Draws the sample. Throws bad_alloc.
  CalibrationRun(CollectionState& state, Preset preset) HF_REQUIRES(state.graph_mutex);
  ~CalibrationRun();
  CalibrationRun(const CalibrationRun&) = delete;
  CalibrationRun& operator=(const CalibrationRun&) = delete;

  [[nodiscard]] Preset preset() const noexcept { return preset_; }
  /// Some ten milliseconds of work on all workers; true if it was the last. data_damaged, resource_exhausted (also
  /// where a limit of snapshots took its view back): the run is of no use any more.
  Result<bool> piece(unsigned workers);
  /// REQUIRES that the last piece was done.
  [[nodiscard]] Calibration::Curves take_curves() noexcept { return std::move(curves_); }
  /// Processor time so far.
  [[nodiscard]] std::uint64_t processor_us() const noexcept { return processor_ns_ / 1'000; }

 private:
  void draw_sample();
  bool compare_rows(unsigned workers);
  bool measure_rung(unsigned workers);
  void add_rung(const std::vector<float>& recalls);
  [[nodiscard]] std::span<const float> query(std::size_t member) const noexcept;

  CollectionState& state_;
  const Preset preset_;
  const View* view_ = nullptr;
  PinTable::Entry* entry_;
  std::vector<Slot> sample_;
  std::vector<float> queries_;                          ///< their vectors, one after the other
  std::vector<std::vector<index::Candidate>> nearest_;  ///< of each, nearest first, itself among them until all is done
  Slot next_row_ = 0;                                   ///< rows below were compared
  std::size_t next_k_ = 0;                              ///< of kMeasuredK
  std::uint32_t next_ef_ = 0;
  Calibration::Curves curves_;
  std::uint64_t processor_ns_ = 0;
};

/// Whether calibration_piece() has something to do.
[[nodiscard]] bool wants_calibration(const CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex);
/// Begins a run, or goes on with it; with the last piece `made` names the new calibration. True if it does.
Result<bool> calibration_piece(CollectionState& state, const View& view, PendingGraph& made)
    HF_REQUIRES(state.graph_mutex);
/// Before a new one is published: the one before goes when views of older epochs do. Throws bad_alloc.
void retire_calibration(CollectionState& state, GraphEpoch epoch) HF_REQUIRES(state.graph_mutex);
void calibration_was_published(CollectionState& state, std::shared_ptr<const Calibration> made) noexcept
    HF_REQUIRES(state.graph_mutex);

}  // namespace holdfast::engine
