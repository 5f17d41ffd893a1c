#include "engine/point_store.h"

#include <algorithm>
#include <functional>
#include <new>
#include <unordered_set>

#include "base/plant.h"
#include "base/random.h"
#include "index/read_check.h"

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
      reclaimer_(pins_, slots_, graph_, free_slots_, kept_list_bytes_, vectors_.stride() + kTableRowBytes),
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
  const bool node = graph_.level(slot, view.graph.epoch) >= 0;  // reads the upper levels, too
  counted.graph.nodes += node ? 1 : 0;
  if (!slots_.visible(slot, view.lsn)) {
    if (node) {
      ++counted.dead_in_graph;
    } else {
      slots_.load_free(slot);
      free_slots_.give(slot);
      ids_.give_up(slot);
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
  return name_loaded_row(slot);
}

Status PointStore::name_loaded_row(Slot slot) {
  Slot other = kNoSlot;
  if (ids_.has_runs()) {
    other = ids_.find_loaded(slots_.id(slot));
    if (other == slot) return {};
    if (other == kNoSlot) {
      return {StatusCode::data_damaged,
              "id " + slots_.id(slot).to_string() + " does not lead to its row " + std::to_string(slot)};
    }
  } else {
    if (ids_.must_grow(1)) (void)ids_.reserve(ids_.size() + 1);  // nobody reads the outgrown table yet
    other = ids_.insert(slot);
    if (other == kNoSlot) return {};
  }
  return {StatusCode::data_damaged, "id " + slots_.id(slot).to_string() + " has two live versions, rows " +
                                        std::to_string(other) + " and " + std::to_string(slot)};
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
  if (!ids_.has_runs()) (void)ids_.reserve(view.live);
  const index::ReadCheck check;
  for (Slot slot = 0; slot < view.slot_end; ++slot) {
    Status status = sort_loaded_row(slot, view, counted);
    if (!check.ok()) return check.status();  // before what follows from it
    if (!status.ok()) return status;
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
  if (Status status = check_entry(view); !status.ok()) return status;
  if (view.values != view.live) {
    if (Status status = check_loaded_values(view, counted.values); !status.ok()) return status;
  }
  if (!check.ok()) return check.status();
  make_first_view(view, std::move(markers));
  return {};
}

Status PointStore::check_entry(const View& view) const {
  if (view.graph.levels == 0) return {};
  const index::ReadCheck check;
  const int level = graph_.level(view.graph.entry, view.graph.epoch);
  if (!check.ok()) return check.status();
  if (level + 1 == static_cast<int>(view.graph.levels)) return {};
  return {StatusCode::data_damaged,
          "the entry of the graph is no node of its top level: row " + std::to_string(view.graph.entry)};
}

void PointStore::make_first_view(const View& view, Markers markers) {
  MutexLock lock(publish_mutex_);
  markers_ = std::make_shared<const Markers>(std::move(markers));
  publish(view);
}

Status PointStore::finish_loading(View view, Markers markers, std::span<const Slot> growing) {
  // Living rows are nodes or growing. What is neither alive nor a node is free.
  const std::uint64_t living_nodes = view.graph.nodes - view.dead_in_graph;
  const std::uint64_t used = view.values + view.dead_in_graph;
  if (view.values < living_nodes || view.values - living_nodes != growing.size() || used > view.slot_end) {
    return {StatusCode::data_damaged, "the manifest counts " + std::to_string(view.values) + " vectors and " +
                                          std::to_string(living_nodes) + " living nodes; " +
                                          std::to_string(growing.size()) + " rows wait for the graph, of " +
                                          std::to_string(view.slot_end)};
  }
  view.growing_begin = 0;
  view.growing_end = growing.size();
  if (Status status = arrivals_.reserve(view.growing_end); !status.ok()) return status;
  const index::ReadCheck check;
  std::unordered_set<Slot> seen;
  for (std::size_t i = 0; i < growing.size(); ++i) {
    const Slot slot = growing[i];
    const bool waits = slot < view.slot_end && slots_.visible(slot, view.lsn) &&
                       !graph_.contains(slot, view.graph.epoch) && seen.insert(slot).second;
    if (!check.ok()) return check.status();
    if (!waits) return {StatusCode::data_damaged, "row " + std::to_string(slot) + " does not wait for the graph"};
    arrivals_.set(i, slot);
  }
  if (Status status = check_entry(view); !status.ok()) return status;
  free_slots_.expect(view.slot_end - used);
  unsorted_ = {0, view.slot_end, view.lsn};
  find_free_rows(kChunkSlots, true);
  make_first_view(view, std::move(markers));
  return {};
}

/// A row that was dead, and no node, in the image. It cannot have been used since: nobody knew that it is free.
void PointStore::find_free_rows(Slot rows, bool nobody_reads) noexcept {
  const Slot end = static_cast<Slot>(std::min<std::uint64_t>(std::uint64_t{unsorted_.next} + rows, unsorted_.end));
  try {
    for (; unsorted_.next < end && free_slots_.expected() != 0; ++unsorted_.next) {
      const Slot slot = unsorted_.next;
      const index::ReadCheck check;
      const bool free = slots_.died(slot) <= unsorted_.lsn && !graph_.mapped_as_node(slot);
      if (!free || !check.ok()) continue;  // beside damage rows are left alone
      free_slots_.found(slot, nobody_reads);
      ids_.give_up(slot);
    }
  } catch (const std::bad_alloc&) {
    // Another time.
  }
}

int level_of(const SlotTable& slots, Slot slot, std::uint32_t m) noexcept {
  const std::uint64_t hash = mix64(std::hash<PointId>{}(slots.id(slot)));
  return index::level_for(slots.is_head(slot) ? hash : mix64(hash + slot), m);
}

}  // namespace holdfast::engine
