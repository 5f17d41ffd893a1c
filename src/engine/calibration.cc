#include "engine/calibration.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>
#include <new>
#include <utility>

#include "base/random.h"
#include "base/try.h"
#include "engine/clock.h"
#include "engine/indexer.h"
#include "engine/rows.h"
#include "engine/short_coding.h"
#include "index/parallel_for.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

constexpr std::uint32_t kNodesMin = 1'000;  ///< below, the assumed width is a good part of the graph
constexpr std::size_t kSampleMax = 128;
constexpr std::size_t kSampleMin = 48;
/// Components compared with the sample that a whole run should not exceed by much: some seconds.
constexpr std::uint64_t kComparedMax = std::uint64_t{1} << 36;
constexpr std::uint64_t kComparedPerPiece = std::uint64_t{1} << 28;
constexpr std::uint32_t kNearest = Calibration::kMeasuredK.back();
constexpr std::uint32_t kWidest = 4'096;
constexpr float kEnough = 0.998F;  ///< the rung that reaches it is the last one
constexpr float kLadder = 1.4F;
constexpr std::uint32_t kDefaultEf = 100;

std::uint64_t thread_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

/// parallel_for() that counts the processor time of its bodies.
template <class Body>
bool metered_for(unsigned workers, std::size_t count, std::uint64_t& processor_ns, Body body) {
  std::atomic<std::uint64_t> spent{0};  // relaxed: read after the join
  const bool done = index::parallel_for(workers, count, [&](unsigned, std::size_t i) {
    const std::uint64_t begin = thread_ns();
    body(i);
    spent.fetch_add(thread_ns() - begin, std::memory_order_relaxed);
    return true;
  });
  processor_ns += spent.load(std::memory_order_relaxed);
  return done;
}

/// The width that is assumed until one is measured: of five sets of real vectors (docs/figures.md) none needs more for
/// its k of 10, nor does their number matter much.
std::uint32_t assumed_width(float recall, std::uint32_t k) noexcept {
  const double missed = std::max(1.0 - static_cast<double>(recall), 1e-4);
  const double wide = 24.0 * std::pow(missed, -0.7) * std::sqrt(std::max(k, 10U) / 10.0);
  return static_cast<std::uint32_t>(std::clamp<double>(std::ceil(wide), k, kMaxEf));
}

}  // namespace

Calibration::Calibration(const Calibration& before, Preset preset, Curves curves) : curves_(before.curves_) {
  curves_[static_cast<std::size_t>(preset)] = std::move(curves);
}

std::uint32_t Calibration::width(Preset preset, float recall, std::uint32_t k) const noexcept {
  const std::size_t which = k <= kMeasuredK[0] ? 0 : 1;
  const std::vector<Rung>& rungs = curves(preset).of_k[which];
  const auto enough = std::find_if(rungs.begin(), rungs.end(), [&](const Rung& rung) { return rung.recall >= recall; });
  if (enough == rungs.end()) return 0;
  double ef = enough->ef;
  if (enough != rungs.begin()) {
    const auto missed = [](float part) { return std::log(std::max(1.0 - static_cast<double>(part), 1e-6)); };
    const Rung& before = *(enough - 1);
    const double step = missed(before.recall) - missed(enough->recall);
    const double part = step > 0 ? (missed(before.recall) - missed(recall)) / step : 1.0;
    ef = before.ef * std::pow(ef / before.ef, std::clamp(part, 0.0, 1.0));
  }
  if (k > kMeasuredK[which]) ef *= static_cast<double>(k) / kMeasuredK[which];
  return static_cast<std::uint32_t>(std::clamp<double>(std::ceil(ef), k, kMaxEf));
}

std::uint64_t Calibration::bytes() const noexcept {
  std::uint64_t bytes = sizeof *this;
  for (const Curves& preset : curves_) {
    for (const std::vector<Rung>& rungs : preset.of_k) bytes += rungs.capacity() * sizeof(Rung);
  }
  return bytes;
}

