#include "engine/point_store.h"

#include <functional>

#include "base/plant.h"
#include "base/random.h"

namespace holdfast::engine {

namespace {

/// Of a row in the tables, beyond its vector.
constexpr std::size_t kTableRowBytes = 65 + 2 * sizeof(void*);

}  // namespace

PointStore::PointStore(const CollectionConfig& config)
    : vectors_(config.dimension, config.metric, config.type),
      ids_(slots_),
      graph_(vectors_, {config.m, config.ef_construction}),
      pins_(new View{}),
      reclaimer_(pins_, slots_, graph_, free_slots_, vectors_.stride() + kTableRowBytes),
      markers_(std::make_shared<const Markers>()) {}

std::shared_ptr<const Markers> PointStore::markers() const {
  MutexLock lock(publish_mutex_);
  return markers_;
}

Slot PointStore::find(PointId id, const View& view) const noexcept {
  Slot slot = ids_.find(id);
  while (slot != kNoSlot && slots_.born(slot) > view.lsn) {
    // A version that died before this view may be gone, and its row may hold another point: `until` tells.
    const SlotTable::Previous previous = slots_.previous(slot);
    slot = view.lsn < previous.until ? previous.slot : kNoSlot;
  }
  return slot != kNoSlot && view.lsn < slots_.died(slot) ? slot : kNoSlot;
}

void PointStore::publish(const View& next) {
  auto fresh = std::make_unique<View>(next);
  fresh->serial = pins_.current()->serial + 1;
  reclaimer_.retire_view(pins_.current());  // not freed while it is the current one
  pins_.publish(fresh.release());
}

void PointStore::publish_graph(const GraphChange& change) {
  MutexLock lock(publish_mutex_);
  View next = *pins_.current();
  // Points that died since the batch was chosen are nodes that nobody may see. Deaths that are stamped but not yet
  // published will be counted by the committer, for whom these slots are in the graph then.
  for (const index::NewNode& node : change.added) next.dead_in_graph += slots_.died(node.slot) <= next.lsn ? 1 : 0;
  next.dead_in_graph -= change.removed;
  next.graph = change.root;
  next.growing_begin = change.growing_begin;
  if (change.codes != nullptr) {
    next.codes = change.codes;
    next.short_codes = nullptr;  // they were made from the codes before
  }
  if (change.short_codes != nullptr) next.short_codes = change.short_codes;
  if (change.calibration != nullptr) next.calibration = change.calibration;
  publish(next);
}

Status PointStore::sort_loaded_row(Slot slot, View& view, View& counted) {
  const bool node = graph_.contains(slot, view.graph.epoch);
  counted.graph.nodes += node ? 1 : 0;
  if (!slots_.visible(slot, view.lsn)) {
    if (node) {
      ++counted.dead_in_graph;
    } else {
      slots_.load_free(slot);
      free_slots_.give(slot);
    }
    return {};
  }
  ++counted.values;
  if (!node || HF_PLANTED(loaded_nodes_are_indexed_again)) {
    if (Status status = arrivals_.reserve(view.growing_end + 1); !status.ok()) return status;
    arrivals_.set(view.growing_end++, slot);
  }
  if (!slots_.is_head(slot)) return {};
  if (view.values == view.live && slots_.next_value(slot) != kNoSlot) {
    return {StatusCode::data_damaged, "id " + slots_.id(slot).to_string() +
                                          " has several vectors, the manifest says that none has: row " +
                                          std::to_string(slot)};
  }
  ++counted.live;
  if (ids_.must_grow(1)) (void)ids_.reserve(ids_.size() + 1);  // nobody reads the outgrown table yet
  if (const Slot other = ids_.insert(slot); other != kNoSlot) {
    return {StatusCode::data_damaged, "id " + slots_.id(slot).to_string() + " has two live versions, rows " +
                                          std::to_string(other) + " and " + std::to_string(slot)};
  }
  return {};
}

/// Every living row is found from exactly one head.
Status PointStore::check_loaded_values(const View& view, std::uint64_t values) const {
  std::uint64_t found = 0;
  for (Slot head = 0; head < view.slot_end; ++head) {
    if (!slots_.visible(head, view.lsn) || !slots_.is_head(head)) continue;
    std::uint32_t count = 1;
    for (Slot slot = slots_.next_value(head); slot != kNoSlot; slot = slots_.next_value(slot)) {
      const bool belongs = slots_.visible(slot, view.lsn) && !slots_.is_head(slot) &&
                           slots_.id(slot) == slots_.id(head) && slots_.born(slot) == slots_.born(head);
      if (!belongs || ++count > kMaxValues) {
        return {StatusCode::data_damaged, "the vectors of id " + slots_.id(head).to_string() +
                                              " do not belong together: row " + std::to_string(slot)};
      }
    }
    found += count;
  }
  if (found == values) return {};
  return {StatusCode::data_damaged,
          std::to_string(values) + " rows live, " + std::to_string(found) + " of them belong to a point"};
}

Status PointStore::finish_loading(View view, Markers markers) {
  View counted;
  view.growing_begin = view.growing_end = 0;
  (void)ids_.reserve(view.live);
  for (Slot slot = 0; slot < view.slot_end; ++slot) {
    if (Status status = sort_loaded_row(slot, view, counted); !status.ok()) return status;
  }
  if (HF_PLANTED(counts_of_an_image_are_not_checked)) counted = view;
  if (counted.live != view.live || counted.dead_in_graph != view.dead_in_graph || counted.values != view.values ||
      counted.graph.nodes != view.graph.nodes) {
    const auto counts = [](const View& of) {
      return std::to_string(of.live) + " points, " + std::to_string(of.values) + " vectors and " +
             std::to_string(of.graph.nodes) + " nodes, " + std::to_string(of.dead_in_graph) + " of them dead";
    };
    return {StatusCode::data_damaged, "the manifest counts " + counts(view) + ", the extents hold " + counts(counted)};
  }
  if (view.graph.levels != 0 &&
      graph_.level(view.graph.entry, view.graph.epoch) + 1 != static_cast<int>(view.graph.levels)) {
    return {StatusCode::data_damaged,
            "the entry of the graph is no node of its top level: row " + std::to_string(view.graph.entry)};
  }
  if (view.values != view.live) {
    if (Status status = check_loaded_values(view, counted.values); !status.ok()) return status;
  }
  MutexLock lock(publish_mutex_);
  markers_ = std::make_shared<const Markers>(std::move(markers));
  publish(view);
  return {};
}

int level_of(const SlotTable& slots, Slot slot, std::uint32_t m) noexcept {
  const std::uint64_t hash = mix64(std::hash<PointId>{}(slots.id(slot)));
  return index::level_for(slots.is_head(slot) ? hash : mix64(hash + slot), m);
}

}  // namespace holdfast::engine
