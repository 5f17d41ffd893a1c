// Links in what mutations left unreachable.
//
// A link is one-way: when full lists are pruned or mended, a node can lose the last link that leads to it. Searches
// would never find it again. This pass finds such nodes and repairs two properties, both of level 0:
//
//   reachable   A walk from the hub reaches every linkable node. (The hub is the entry; if that is dead, the linkable
//               node of the highest level with the smallest slot.)
//   returning   A walk from any node where a descent may end, the entry and the nodes with a level > 0, reaches the
//               hub, and so everything. A search that starts in a pocket without a way out would answer from the pocket
//               only. (Other nodes may lack a way back: a search only passes through them, with more in its beam.)
//
// Reachable. A breadth-first search from the hub gives a tree; a link that is no edge of it can be replaced without
// losing anything. For each node that it did not reach, in the order of slots, a host is chosen among the nodes that
// were reached: the nearest one that has room for a link, or a link that is no edge of the tree. The new link becomes
// an edge of the tree; what the node leads to is then walked too. There always is a host: the tree has leaves, and of a
// leaf no link is an edge of the tree.
//
// Returning. A node is returning if it links to a returning one. Computed for all nodes in the order of the search,
// in which nearly every node links back to one before it, and repeated for the rest until nothing changes. A pocket,
// what a node that should be returning and is not leads to, gets a link out of it, from the node itself or from the
// first one of the pocket that has room or a link to spare. There always is one: into each node of the pocket leads at
// most one edge of the tree, so that not all links in it are edges.
//
// New links lead to linkable nodes only, so that a vacuum in progress may go on (remove() requires that nobody links to
// doomed ones anew). Hosts are linkable if possible.
//
// Cost: two passes over the lists of level 0, some 16 ms of processor time per 100,000 nodes (graph_bench churn), and a
// search per component that is linked in; memory for two slot numbers per node.
//
// Invariants
//  C1. Reads the base epoch; what it changes stands in edited_ until all of it is made into lists.
//  C2. Edges of the tree are never replaced: what was reached stays so.
//  C3. Serial and in the order of slots: the result depends on the base epoch and on who is linkable.
#include <algorithm>
#include <limits>
#include <new>
#include <unordered_map>

#include "base/plant.h"
#include "index/check.h"
#include "index/graph_change.h"
#include "index/graph_impl.h"
#include "index/read_check.h"

namespace holdfast::index {

Slot hub_of(const GraphStore& store, const GraphRoot& root, Slot end, const Visibility& linkable) noexcept {
  if (linkable(root.entry)) return root.entry;
  Slot hub = kNoSlot;
  int top = -1;
  for (Slot slot = 0; slot < end && top + 1 < static_cast<int>(root.levels); ++slot) {
    bool is_node = false;
    (void)store.level0(slot, root.epoch, is_node);
    if (!is_node || !linkable(slot)) continue;
    const UpperNode* const upper = store.upper_node(slot);
    const int level = upper == nullptr ? 0 : static_cast<int>(upper->level);
    if (level > top) {
      top = level;
      hub = slot;
    }
  }
  return hub;
}

namespace {

constexpr std::uint32_t kBeam = 64;          ///< width of the search for hosts
constexpr std::size_t kPocketNearest = 256;  ///< candidates that are looked at for a way out of a pocket

Status out_of_memory() {
  return {StatusCode::resource_exhausted, "no memory to connect the graph: free some or use less"};
}

class Connection {
 public:
  Connection(GraphStore& store, WalkScratch& scratch, const GraphRoot& base, Slot end, const Visibility& linkable)
      : store_(store),
        scratch_(scratch),
        base_(base),
        end_(end),
        linkable_(linkable),
        hub_(hub_of(store, base, end, linkable)),
        reached_(end),
        parents_(end) {}

  /// REQUIRES a hub.
  void connect_nodes() {
    reach(hub_, hub_);
    for (Slot slot = 0; slot < end_; ++slot) {
      if (reached_.contains(slot) || !is_node(slot)) continue;
      if (linkable_(slot)) {
        link_in(slot);
      } else if (may_end_descent(slot)) {
        outside_.push_back(slot);
      }
    }
  }

  /// Whether there is a linkable node at all.
  [[nodiscard]] bool has_hub() const noexcept { return hub_ != kNoSlot; }

  void connect_pockets() {
    find_returning();
    for (std::size_t i = 0; i < order_.size(); ++i) lead_out(order_[i]);
    for (const Slot slot : outside_) lead_out(slot);
  }

