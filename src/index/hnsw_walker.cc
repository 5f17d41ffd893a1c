#include "index/hnsw_walker.h"

#include <algorithm>
#include <functional>

#include "index/hnsw_walk.h"
#include "index/score.h"

namespace holdfast::index {
namespace {

constexpr Ties kTies = Ties::older_first;

void push_nearest(std::vector<CandidateKey>& heap, CandidateKey key) {
  heap.push_back(key);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}
/// Room for `more`, so that a step that has begun cannot fail.
void make_room(std::vector<CandidateKey>& keys, std::size_t more) {
  const std::size_t needed = keys.size() + more;
  if (keys.capacity() < needed) keys.reserve(std::max(needed, 2 * keys.capacity()));
}
CandidateKey pop_nearest(std::vector<CandidateKey>& heap) {
  const CandidateKey key = heap.front();
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  heap.pop_back();
  return key;
}

}  // namespace

void GraphWalker::begin(const Graph& graph, const GraphRoot& root, const Query& query, Slot slot_end) {
  const GraphStore& store = store_of(graph);
  slot_end_ = slot_end;
  swept_ = 0;
  visited_.reset(std::max(slot_end, store.slot_limit()));
  frontier_.clear();
  rest_.clear();
  beam_.clear();
  if (root.levels == 0 || root.entry >= store.slot_limit()) return;
  const Walk walk{store, root.epoch, query};
  const Candidate entry{query.distance(store.vectors().row(root.entry)), root.entry};
  const Candidate start = descend(walk, entry, static_cast<int>(root.levels) - 1, 0);
  (void)visited_.insert(start.slot);
  frontier_.push_back(make_key(start.distance, start.slot, kTies));
  rest_.push_back(frontier_.back());
}

void GraphWalker::refill(std::uint32_t width, const Visibility& visibility) {
  while (beam_.size() < width && !rest_.empty()) {
    const CandidateKey key = pop_nearest(rest_);
    if (!visibility(slot_of(key, kTies))) continue;
    beam_.push_back(key);
    std::push_heap(beam_.begin(), beam_.end());
  }
}

bool GraphWalker::look(const Graph& graph, const GraphRoot& root, const Query& query, std::uint32_t width,
                       const Visibility& visibility, const StopCheck& stop) {
  const Walk walk{store_of(graph), root.epoch, query};
  const std::size_t wanted = std::max<std::size_t>({width, beam_.size(), 1});
  const std::size_t links = walk.graph.row_numbers();
  make_room(beam_, wanted - beam_.size());
  struct Sorted {  // also when memory runs out on the way
    std::vector<CandidateKey>& beam;
    ~Sorted() { std::sort(beam.begin(), beam.end(), std::greater<>()); }
  } const sorted{beam_};
  refill(static_cast<std::uint32_t>(wanted), visibility);  // sorted, the farthest first: a heap already
  const auto limit = [&] { return beam_.size() < wanted ? ~CandidateKey{0} : beam_.front(); };
  const auto consider = [&](Slot slot, float distance) {
    const CandidateKey key = make_key(distance, slot, kTies);
    push_nearest(frontier_, key);
    if (key >= limit()) return push_nearest(rest_, key);
    if (!visibility(slot)) return;
    if (beam_.size() == wanted) {
      push_nearest(rest_, beam_.front());
      std::pop_heap(beam_.begin(), beam_.end());
      beam_.pop_back();
    }
    beam_.push_back(key);
    std::push_heap(beam_.begin(), beam_.end());
  };
  for (std::uint32_t step = 0; !frontier_.empty() && frontier_.front() <= limit(); ++step) {
    if (step % kStepsPerStopCheck == 0 && stop()) return false;
    make_room(frontier_, links);
    make_room(rest_, links);
    found_.make_room(links);
    const Slot slot = slot_of(pop_nearest(frontier_), kTies);
    if (!frontier_.empty()) walk.graph.prefetch_list(slot_of(frontier_.front(), kTies), walk.known);
    const std::size_t count = gather(walk, slot, 0, visited_, found_);
    score(walk.graph.vectors(), query, found_.fresh.data(), count, consider);
  }
  return true;
}

bool GraphWalker::sweep(const VectorTable& vectors, const Query& query, const Visibility& visible,
                        const StopCheck& stop) {
  Slot found[kRowsPerStopCheck];
  while (swept_ < slot_end_) {
    if (stop()) return false;
    const Slot until = swept_ + std::min<Slot>(slot_end_ - swept_, kRowsPerStopCheck);
    std::size_t count = 0;
    for (Slot slot = swept_; slot < until; ++slot) {
      if (!visited_.contains(slot) && visible(slot)) found[count++] = slot;
    }
    make_room(rest_, count);
    score(vectors, query, found, count,
          [&](Slot slot, float distance) { push_nearest(rest_, make_key(distance, slot, kTies)); });
    swept_ = until;
  }
  return true;
}

}  // namespace holdfast::index