BeamChoice choose_beam(const View& view, const SearchOptions& options) noexcept {
  if (options.exact || options.preset == Preset::exact || options.recall >= 1) return {Beam::exact, 0};
  if (options.recall == 0) return {Beam::given, std::max(options.k, options.ef == 0 ? kDefaultEf : options.ef)};
  if (view.calibration == nullptr || !view.calibration->has(options.preset)) {
    return {Beam::assumed, assumed_width(options.recall, options.k)};
  }
  const std::uint32_t ef = view.calibration->width(options.preset, options.recall, options.k);
  return ef == 0 ? BeamChoice{Beam::exact, 0} : BeamChoice{Beam::calibrated, ef};
}

void want_calibration(const CollectionState& state, Preset preset) noexcept {
  if (preset == Preset::fast) want_short_codes(state);
  const std::uint32_t bit = 1U << static_cast<unsigned>(preset);
  // Asked first: a line that every reader writes to would slow all of them down.
  if ((state.calibration_wanted.load(std::memory_order_relaxed) & bit) != 0) return;
  state.calibration_wanted.fetch_or(bit, std::memory_order_relaxed);
}

CalibrationRun::CalibrationRun(CollectionState& state, Preset preset)
    : state_(state), preset_(preset), entry_(state.store.pins().pin(&view_)) {
  PinTable::keep(entry_, *view_, now_ns(state.options));
  next_ef_ = Calibration::kMeasuredK[0];
  curves_.nodes = view_->graph.nodes;
  curves_.changes = state.mutator.calibration.changes;
  curves_.trainings = state.code_trainings.load(std::memory_order_relaxed);
  curves_.by_short_codes = preset == Preset::fast && view_->short_codes != nullptr;
}

CalibrationRun::~CalibrationRun() { PinTable::release(entry_); }

std::span<const float> CalibrationRun::query(std::size_t member) const noexcept {
  const std::size_t dimension = state_.config.dimension;
  return std::span(queries_).subspan(member * dimension, dimension);
}

/// Living nodes of level 0 alone, at random; the same ones for the same view.
void CalibrationRun::draw_sample() {
  const PointStore& store = state_.store;
  const std::uint64_t dimension = state_.config.dimension;
  const std::uint64_t wanted =
      std::clamp<std::uint64_t>(kComparedMax / (dimension * view_->graph.nodes), kSampleMin, kSampleMax);
  const ViewRows rows(store.slots(), view_->lsn);
  SeededRandom random(view_->slot_end);
  std::vector<float> room;
  for (std::uint64_t tries = 0; tries < 64 * wanted && sample_.size() < wanted; ++tries) {
    const auto slot = static_cast<Slot>(random.below(view_->slot_end));
    if (store.graph().level(slot, view_->graph.epoch) != 0 || slot == view_->graph.entry) continue;
    if (!rows.any()(slot) || std::find(sample_.begin(), sample_.end(), slot) != sample_.end()) continue;
    sample_.push_back(slot);
    const float* const row = store.vectors().floats(store.vectors().row(slot), room);
    queries_.insert(queries_.end(), row, row + dimension);
  }
  nearest_.resize(sample_.size());
}