  /// The lists that were edited. False: memory is short.
  [[nodiscard]] bool make_lists() {
    std::vector<Slot> slots;
    for (const auto& edit : edited_) slots.push_back(edit.first);
    std::sort(slots.begin(), slots.end());
    change_.set_parts(1);
    change_.part(0).reserve(slots.size());
    for (const Slot slot : slots) {
      const std::vector<Slot>& links = edited_[slot];
      NeighborList* const list =
          new_list(store_.newest(slot, 0), base_.epoch + 1, static_cast<std::uint32_t>(links.size()));
      if (list == nullptr) return false;
      std::copy(links.begin(), links.end(), list->ids());
      change_.part(0).push_back({slot, 0, list});
    }
    return true;
  }
  [[nodiscard]] GraphChange& change() noexcept { return change_; }

 private:
  [[nodiscard]] bool is_node(Slot slot) const noexcept {
    bool is_node = false;
    (void)store_.level0(slot, base_.epoch, is_node);
    return is_node;
  }
  [[nodiscard]] bool may_end_descent(Slot node) const noexcept {
    return node == base_.entry || store_.upper_node(node) != nullptr;
  }
  [[nodiscard]] std::span<const Slot> links_of(Slot slot) const {
    if (has_edit_.contains(slot)) return edited_.find(slot)->second;
    return store_.level0(slot, base_.epoch);
  }
  [[nodiscard]] bool is_edge(Slot from, Slot to) const noexcept {
    return reached_.contains(to) && parents_[to] == from;
  }
  [[nodiscard]] float distance(Slot a, Slot b) const {
    return RowQuery(store_.vectors(), a)->distance(store_.vectors().row(b));
  }

  /// Walks everything that `slot` leads to; `slot` becomes a child of `parent`.
  void reach(Slot slot, Slot parent) {
    if (slot >= end_ || !is_node(slot)) return;
    std::size_t next = order_.size();
    parents_[slot] = parent;
    reached_.insert(slot);
    order_.push_back(slot);
    for (; next < order_.size(); ++next) {
      const Slot from = order_[next];
      if (next + kAhead < order_.size()) store_.prefetch_list(order_[next + kAhead], nullptr);
      for (const Slot link : links_of(from)) {
        if (link >= end_ || reached_.contains(link) || !is_node(link)) continue;  // no node: a forged image
        parents_[link] = from;
        reached_.insert(link);
        order_.push_back(link);
      }
    }
  }

  // ---- Reachable ----

  /// Gives `slot`, which nothing reaches, a link from the nearest node that can spare one.
  void link_in(Slot slot) {
    find_hosts(slot);
    for (const bool linkable : {true, false}) {
      for (const Candidate& host : hosts_) {
        if (linkable_(host.slot) == linkable && add_link(host.slot, slot)) return reach(slot, host.slot);
      }
    }
    for (const bool linkable : {true, false}) {
      for (std::size_t i = order_.size(); i-- > 0;) {  // leaves of the tree are the youngest
        const Slot host = order_[i];
        if (linkable_(host) == linkable && add_link(host, slot)) return reach(slot, host);
      }
    }
  }

  /// Reached nodes near `slot`, nearest first: of its own links, and what a search for it finds.
  void find_hosts(Slot slot) {
    hosts_.clear();
    const VectorTable& vectors = store_.vectors();
    const RowQuery row(vectors, slot);
    const Query& query = *row;
    for (const Slot link : links_of(slot)) {
      if (link != slot && reached_.contains(link)) hosts_.push_back({query.distance(vectors.row(link)), link});
    }
    const Walk walk{store_, base_.epoch, query};
    Candidate start{query.distance(vectors.row(base_.entry)), base_.entry};
    start = descend(walk, start, static_cast<int>(base_.levels) - 1, 0);
    beam_search(walk, start, 0, kBeam, Ties::older_first, scratch_);
    for (std::size_t i = 0; i < scratch_.pool.size(); ++i) {
      const Slot found = slot_of(scratch_.pool[i], Ties::older_first);
      if (found != slot && reached_.contains(found)) hosts_.push_back({distance_of(scratch_.pool[i]), found});
    }
    std::sort(hosts_.begin(), hosts_.end());
    hosts_.erase(std::unique(hosts_.begin(), hosts_.end()), hosts_.end());
  }

  /// Adds the link `from` -> `to`; if the list is full, in the place of the link that is needed least and is no edge of
  /// the tree: one to a dead node, or else the longest. False if there is none.
  bool add_link(Slot from, Slot to) {
    const std::span<const Slot> links = links_of(from);
    std::size_t place = links.size();
    if (links.size() >= store_.params().max_links(0)) {
      Candidate worst{-std::numeric_limits<float>::infinity(), kNoSlot};
      for (std::size_t i = 0; i < links.size(); ++i) {
        if (links[i] < end_ && is_edge(from, links[i])) continue;
        const float length = linkable_(links[i]) ? distance(from, links[i]) : std::numeric_limits<float>::infinity();
        const Candidate candidate{length, static_cast<Slot>(i)};
        if (worst.slot == kNoSlot || worst < candidate) worst = candidate;
      }
      if (worst.slot == kNoSlot) return false;
      place = worst.slot;
    }
    std::vector<Slot>& edited = edited_[from];
    if (has_edit_.insert(from)) edited.assign(links.begin(), links.end());
    if (place == edited.size()) {
      edited.push_back(to);
    } else {
      edited[place] = to;
    }
    return true;
  }

