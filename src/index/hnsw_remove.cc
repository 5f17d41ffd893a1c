// The last step of a vacuum: nodes that nothing names any more leave the graph.
//
// A removed node gets a list that says "no node" (graph.h, G6). It stands above whatever the slot had: lists of older
// epochs, a mapped row. Older roots read on below it. When the slot is used again, the new node's list stands above.
#include <algorithm>
#include <new>
#include <string>

#include "index/graph_change.h"
#include "index/graph_impl.h"
#include "index/read_check.h"

namespace holdfast::index {
namespace {

Status out_of_memory() {
  return {StatusCode::resource_exhausted, "no memory to remove from the graph: free some or use less"};
}

class Removal {
 public:
  Removal(GraphStore& store, const GraphRoot& base, const SlotSet& doomed, Slot end)
      : store_(store), base_(base), doomed_(doomed), end_(end) {}

  /// One pass over what remains: that it names no doomed node, and how many there are, and who is the highest.
  [[nodiscard]] Status inspect() {
    for (Slot slot = 0; slot < end_; ++slot) {
      bool is_node = false;
      const std::span<const Slot> links = store_.level0(slot, base_.epoch, is_node);
      if (!is_node || doomed_.contains(slot)) continue;
      if (Status status = inspect_list(slot, 0, links); !status.ok()) return status;
      const UpperNode* const upper = store_.upper_node(slot);
      const int top = upper == nullptr ? 0 : static_cast<int>(upper->level);
      for (int level = 1; level <= top; ++level) {
        if (Status status = inspect_list(slot, level, store_.upper(slot, level, base_.epoch)); !status.ok())
          return status;
      }
      ++remaining_;
      if (top > highest_level_) {
        highest_level_ = top;
        highest_ = slot;
      }
    }
    return {};
  }

  /// False: memory is short.
  [[nodiscard]] bool make_lists() {
    change_.set_parts(1);
    std::vector<Replacement>& made = change_.part(0);
    made.reserve(doomed_.size());
    bool enough = true;
    doomed_.for_each([&](Slot slot) {
      if (!enough || slot >= store_.slot_limit()) return;
      bool is_node = false;
      (void)store_.level0(slot, base_.epoch, is_node);
      if (!is_node) return;
      NeighborList* const list = new_list(store_.newest(slot, 0), base_.epoch + 1, 0, kRemovedList);
      enough = list != nullptr;
      if (enough) made.push_back({slot, 0, list});
    });
    return enough;
  }

  /// bad_alloc only before the first change.
  [[nodiscard]] GraphRoot publish(std::vector<RetiredList>& retired) {
    if (change_.size() == 0) return base_;
    std::size_t upper_lists = 0;
    for (const Replacement& replacement : change_.part(0)) {
      const UpperNode* const upper = store_.upper_node(replacement.slot);
      upper_lists += upper == nullptr ? 0 : upper->level;
    }
    change_.make_room(retired, upper_lists);

    // From here on nothing can fail.
    GraphRoot root = base_;
    ++root.epoch;
    root.nodes = remaining_;
    if (remaining_ == 0) {
      root.entry = kNoSlot;
      root.levels = 0;
    } else if (doomed_.contains(base_.entry)) {
      root.entry = highest_;
      root.levels = static_cast<std::uint32_t>(highest_level_) + 1;
    }
    for (const Replacement& replacement : change_.part(0)) {
      const UpperNode* const upper = store_.upper_node(replacement.slot);
      for (int level = 1; upper != nullptr && level <= static_cast<int>(upper->level); ++level) {
        NeighborList* const list = store_.newest(replacement.slot, level);
        if (list == nullptr) continue;
        retired.push_back({list, root.epoch, list_bytes(list->count)});
        store_.uncount(*list);
      }
    }
    change_.publish(store_, root.epoch, retired);
    return root;
  }

 private:
  [[nodiscard]] Status inspect_list(Slot slot, int level, std::span<const Slot> links) const {
    for (const Slot link : links) {
      if (doomed_.contains(link)) {
        return {StatusCode::internal, "slot " + std::to_string(slot) + " still links to slot " + std::to_string(link) +
                                          " at level " + std::to_string(level) + ", which is to be removed"};
      }
    }
    return {};
  }

  GraphStore& store_;
  const GraphRoot base_;
  const SlotSet& doomed_;
  const Slot end_;
  std::uint32_t remaining_ = 0;
  int highest_level_ = -1;
  Slot highest_ = kNoSlot;
  GraphChange change_;
};

}  // namespace

Result<GraphRoot> GraphWriter::remove(const GraphRoot& base, const SlotSet& doomed, Slot slot_end,
                                      std::vector<RetiredList>& retired) {
  if (doomed.empty() || base.levels == 0) return base;
  try {
    ReadCheck check;
    Removal removal(impl_->store, base, doomed, std::min(slot_end, impl_->store.slot_limit()));
    const Status inspected = removal.inspect();
    if (!check.ok()) return check.status();  // before what follows from it
    if (!inspected.ok()) return inspected;
    if (!removal.make_lists()) return out_of_memory();
    if (!check.ok()) return check.status();  // lists that were not seen may name them
    return removal.publish(retired);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace holdfast::index
