// What readers see of a collection, and the two doors through which it changes.
//
//   CommitWriter (commit_writer.h)  lsn, slots, ids, payloads, end of the growing range    one at a time: commit leader
//   publish_graph()                 graph, begin of the growing range                      one at a time: graph mutator
// Both publish by making the next View from the current one under `publish_mutex_`, so neither can make the other's
// half-done work visible. Everything else here is const to the rest of the engine.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/mutex.h"
#include "engine/arrivals.h"
#include "engine/free_slots.h"
#include "engine/id_map.h"
#include "engine/pins.h"
#include "engine/reclaimer.h"
#include "engine/slot_table.h"
#include "engine/view.h"
#include "index/graph.h"
#include "index/vector_table.h"

namespace holdfast::engine {

using Markers = std::map<std::string, std::string, std::less<>>;

/// A graph that was made from the current one, as it will be published.
struct GraphChange {
  index::GraphRoot root;
  Arrival growing_begin = 0;  ///< arrivals before are in the graph, or were dead when it was made
  std::span<const index::NewNode> added;
  std::uint64_t removed = 0;                       ///< dead nodes that are not in it any more
  const index::CodeTable* codes = nullptr;         ///< of all nodes; null: the ones before hold them, too
  const index::ShortCodes* short_codes = nullptr;  ///< null: the ones before, but none with new `codes`
  const Calibration* calibration = nullptr;        ///< null: the one before
};

class PointStore {
 public:
  explicit PointStore(const CollectionConfig& config);

  [[nodiscard]] const SlotTable& slots() const noexcept { return slots_; }
  [[nodiscard]] const index::VectorTable& vectors() const noexcept { return vectors_; }
  [[nodiscard]] const index::Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const IdMap& ids() const noexcept { return ids_; }
  [[nodiscard]] const Arrivals& arrivals() const noexcept { return arrivals_; }
  [[nodiscard]] const FreeSlots& free_slots() const noexcept { return free_slots_; }
  /// For the reclaimer, which calls it when no view shows positions before `begin` any more.
  void free_arrivals_before(Arrival begin) noexcept { arrivals_.free_before(begin); }
  /// Pinning is not a change of the store.
  [[nodiscard]] PinTable& pins() const noexcept { return pins_; }
  [[nodiscard]] Reclaimer& reclaimer() const noexcept { return reclaimer_; }
  /// What readers of old views keep (View::lists).
  [[nodiscard]] std::atomic<std::uint64_t>& kept_list_bytes() const noexcept { return kept_list_bytes_; }
  [[nodiscard]] std::shared_ptr<const Markers> markers() const HF_EXCLUDES(publish_mutex_);

  /// The (first) slot that shows `id` in `view`, or kNoSlot.
  [[nodiscard]] Slot find(PointId id, const View& view) const noexcept;

  /// The token for changing the graph. REQUIRES the collection's graph mutex.
  [[nodiscard]] index::GraphWriter graph_writer() { return graph_.writer(); }
  void publish_graph(const GraphChange& change) HF_EXCLUDES(publish_mutex_);

  // --- loading, before anybody reads ---
  [[nodiscard]] SlotTable& loading_slots() noexcept { return slots_; }
  [[nodiscard]] index::VectorTable& loading_vectors() noexcept { return vectors_; }
  [[nodiscard]] index::Graph& loading_graph() noexcept { return graph_; }
  [[nodiscard]] IdMap& loading_ids() noexcept { return ids_; }
  /// Makes `view` the current one. `growing`: the rows of its growing range. Rows are looked at only if they must be:
  /// those of the growing range, the entry of the graph, and some of those that may be free. REQUIRES that runs of ids
  /// were loaded. data_damaged if what was looked at, or the counts, contradict each other.
  Status finish_loading(View view, Markers markers, std::span<const Slot> growing);
  /// The same, looking at everything: sorts the rows below view.slot_end into living (growing, unless they are nodes;
  /// named in the id map, unless a run does), dead nodes and free ones. The growing range is filled in. data_damaged if
  /// an id has two live versions or does not lead to its row, the values of a point do not belong together, or the
  /// counts differ.
  Status finish_loading(View view, Markers markers);

 private:
  friend class CommitWriter;
  void publish(const View& next) HF_REQUIRES(publish_mutex_);
  Status sort_loaded_row(Slot slot, View& view, View& counted);
  Status name_loaded_row(Slot slot);
  Status check_entry(const View& view) const;
  void make_first_view(const View& view, Markers markers) HF_EXCLUDES(publish_mutex_);
  /// Looks for free rows among the next `rows` ones of the image. Committer, or open.
  void find_free_rows(Slot rows, bool nobody_reads) noexcept;
  Status check_loaded_values(const View& view, std::uint64_t values) const;

  SlotTable slots_;
  index::VectorTable vectors_;
  IdMap ids_;
  Arrivals arrivals_;
  FreeSlots free_slots_;
  index::Graph graph_;
  /// Rows of the image in [next, end) that nobody asked yet whether they are free. Committer.
  struct {
    Slot next = 0;
    Slot end = 0;
    Lsn lsn = 0;
  } unsorted_;
  mutable std::atomic<std::uint64_t> kept_list_bytes_{0};  ///< before all that owns views; a meter: relaxed
  mutable PinTable pins_;
  mutable Reclaimer reclaimer_;
  mutable Mutex publish_mutex_;
  std::shared_ptr<const Markers> markers_ HF_GUARDED_BY(publish_mutex_);
};

/// Level of a row in the graph: a function of the id alone for the first vector of a point, else of the row, too, so
/// that the vectors of one point do not all get the same one.
[[nodiscard]] int level_of(const SlotTable& slots, Slot slot, std::uint32_t m) noexcept;

}  // namespace holdfast::engine
