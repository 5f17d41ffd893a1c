// The validator walks all nodes of an epoch and names what breaks the invariants of a graph. It trusts nothing but that
// links are in range of the tables.
#include "index/check.h"

#include <algorithm>

#include "index/graph_store.h"

namespace holdfast::index {
namespace {

constexpr std::size_t kViolationsMax = 100;

class Checker {
 public:
  Checker(const Graph& graph, const GraphRoot& root, Slot slot_end, const Visibility& linkable,
          const Visibility& in_use)
      : graph_(graph),
        root_(root),
        end_(std::min(slot_end, store_of(graph).slot_limit())),
        linkable_(linkable),
        in_use_(in_use) {}

  GraphCheck run() {
    int top = -1;
    for (Slot slot = 0; slot < end_; ++slot) {
      if (!graph_.contains(slot, root_.epoch)) continue;
      ++check_.nodes;
      if (!in_use_(slot)) violation("slot " + std::to_string(slot) + " is a node, but free");
      const int level = graph_.level(slot, root_.epoch);
      top = std::max(top, level);
      for (int at = 0; at <= level; ++at) check_list(slot, at);
    }
    check_root(top);
    if (check_.nodes > 0) {
      const bool has_entry = root_.entry < end_ && graph_.contains(root_.entry, root_.epoch);
      hub_ = has_entry ? hub_of(store_of(graph_), root_, end_, linkable_) : kNoSlot;
      count_unreachable();
      count_stranded();
    }
    return std::move(check_);
  }

 private:
  void violation(std::string text) {
    if (check_.violations.size() < kViolationsMax) check_.violations.push_back(std::move(text));
  }

  void check_list(Slot slot, int level) {
    const std::span<const Slot> links = graph_.neighbors(slot, level, root_.epoch);
    const auto where = [&] { return "slot " + std::to_string(slot) + ", level " + std::to_string(level) + ": "; };
    check_.links += links.size();
    if (links.size() > graph_.params().max_links(level)) violation(where() + std::to_string(links.size()) + " links");
    sorted_.assign(links.begin(), links.end());
    std::sort(sorted_.begin(), sorted_.end());
    if (std::adjacent_find(sorted_.begin(), sorted_.end()) != sorted_.end()) violation(where() + "a link stands twice");
    for (const Slot link : links) {
      if (link == slot) violation(where() + "a link to itself");
      if (link >= end_) {
        violation(where() + "a link out of range, to " + std::to_string(link));
      } else if (const int link_level = graph_.level(link, root_.epoch); link_level < level) {
        violation(where() + "a link to " + std::to_string(link) + ", which is no node" +
                  (link_level < 0 ? "" : " of that level") + (in_use_(link) ? "" : ", but free"));
      }
    }
  }

  void check_root(int top) {
    if (check_.nodes != root_.nodes) {
      violation("the root counts " + std::to_string(root_.nodes) + " nodes, there are " + std::to_string(check_.nodes));
    }
    if (static_cast<int>(root_.levels) != top + 1) {
      violation("the root counts " + std::to_string(root_.levels) + " levels, there are " + std::to_string(top + 1));
    }
    if (check_.nodes == 0) return;
    if (root_.entry >= end_ || graph_.level(root_.entry, root_.epoch) + 1 != static_cast<int>(root_.levels)) {
      violation("the entry, slot " + std::to_string(root_.entry) + ", is no node of the top level");
    }
  }

  void count_unreachable() {
    SlotSet reached(end_);
    std::vector<Slot> open;
    if (hub_ != kNoSlot) {
      reached.insert(hub_);
      open.push_back(hub_);
    }
    while (!open.empty()) {
      const Slot slot = open.back();
      open.pop_back();
      for (const Slot link : graph_.neighbors(slot, 0, root_.epoch)) {
        if (link < end_ && graph_.contains(link, root_.epoch) && reached.insert(link)) open.push_back(link);
      }
    }
    for (Slot slot = 0; slot < end_; ++slot) {
      if (graph_.contains(slot, root_.epoch) && linkable_(slot) && !reached.contains(slot)) ++check_.unreachable;
    }
  }

  /// Who has a way to the hub: by passes over all nodes until nothing changes, forwards and backwards in turns.
  void count_stranded() {
    if (hub_ == kNoSlot) return;
    SlotSet returning(end_);
    returning.insert(hub_);
    std::vector<Slot> rest;
    for (Slot slot = 0; slot < end_; ++slot) {
      if (slot != hub_ && graph_.contains(slot, root_.epoch)) rest.push_back(slot);
    }
    for (std::size_t before = rest.size() + 1; rest.size() < before;) {
      before = rest.size();
      std::erase_if(rest, [&](Slot slot) {
        const std::span<const Slot> links = graph_.neighbors(slot, 0, root_.epoch);
        return std::any_of(links.begin(), links.end(), [&](Slot link) { return returning.contains(link); }) &&
               returning.insert(slot);
      });
      std::reverse(rest.begin(), rest.end());
    }
    for (const Slot slot : rest) {
      check_.stranded += slot == root_.entry || graph_.level(slot, root_.epoch) > 0 ? 1 : 0;
    }
  }

  const Graph& graph_;
  const GraphRoot root_;
  const Slot end_;
  const Visibility linkable_;
  const Visibility in_use_;
  Slot hub_ = kNoSlot;
  GraphCheck check_;
  std::vector<Slot> sorted_;
};

}  // namespace

GraphCheck check_graph(const Graph& graph, const GraphRoot& root, Slot slot_end, const Visibility& linkable,
                       const Visibility& in_use) {
  return Checker(graph, root, slot_end, linkable, in_use).run();
}

}  // namespace holdfast::index
