// What readers see of a collection, and the two doors through which it changes.
//
//   CommitWriter (commit_writer.h)  lsn, slots, ids, payloads, tail of the growing range   one at a time: commit leader
//   publish_graph()                 graph, head of the growing range                       one at a time: graph mutator
// Both publish by making the next View from the current one under `publish_mutex_`, so neither can make the other's
// half-done work visible. Everything else here is const to the rest of the engine.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/mutex.h"
#include "engine/id_map.h"
#include "engine/pins.h"
#include "engine/reclaimer.h"
#include "engine/slot_table.h"
#include "engine/view.h"
#include "index/graph.h"
#include "index/vector_table.h"

namespace holdfast::engine {

using Markers = std::map<std::string, std::string, std::less<>>;

class PointStore {
 public:
  explicit PointStore(const CollectionConfig& config);

  [[nodiscard]] const SlotTable& slots() const noexcept { return slots_; }
  [[nodiscard]] const index::VectorTable& vectors() const noexcept { return vectors_; }
  [[nodiscard]] const index::Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const IdMap& ids() const noexcept { return ids_; }
  /// Pinning is not a change of the store.
  [[nodiscard]] PinTable& pins() const noexcept { return pins_; }
  [[nodiscard]] Reclaimer& reclaimer() const noexcept { return reclaimer_; }
  [[nodiscard]] std::shared_ptr<const Markers> markers() const HF_EXCLUDES(publish_mutex_);

  /// The slot that shows `id` in `view`, or kNoSlot.
  [[nodiscard]] Slot find(PointId id, const View& view) const noexcept;

  /// The token for changing the graph. REQUIRES the collection's graph mutex.
  [[nodiscard]] index::GraphWriter graph_writer() { return graph_.writer(); }
  /// Publishes a new graph that was made from the current one and holds `added`; slots below `growing_begin` are in it
  /// or were dead when it was made.
  void publish_graph(const index::GraphRoot& root, Slot growing_begin, std::span<const index::NewNode> added)
      HF_EXCLUDES(publish_mutex_);

  // --- loading, before anybody reads ---
  [[nodiscard]] SlotTable& loading_slots() noexcept { return slots_; }
  [[nodiscard]] index::VectorTable& loading_vectors() noexcept { return vectors_; }
  [[nodiscard]] index::Graph& loading_graph() noexcept { return graph_; }
  /// Names slots [0, view.slot_end) in the id map and makes `view` the current one. data_damaged if an id has two live
  /// versions or the counts differ.
  Status finish_loading(const View& view, Markers markers);

 private:
  friend class CommitWriter;
  void publish(const View& next) HF_REQUIRES(publish_mutex_);

  SlotTable slots_;
  index::VectorTable vectors_;
  IdMap ids_;
  index::Graph graph_;
  mutable PinTable pins_;
  mutable Reclaimer reclaimer_;
  mutable Mutex publish_mutex_;
  std::shared_ptr<const Markers> markers_ HF_GUARDED_BY(publish_mutex_);
};

/// Level of a point in the graph: a function of its id alone.
[[nodiscard]] int level_of(PointId id, std::uint32_t m) noexcept;

}  // namespace holdfast::engine
