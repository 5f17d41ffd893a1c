// One step of a vacuum: nodes that link to doomed ones get new lists (Singh, Subramanya, Krishnaswamy, Simhadri:
// "FreshDiskANN: A Fast and Accurate Graph-Based ANN Index for Streaming Similarity Search", 2021, algorithm 4:
// delete consolidation; here with copies instead of edits in place).
//
// What a doomed node did for its neighbors was to lead on. So whoever linked to it is offered what it led to: the
// linkable nodes of its list. If those are few, because whole neighborhoods are doomed, the walk goes on through doomed
// ones, up to kDoomedExpanded of them.
//
// Links that survive are kept as they are; candidates fill the free places, those that were free before too, if no link
// that is there refuses them. (FreshDiskANN chooses anew from the union of both. Here that thins the graph out: after
// 60,000 replacements among 20,000 SIFT vectors it leaves 15.0 links per node and recall@10 0.9938 at ef 100, where
// this way leaves 20.3 links and 0.9978, a fresh build has 22.0 and 0.9983, and filling only as many places as links
// were lost gives 19.7 and 0.9973, all at the same cost. graph_bench churn --live 20000 --replace 60000)
//
// Invariants
//  R1. Reads the base epoch only; writes nothing but lists of its own until all of them are made.
//  R2. The list of a node depends on the base epoch, the doomed set and who is linkable, not on threads or on how slots
//      are cut into steps (a step does not look at lists that are not doomed ones' or its own).
//  R3. Only linkable nodes that are not doomed are added.
#include <algorithm>
#include <new>
#include <string>

#include "index/graph_change.h"
#include "index/graph_impl.h"
#include "index/hnsw_select.h"
#include "index/parallel_for.h"
#include "index/read_check.h"
#include "index/score.h"

namespace holdfast::index {
namespace {

constexpr std::size_t kDoomedExpanded = 64;  ///< doomed nodes whose lists are read for one list, at most
constexpr Slot kSlotsPerPart = 512;          ///< what a worker takes at a time
constexpr unsigned kThreadsMax = 64;

Status out_of_memory() {
  return {StatusCode::resource_exhausted, "no memory to repair the graph: free some or use less"};
}

class Repair {
 public:
  Repair(GraphStore& store, GraphEpoch epoch, const SlotSet& doomed, const Visibility& linkable, Slot begin, Slot end)
      : store_(store), epoch_(epoch), doomed_(doomed), linkable_(linkable), begin_(begin), end_(end) {}

  /// False: memory is short.
  [[nodiscard]] bool make_lists(unsigned threads) {
    const std::size_t parts = (std::size_t{end_ - begin_} + kSlotsPerPart - 1) / kSlotsPerPart;
    change_.set_parts(parts);
    workers_.resize(threads);
    return parallel_for(threads, parts, [this](unsigned worker, std::size_t part) {
      const Slot first = begin_ + static_cast<Slot>(part) * kSlotsPerPart;
      const Slot last = std::min(end_, first + std::min(end_ - first, kSlotsPerPart));
      for (Slot slot = first; slot < last; ++slot) {
        if (!mend_node(slot, change_.part(part), workers_[worker])) return false;
      }
      return true;
    });
  }
  [[nodiscard]] GraphChange& change() noexcept { return change_; }

 private:
  struct Worker {
    VisitedSet seen;
    std::vector<Slot> kept;
    std::vector<Slot> doomed;  ///< in the order in which they were found
    std::vector<Slot> offered;
    std::vector<Candidate> candidates;  ///< what is offered, with distances, nearest first
    SelectScratch select;
  };

  [[nodiscard]] bool mend_node(Slot slot, std::vector<Replacement>& made, Worker& worker) const {
    if (doomed_.contains(slot)) return true;
    bool is_node = false;
    const std::span<const Slot> links = store_.level0(slot, epoch_, is_node);
    if (!is_node) return true;
    if (!mend_list(slot, 0, links, made, worker)) return false;
    const UpperNode* const upper = store_.upper_node(slot);
    for (int level = 1; upper != nullptr && level <= static_cast<int>(upper->level); ++level) {
      if (!mend_list(slot, level, store_.upper(slot, level, epoch_), made, worker)) return false;
    }
    return true;
  }