  // ---- Returning ----

  [[nodiscard]] bool links_to_returning(Slot slot) const {
    const std::span<const Slot> links = links_of(slot);
    return std::any_of(links.begin(), links.end(), [this](Slot link) { return returning_.contains(link); });
  }

  void find_returning() {
    returning_.insert(hub_);
    std::vector<Slot> rest;
    for (const std::vector<Slot>* const slots : {&order_, &outside_}) {
      for (const Slot slot : *slots) {
        if (returning_.contains(slot)) continue;
        if (links_to_returning(slot)) {
          returning_.insert(slot);
        } else {
          rest.push_back(slot);
        }
      }
    }
    for (std::size_t before = rest.size() + 1; rest.size() < before;) {
      before = rest.size();
      std::reverse(rest.begin(), rest.end());  // ways back run along the order or against it
      std::erase_if(rest, [this](Slot slot) { return links_to_returning(slot) && returning_.insert(slot); });
    }
  }

  /// If a descent may end at `slot` and no walk leads from there to the hub: links its pocket to a returning node.
  void lead_out(Slot slot) {
    if (returning_.contains(slot) || !may_end_descent(slot)) return;
    std::vector<Slot> pocket{slot};
    SlotSet in_pocket;
    in_pocket.insert(slot);
    bool returns = false;  // by a link out of a pocket that was made a moment ago, or through a dead node
    for (std::size_t i = 0; i < pocket.size() && !returns; ++i) {
      for (const Slot link : links_of(pocket[i])) {
        returns = returns || returning_.contains(link);
        if (link < end_ && is_node(link) && in_pocket.insert(link)) pocket.push_back(link);
      }
    }
    const Slot exit = returns ? kNoSlot : nearest_returning(slot);
    for (std::size_t i = 0; i < pocket.size() && !returns; ++i) returns = add_link(pocket[i], exit);
    returning_.insert(slot);
  }

  /// A linkable node that returns, near `slot`.
  [[nodiscard]] Slot nearest_returning(Slot slot) {
    const VectorTable& vectors = store_.vectors();
    const RowQuery row(vectors, slot);
    const Query& query = *row;
    const Walk walk{store_, base_.epoch, query};
    // From the hub: a descent would end in the pocket.
    beam_search(walk, {query.distance(vectors.row(hub_)), hub_}, 0, kPocketNearest, Ties::older_first, scratch_);
    for (std::size_t i = 0; i < scratch_.pool.size(); ++i) {
      const Slot found = slot_of(scratch_.pool[i], Ties::older_first);
      if (found < end_ && returning_.contains(found) && linkable_(found)) return found;
    }
    return hub_;
  }

  static constexpr std::size_t kAhead = 4;

  GraphStore& store_;
  WalkScratch& scratch_;
  const GraphRoot base_;
  const Slot end_;
  const Visibility linkable_;
  const Slot hub_;
  SlotSet reached_;
  std::vector<Slot> parents_;  ///< of reached nodes: who leads to them in the tree
  std::vector<Slot> order_;    ///< reached nodes, in the order in which they were
  std::vector<Slot> outside_;  ///< dead nodes with a level > 0 that nothing reaches
  SlotSet returning_;
  SlotSet has_edit_;
  std::unordered_map<Slot, std::vector<Slot>> edited_;
  std::vector<Candidate> hosts_;
  GraphChange change_;
};

}  // namespace

Result<GraphRoot> GraphWriter::connect(const GraphRoot& base, Slot slot_end, const Visibility& linkable,
                                       std::vector<RetiredList>& retired) {
  const Slot end = std::min(slot_end, impl_->store.slot_limit());
  if (base.levels == 0 || base.entry >= end) return base;
  try {
    if (impl_->worker_scratch.empty()) impl_->worker_scratch.resize(1);
    ReadCheck check;
    Connection connection(impl_->store, impl_->worker_scratch.front(), base, end, linkable);
    if (!check.ok()) return check.status();
    if (!connection.has_hub()) return base;
    if (HF_PLANTED(unreachable_nodes_stay_so)) return base;
    connection.connect_nodes();
    connection.connect_pockets();
    if (!check.ok()) return check.status();  // links chosen by damaged rows
    if (!connection.make_lists()) return out_of_memory();
    GraphChange& change = connection.change();
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
