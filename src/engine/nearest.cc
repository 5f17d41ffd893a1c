#include "engine/nearest.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <numeric>

#include "engine/rows.h"
#include "index/score.h"

namespace holdfast::engine {

namespace {

constexpr index::Ties kTies = index::Ties::older_first;

}  // namespace

Nearest::Nearest(const CollectionState& state, std::span<const float> query, const Plan& plan)
    : state_(state),
      plan_(plan),
      query_(state.store.vectors(), index::aligned_copy(query.data(), state.config.dimension, vector_)) {}

void Nearest::reset() noexcept {
  begun_ = false;
  finished_ = false;
}

void Nearest::prepare(const View& view, std::uint32_t width, const index::StopCheck& stop) {
  width_ = width;
  interrupted_ = false;
  if (!begun_) {
    compared_ = 0;
    listed_.clear();
    if (!plan_.exact) walker_.begin(state_.store.graph(), view.graph, query_, view.slot_end);
    begun_ = true;
  }
  interrupted_ = !compare_listed(view, stop);
  if (plan_.exact) return;
  if (!interrupted_ || walker_.beam_empty()) interrupted_ |= !look(view, stop);
}

/// Adds the visible rows of `part` to the list. If it throws nothing was added.
void Nearest::compare(std::span<const Slot> part, const index::Visibility& visible) {
  shown_.clear();
  std::copy_if(part.begin(), part.end(), std::back_inserter(shown_), visible);
  const std::size_t needed = listed_.size() + shown_.size();
  if (listed_.capacity() < needed) listed_.reserve(std::max(needed, 2 * listed_.capacity()));
  index::score(state_.store.vectors(), query_, shown_.data(), shown_.size(), [&](Slot slot, float distance) {
    if (distance <= plan_.radius) listed_.push_back(index::make_key(distance, slot, kTies));
  });
  compared_ += part.size();
}

bool Nearest::compare_all(const View& view, const index::StopCheck& stop) {
  const ViewRows rows(state_.store.slots(), view.lsn);
  std::array<Slot, index::kRowsPerStopCheck> part;
  while (compared_ < view.slot_end) {
    if (stop()) return false;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(view.slot_end - compared_, part.size()));
    std::iota(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count), static_cast<Slot>(compared_));
    compare(std::span(part).first(count), rows.any());
  }
  return true;
}

bool Nearest::compare_growing(const View& view, const index::StopCheck& stop) {
  const ViewRows rows(state_.store.slots(), view.lsn);
  std::uint64_t passed = 0;  // entries before compared_ were compared by an earlier call
  bool complete = true;
  state_.store.arrivals().for_each_run(view.growing_begin, view.growing_end, [&](std::span<const Slot> run) {
    const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(run.size(), compared_ - passed));
    passed += skipped;
    for (run = run.subspan(skipped); !run.empty() && complete && (complete = !stop());) {
      const auto part = run.first(std::min<std::size_t>(run.size(), index::kRowsPerStopCheck));
      compare(part, rows.alive());
      for (const Slot slot : part) walker_.skip(slot);
      passed += part.size();
      run = run.subspan(part.size());
    }
  });
  return complete;
}

/// Compares what is not found by walking: the growing tier, or every row. False if it was stopped.
bool Nearest::compare_listed(const View& view, const index::StopCheck& stop) {
  struct Heap {  // also when memory runs out on the way
    std::vector<index::CandidateKey>& keys;
    const std::size_t before = keys.size();
    ~Heap() {
      if (keys.size() != before) std::make_heap(keys.begin(), keys.end(), std::greater<>());
    }
  } const heap{listed_};
  return plan_.exact ? compare_all(view, stop) : compare_growing(view, stop);
}

bool Nearest::look(const View& view, const index::StopCheck& stop) {
  const ViewRows rows(state_.store.slots(), view.lsn);
  // Without dead nodes the walk needs no look at the stamps at all.
  const index::Visibility shown = view.dead_in_graph == 0 ? index::Visibility{} : rows.alive();
  return walker_.look(state_.store.graph(), view.graph, query_, width_, shown, stop);
}

/// Makes candidates of what no link leads to. Rare, and after a walk of everything else it is no longer dear.
bool Nearest::sweep(const View& view, const index::StopCheck& stop) {
  const ViewRows rows(state_.store.slots(), view.lsn);
  const bool complete = walker_.sweep(state_.store.vectors(), query_, rows.any(), stop);
  return look(view, stop) && complete;
}

/// Makes the walker's nearest row known, or that it has none. False if it was stopped before.
bool Nearest::settle_walk(const View& view, const index::StopCheck& stop) {
  if (walker_.beam_empty() && !interrupted_) interrupted_ = !look(view, stop);
  if (walker_.beam_empty() && !interrupted_ && !walker_.swept()) interrupted_ = !sweep(view, stop);
  return !walker_.beam_empty() || !interrupted_;
}

/// Whether the walker's nearest row is within the radius, now that the next ef rows are known. REQUIRES that it has
/// one.
bool Nearest::within_reach(const View& view, const index::StopCheck& stop) {
  const auto near = [&] { return walker_.front().distance <= plan_.radius; };
  if (near()) return true;
  // The beam may have been drawn from since it was filled.
  if (walker_.beam_size() < width_ && !interrupted_) interrupted_ = !look(view, stop);
  if (near()) return true;
  if (walker_.walked() && !walker_.swept() && !interrupted_) interrupted_ = !sweep(view, stop);
  return near();
}

Nearest::Source Nearest::peek(const View& view, const index::StopCheck& stop, index::Candidate& out) {
  if (finished_) return Source::none;
  bool walks = !plan_.exact && settle_walk(view, stop) && !walker_.beam_empty();
  walks = walks && within_reach(view, stop);
  if (walks) out = walker_.front();
  if (!listed_.empty()) {
    const index::CandidateKey key = listed_.front();
    const index::Candidate listed{index::distance_of(key), index::slot_of(key, kTies)};
    if (!walks || listed < out) {
      out = listed;
      return Source::list;
    }
  }
  finished_ = !walks && !interrupted_;
  return walks ? Source::walk : Source::none;
}

void Nearest::consume(Source from) noexcept {
  if (from == Source::walk) return walker_.pop();
  std::pop_heap(listed_.begin(), listed_.end(), std::greater<>());
  listed_.pop_back();
}

}  // namespace holdfast::engine