  [[nodiscard]] bool mend_list(Slot slot, int level, std::span<const Slot> links, std::vector<Replacement>& made,
                               Worker& worker) const {
    if (std::none_of(links.begin(), links.end(), [this](Slot link) { return doomed_.contains(link); })) return true;
    find_candidates(slot, level, links, worker);
    const VectorTable& vectors = store_.vectors();
    const RowQuery query(vectors, slot);
    worker.candidates.clear();
    score(vectors, *query, worker.offered.data(), worker.offered.size(), [&worker](Slot candidate, float distance) {
      worker.candidates.push_back({distance, candidate});
    });
    std::sort(worker.candidates.begin(), worker.candidates.end());
    const std::uint32_t links_max = store_.params().max_links(level);
    const std::uint32_t places = links_max - std::min(static_cast<std::uint32_t>(worker.kept.size()), links_max);
    fill_links(vectors, slot, worker.kept, worker.candidates, places, worker.select);
    const std::vector<Candidate>& chosen = worker.select.chosen;
    made.reserve(made.size() + 1);  // so that the list cannot get lost on its way
    NeighborList* const list =
        new_list(store_.newest(slot, level), epoch_ + 1, static_cast<std::uint32_t>(chosen.size()));
    if (list == nullptr) return false;
    for (std::size_t i = 0; i < chosen.size(); ++i) list->ids()[i] = chosen[i].slot;
    made.push_back({slot, level, list});
    return true;
  }

  /// Surviving links into worker.kept, what the doomed ones lead to into worker.offered.
  void find_candidates(Slot slot, int level, std::span<const Slot> links, Worker& worker) const {
    worker.kept.clear();
    worker.doomed.clear();
    worker.offered.clear();
    worker.seen.reset(store_.slot_limit());
    (void)worker.seen.insert(slot);
    for (const Slot link : links) {
      if (!worker.seen.insert(link)) continue;
      (doomed_.contains(link) ? worker.doomed : worker.kept).push_back(link);
    }
    const std::size_t direct = worker.doomed.size();
    const std::size_t enough = store_.params().max_links(level);
    for (std::size_t i = 0; i < std::min(worker.doomed.size(), kDoomedExpanded); ++i) {
      if (i >= direct && worker.offered.size() >= enough) break;
      for (const Slot link : store_.neighbors(worker.doomed[i], level, epoch_)) {
        if (!worker.seen.insert(link)) continue;
        if (doomed_.contains(link)) {
          worker.doomed.push_back(link);
        } else if (linkable_(link)) {
          worker.offered.push_back(link);
        }
      }
    }
  }

  GraphStore& store_;
  const GraphEpoch epoch_;
  const SlotSet& doomed_;
  const Visibility linkable_;
  const Slot begin_;
  const Slot end_;
  std::vector<Worker> workers_;
  GraphChange change_;
};

}  // namespace

Result<GraphRoot> GraphWriter::repair(const GraphRoot& base, const SlotSet& doomed, const Visibility& linkable,
                                      Slot begin, Slot end, unsigned threads, std::vector<RetiredList>& retired) {
  end = std::min(end, impl_->store.slot_limit());
  if (begin >= end || doomed.empty() || base.levels == 0) return base;
  try {
    Repair repair(impl_->store, base.epoch, doomed, linkable, begin, end);
    ReadCheck check;
    if (!repair.make_lists(std::clamp(threads, 1U, kThreadsMax))) return out_of_memory();
    if (!check.ok()) return check.status();  // links chosen by damaged rows
    GraphChange& change = repair.change();
    if (change.size() == 0) return base;
    change.make_room(retired);
    GraphRoot root = base;
    ++root.epoch;
    change.publish(impl_->store, root.epoch, retired);
    return root;
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace holdfast::index
