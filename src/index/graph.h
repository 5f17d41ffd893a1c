// The HNSW graph (Malkov, Yashunin: "Efficient and robust approximate nearest neighbor search using Hierarchical
// Navigable Small World graphs", TPAMI 2020) on versioned, immutable neighbor lists.
//
// Invariants
//  G1. A neighbor list is never modified once its node's head pointer names it. A writer makes a new list whose `prev`
//      is the old one and whose `epoch` is the epoch from which it holds, then swings the head (release).
//  G2. A reader of epoch e uses the first list on the chain with list.epoch <= e; below the last one in memory stands
//      the row of a mapped extent, if the node has one.
//  G3. Epochs become visible only through a GraphRoot that the engine publishes. Lists of a newer epoch are skipped.
//  G4. A superseded list is freed only by the engine's reclaimer, once every pinned root has epoch >= the epoch that
//      superseded it.
//  G5. Every change gives the same graph for any number of threads.
//  G6. A node leaves the graph by a list that says "no node" (remove()). From that epoch on no list names it; its slot
//      may be inserted again, with another vector and another level, once no pinned root is older and release_node()
//      was called for it.
//
// The life of a slot here: free -> insert() -> [dead: named, walked through, never chosen] -> repair() of all that name
// it -> remove() -> release_node() -> free.
//
// The graph knows nothing of ids, deletes, filters or files: callers pass slots and a visibility callback.
//
// Threading: readers (neighbors, search_graph) run on any thread without a lock while they hold a root that the engine
// keeps pinned. All changes go through one GraphWriter at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "holdfast/status.h"
#include "index/slot_set.h"
#include "index/vector_table.h"
#include "index/visibility.h"

namespace holdfast::index {

inline constexpr int kMaxLevels = 16;

/// What a reader needs to walk one epoch. Copied into the engine's view.
struct GraphRoot {
  GraphEpoch epoch = 0;
  Slot entry = kNoSlot;
  std::uint32_t levels = 0;  ///< levels in use; 0: the graph is empty
  std::uint32_t nodes = 0;
};

struct GraphParams {
  std::uint32_t m = 16;
  std::uint32_t ef_construction = 200;
  [[nodiscard]] std::uint32_t max_links(int level) const noexcept { return level == 0 ? 2 * m : m; }
};

/// Level of a point: geometric with ratio 1/m, drawn from a hash of its id, so that a build is repeatable.
[[nodiscard]] int level_for(std::uint64_t id_hash, std::uint32_t m) noexcept;

struct NeighborList;  // neighbor_list.h
class CodeTable;      // code_table.h

/// A list that was superseded: free it with release_list() once no pinned root is older than `epoch`.
struct RetiredList {
  NeighborList* list = nullptr;
  GraphEpoch epoch = 0;
  std::uint32_t bytes = 0;
};
void release_list(NeighborList* list) noexcept;

/// A point to be inserted.
struct NewNode {
  Slot slot = kNoSlot;
  int level = 0;
};

/// The lists of one chunk as an image holds them, read part by part when somebody first needs them.
struct MappedLists {
  /// Checks that part of the bytes against what was written. Any thread. data_damaged: it must not be used.
  using Verify = std::function<Status(std::uint64_t offset, std::uint64_t length)>;
  ByteSpan level0;
  Verify verify_level0;
  std::string level0_name;  ///< for messages
  ByteSpan upper;
  Verify verify_upper;
  std::string upper_name;
  std::shared_ptr<const void> owner;  ///< keeps the bytes alive
};

class GraphWriter;
class GraphStore;  // graph_store.h

class Graph {
 public:
  /// `vectors` must outlive the graph.
  Graph(const VectorTable& vectors, GraphParams params);
  ~Graph();  ///< frees every list that is still on a chain's head; retired ones belong to whoever took them

  [[nodiscard]] const GraphParams& params() const noexcept;
  [[nodiscard]] const VectorTable& vectors() const noexcept;

  /// Links of `slot` at `level` in `epoch`. Empty for a slot that is no node of that epoch.
  [[nodiscard]] std::span<const Slot> neighbors(Slot slot, int level, GraphEpoch epoch) const noexcept;
  /// Whether the slot is a node of that epoch, and its top level (-1: no node).
  [[nodiscard]] bool contains(Slot slot, GraphEpoch epoch) const noexcept;
  [[nodiscard]] int level(Slot slot, GraphEpoch epoch) const noexcept;

  /// Committer only: makes the pointer tables for slots below `end`.
  Status reserve(Slot end);