/// Compares the next rows with the sample; several members at a time, so that a block of rows is read from the cache.
bool CalibrationRun::compare_rows(unsigned workers) {
  constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
  constexpr std::size_t kMembersAtOnce = 16;
  const PointStore& store = state_.store;
  const std::uint64_t per_row = std::max<std::uint64_t>(std::uint64_t{state_.config.dimension} * sample_.size(), 1);
  const auto count = static_cast<Slot>(std::clamp<std::uint64_t>(kComparedPerPiece / per_row, 1'024, 1U << 20));
  const Slot end = next_row_ + std::min<Slot>(count, view_->slot_end - next_row_);
  const ViewRows rows(store.slots(), view_->lsn);
  std::vector<Slot> nodes;
  for (; next_row_ < end; ++next_row_) {
    if (rows.any()(next_row_) && store.graph().contains(next_row_, view_->graph.epoch)) nodes.push_back(next_row_);
  }
  const std::size_t block = std::max<std::size_t>(kBlockBytes / store.vectors().stride(), 16);
  const std::size_t parts = (sample_.size() + kMembersAtOnce - 1) / kMembersAtOnce;
  return metered_for(workers, parts, processor_ns_, [&](std::size_t part) {
    const std::size_t last = std::min(sample_.size(), (part + 1) * kMembersAtOnce);
    for (std::size_t at = 0; at < nodes.size(); at += block) {
      const auto some = std::span(nodes).subspan(at, std::min(block, nodes.size() - at));
      for (std::size_t member = part * kMembersAtOnce; member < last; ++member) {
        const index::Query prepared(store.vectors(), query(member).data());
        index::scan_slots(store.vectors(), prepared, some, kNearest + 1, {}, {}, nearest_[member]);
      }
    }
  });
}

/// Searches for the whole sample with the next width.
bool CalibrationRun::measure_rung(unsigned workers) {
  const PointStore& store = state_.store;
  const std::uint32_t k = Calibration::kMeasuredK[next_k_];
  const ViewRows rows(store.slots(), view_->lsn);
  const index::Visibility shown = view_->dead_in_graph == 0 ? index::Visibility{} : rows.alive();
  std::vector<float> recalls(sample_.size());
  const bool done = metered_for(workers, sample_.size(), processor_ns_, [&](std::size_t member) {
    index::SearchAids aids;
    aids.hidden = static_cast<std::uint32_t>(std::min<std::uint64_t>(view_->dead_in_graph, view_->graph.nodes));
    aids.codes = view_->codes;
    if (preset_ == Preset::fast) aids.short_codes = view_->short_codes;
    aids.rescoring = preset_ == Preset::fast ? index::Rescoring::likely : index::Rescoring::bounded;
    aids.left_out = sample_[member];
    std::vector<index::Candidate> hits;
    const index::Query prepared(store.vectors(), query(member).data());
    index::search_graph(store.graph(), view_->graph, prepared, k, next_ef_, shown, hits, aids);
    const std::vector<index::Candidate>& nearest = nearest_[member];
    const std::size_t there = std::min<std::size_t>(k, nearest.size());
    if (there == 0) return;
    const float farthest = nearest[there - 1].distance;
    const float reach = farthest + 1e-6F * std::abs(farthest);  // equally far is as good, sums in another order too
    const auto found = std::count_if(hits.begin(), hits.end(), [&](const auto& hit) { return hit.distance <= reach; });
    recalls[member] =
        static_cast<float>(std::min<std::size_t>(static_cast<std::size_t>(found), there)) / static_cast<float>(there);
  });
  if (done) add_rung(recalls);
  return done;
}

void CalibrationRun::add_rung(const std::vector<float>& recalls) {
  const std::uint32_t k = Calibration::kMeasuredK[next_k_];
  std::vector<Calibration::Rung>& rungs = curves_.of_k[next_k_];
  const auto count = static_cast<double>(recalls.size());
  double sum = 0;
  double squares = 0;
  for (const float recall : recalls) {
    sum += static_cast<double>(recall);
    squares += static_cast<double>(recall) * static_cast<double>(recall);
  }
  const double mean = sum / count;
  const double error = std::max(std::sqrt(std::max(squares / count - mean * mean, 0.0) / count), 0.5 / (count * k));
  const float low = static_cast<float>(std::max(mean - error, 0.0));
  rungs.push_back({next_ef_, rungs.empty() ? low : std::max(low, rungs.back().recall)});  // B2
  const bool last = rungs.back().recall >= kEnough || next_ef_ >= std::min<std::uint64_t>(kWidest, curves_.nodes);
  if (!last) {
    next_ef_ = static_cast<std::uint32_t>(std::ceil(static_cast<float>(next_ef_) * kLadder));
  } else if (++next_k_ < Calibration::kMeasuredK.size()) {
    next_ef_ = Calibration::kMeasuredK[next_k_];
  }
}

Result<bool> CalibrationRun::piece(unsigned workers) {
  if (!PinTable::enter(entry_)) {
    return Status(StatusCode::resource_exhausted,
                  "a limit of snapshots (snapshot_bytes_max, snapshot_age_max) took the view of a calibration back");
  }
  const index::ReadCheck check;
  bool worked = false;
  bool finished = false;
  try {
    if (sample_.empty()) {
      draw_sample();
      worked = true;
      finished = sample_.empty();  // next to nothing lives: no curve, no width
    } else if (next_row_ < view_->slot_end) {
      worked = compare_rows(workers);
      if (next_row_ == view_->slot_end) {
        for (std::size_t member = 0; member < sample_.size(); ++member) {
          std::erase_if(nearest_[member], [&](const auto& near) { return near.slot == sample_[member]; });
        }
      }
    } else {
      worked = measure_rung(workers);
      finished = next_k_ == Calibration::kMeasuredK.size();
    }
  } catch (const std::bad_alloc&) {
    worked = false;
  }
  PinTable::leave(entry_);
  if (!check.ok()) return check.status();
  if (!worked) return Status(StatusCode::resource_exhausted, "no memory to calibrate: free some or use less");
  return finished;
}

namespace {

/// The first preset that is wanted and not measured, or of which what was measured is out of date; none:
/// kWalkingPresets.
std::size_t due_preset(const CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  const CalibrationState& calibration = state.mutator.calibration;
  const std::uint32_t wanted = state.calibration_wanted.load(std::memory_order_relaxed);
  for (std::size_t preset = 0; preset < kWalkingPresets; ++preset) {
    if ((wanted >> preset & 1U) == 0) continue;
    if (!calibration.published) return preset;
    const Calibration::Curves& curves = calibration.published->curves(static_cast<Preset>(preset));
    const bool changed = calibration.changes - curves.changes >= curves.nodes;  // twice as many, or half of them new
    const bool shortened = static_cast<Preset>(preset) == Preset::fast && view.short_codes != nullptr;
    if (changed || shortened != curves.by_short_codes) return preset;
    if (state.code_trainings.load(std::memory_order_relaxed) != curves.trainings) return preset;
  }
  return kWalkingPresets;
}

}  // namespace

bool wants_calibration(const CollectionState& state, const View& view) {
  const CalibrationState& calibration = state.mutator.calibration;
  if (view.graph.nodes < kNodesMin) return false;
  if (calibration.failed_at == calibration.changes) return false;  // it would fail again
  return calibration.run != nullptr || due_preset(state, view) != kWalkingPresets;
}

Result<bool> calibration_piece(CollectionState& state, const View& view, PendingGraph& made) {
  if (!wants_calibration(state, view)) return false;
  CalibrationState& calibration = state.mutator.calibration;
  if (!calibration.run) {
    calibration.run = std::make_unique<CalibrationRun>(state, static_cast<Preset>(due_preset(state, view)));
    return false;
  }
  CalibrationRun& run = *calibration.run;
  const std::uint64_t before_us = run.processor_us();
  const Result<bool> finished = run.piece(worker_count(state));
  state.calibration_us.fetch_add(run.processor_us() - before_us, std::memory_order_relaxed);
  if (!finished.ok()) {
    calibration.run.reset();
    calibration.failed_at = calibration.changes;
    return finished.status();
  }
  if (!*finished) return false;
  made.root = view.graph;
  ++made.root.epoch;
  made.growing_begin = view.growing_begin;
  const Calibration nothing;
  const Calibration& before = calibration.published ? *calibration.published : nothing;
  made.calibration = std::make_shared<const Calibration>(before, run.preset(), run.take_curves());
  calibration.run.reset();
  return true;
}

void retire_calibration(CollectionState& state, GraphEpoch epoch) {
  const std::shared_ptr<const Calibration>& old = state.mutator.calibration.published;
  if (old) state.store.reclaimer().retire({0, epoch, old->bytes(), [old] {}});
}

void calibration_was_published(CollectionState& state, std::shared_ptr<const Calibration> made) noexcept {
  state.mutator.calibration.published = std::move(made);
  state.calibrations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace holdfast::engine