  // --- Checkpoint images. One chunk = kChunkSlots slots. ---
  /// Level-0 rows of slots [chunk*kChunkSlots, end) as of `epoch`, appended to `out`: per row a u32 count
  /// (0xFFFFFFFF: no node) and 2M u32 links. Row stride: level0_row_bytes().
  void encode_level0(std::uint32_t chunk, Slot end, GraphEpoch epoch, Bytes& out) const;
  /// The same of some slots.
  void encode_level0(std::span<const Slot> slots, GraphEpoch epoch, Bytes& out) const;
  [[nodiscard]] std::size_t level0_row_bytes() const noexcept;
  /// Whether the level-0 list that `epoch` sees is newer than the epoch `since`, of an older image.
  [[nodiscard]] bool changed_since(Slot slot, GraphEpoch since, GraphEpoch epoch) const noexcept;
  /// Upper levels of the chunk's slots as of `epoch` (format at the head of graph_image.cc).
  void encode_upper(std::uint32_t chunk, Slot end, GraphEpoch epoch, Bytes& out) const;
  /// Before readers exist: use mapped rows as the oldest version of this chunk's level-0 lists. Validates counts and
  /// link ranges (< slot_end); data_damaged (message with the byte offset within `data`) otherwise. REQUIRES that the
  /// vector table has rows below `slot_end` before anything is searched.
  Status attach_level0(std::uint32_t chunk, ByteSpan data, Slot slot_end, std::shared_ptr<const void> owner);
  /// After attach_level0() of the chunk: a row that is no node has no upper levels. (They would stay in the way of a
  /// node that is inserted there.)
  Status load_upper(std::uint32_t chunk, ByteSpan data, Slot slot_end);
  /// The same for both, without reading any of it now: lists are verified and checked by whoever first touches a part
  /// of them. What is damaged then is told to that thread's ReadCheck (read_check.h), and counts as no node.
  /// data_damaged if the bytes have the wrong size.
  Status attach_unchecked(std::uint32_t chunk, MappedLists lists, Slot slot_end);
  /// Whether the slot was a node in the image that its chunk was attached from.
  [[nodiscard]] bool mapped_as_node(Slot slot) const noexcept;
  /// Largest epoch at which any list of the chunk changed (0: never since attach). Pairs with the writer's release.
  [[nodiscard]] GraphEpoch changed_epoch(std::uint32_t chunk) const noexcept;
  /// The same of upper levels.
  [[nodiscard]] GraphEpoch changed_upper_epoch(std::uint32_t chunk) const noexcept;

  /// The reclaimer, for a slot that remove() took out: frees what the node had beside its lists, so that the slot may
  /// be inserted again. REQUIRES that no pinned root is older than the epoch that removed it; one call at a time; not
  /// while that slot is being inserted. Does nothing for a slot that was not removed.
  void release_node(Slot slot) noexcept;

  /// The token through which alone the graph can change. REQUIRES that no other writer exists.
  [[nodiscard]] GraphWriter writer();

  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;  ///< lists and tables, without retired lists

 private:
  friend class GraphWriter;
  friend const GraphStore& store_of(const Graph& graph) noexcept;  // for search and check, inside this room
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// What changes the graph. Every change takes the newest root as `base`, makes new lists beside the old ones and
/// returns the next root (epoch base.epoch + 1), which the engine then publishes; what it superseded is appended to
/// `retired`. resource_exhausted: nothing changed. The graph is the same for any number of `threads`.
class GraphWriter {
 public:
  GraphWriter(GraphWriter&&) noexcept;
  ~GraphWriter();

  /// How many of `waiting` points the next batch should take, given the size of the graph (prefix doubling, then a few
  /// per cent, never more than 4,000).
  [[nodiscard]] static std::size_t batch_size(std::size_t graph_nodes, std::size_t waiting) noexcept;

  /// Inserts `nodes` (none of them in the graph, their rows written) in one deterministic batch (Manohar et al.:
  /// "ParlayANN", PPoPP 2024). New nodes walk through nodes that are not `linkable` (dead ones) but neither link to
  /// them nor are linked from them, with one exception: where no linkable node is found at all, a dead one gets a link
  /// to the new node, so that walks find it. invalid_argument: a slot that was not reserved, is a node already, was not
  /// released or stands twice in `nodes`; nothing changed. REQUIRES at most batch_size() nodes for a graph of full
  /// quality: in a batch that is large against the graph, clusters see only themselves.
  /// `codes`: walks by these instead of by the rows, and compares exactly what it chooses from; must hold the codes of
  /// every node and of the new ones. The graph then depends on them, too.
  [[nodiscard]] Result<GraphRoot> insert(const GraphRoot& base, std::span<const NewNode> nodes,
                                         const Visibility& linkable, unsigned threads,
                                         std::vector<RetiredList>& retired, const CodeTable* codes = nullptr);
  [[nodiscard]] Result<GraphRoot> insert(const GraphRoot& base, std::span<const NewNode> nodes, unsigned threads,
                                         std::vector<RetiredList>& retired) {
    return insert(base, nodes, {}, threads, retired);
  }

  /// One step of a vacuum (Singh et al.: "FreshDiskANN", 2021: consolidation; here on copies): every node of
  /// [begin, end) that is not `doomed` and links to a doomed one, at any level, gets a new list without them, mended
  /// with linkable nodes that the doomed ones lead to. Returns `base` itself if nothing had to be done.
  [[nodiscard]] Result<GraphRoot> repair(const GraphRoot& base, const SlotSet& doomed, const Visibility& linkable,
                                         Slot begin, Slot end, unsigned threads, std::vector<RetiredList>& retired);

  /// Takes the doomed nodes out of the graph (those of them that are nodes; `base` itself if none is). A new entry is
  /// chosen if it was among them: the highest level, then the smallest slot. REQUIRES that no list of a remaining node
  /// names one: repair() covered all slots with the same set, and nothing linked to them since. That is verified, since
  /// it is cheap against the repair (one pass over the lists): internal, and nothing changed, if it does not hold.
  [[nodiscard]] Result<GraphRoot> remove(const GraphRoot& base, const SlotSet& doomed, Slot slot_end,
                                         std::vector<RetiredList>& retired);

  /// Links in what mutations left unreachable. ENSURES, for nodes below `slot_end`: wherever the descent of a search
  /// may end (the entry, or any node with a level > 0), a walk at level 0 from there reaches every linkable node. It
  /// always can. Returns `base` itself if there was nothing to do.
  [[nodiscard]] Result<GraphRoot> connect(const GraphRoot& base, Slot slot_end, const Visibility& linkable,
                                          std::vector<RetiredList>& retired);

 private:
  friend class Graph;
  explicit GraphWriter(Graph::Impl& impl);
  Graph::Impl* impl_;
};

}  // namespace holdfast::index
