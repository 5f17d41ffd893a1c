#include "engine/point_store.h"

#include <functional>

#include "base/random.h"

namespace holdfast::engine {

PointStore::PointStore(const CollectionConfig& config)
    : vectors_(config.dimension, config.metric),
      ids_(slots_),
      graph_(vectors_, {config.m, config.ef_construction}),
      pins_(new View{}),
      reclaimer_(pins_, slots_),
      markers_(std::make_shared<const Markers>()) {}

std::shared_ptr<const Markers> PointStore::markers() const {
  MutexLock lock(publish_mutex_);
  return markers_;
}

Slot PointStore::find(PointId id, const View& view) const noexcept {
  Slot slot = ids_.find(id);
  while (slot != kNoSlot && slots_.born(slot) > view.lsn) slot = slots_.previous(slot);
  return slot != kNoSlot && view.lsn < slots_.died(slot) ? slot : kNoSlot;
}

void PointStore::publish(const View& next) {
  auto fresh = std::make_unique<const View>(next);
  reclaimer_.retire_view(pins_.current());  // not freed while it is the current one
  pins_.publish(fresh.release());
}

void PointStore::publish_graph(const index::GraphRoot& root, Slot growing_begin,
                               std::span<const index::NewNode> added) {
  MutexLock lock(publish_mutex_);
  View next = *pins_.current();
  // Points that died since the batch was chosen are nodes that nobody may see. Deaths that are stamped but not yet
  // published will be counted by the committer, for whom these slots are in the graph then.
  for (const index::NewNode& node : added) next.dead_in_graph += slots_.died(node.slot) <= next.lsn ? 1 : 0;
  next.graph = root;
  next.growing_begin = growing_begin;
  publish(next);
}

Status PointStore::finish_loading(const View& view, Markers markers) {
  std::uint64_t live = 0, dead_in_graph = 0;
  if (auto old = ids_.reserve(view.slot_end)) old.reset();  // nobody reads yet
  for (Slot slot = 0; slot < view.slot_end; ++slot) {
    const bool lives = slots_.died(slot) == kNeverDied;
    const Slot replaced = ids_.insert(slot);
    if (lives && replaced != kNoSlot && slots_.died(replaced) == kNeverDied) {
      return {StatusCode::data_damaged, "id " + slots_.id(slot).to_string() + " has two live versions, rows " +
                                            std::to_string(replaced) + " and " + std::to_string(slot)};
    }
    live += lives ? 1 : 0;
    if (!lives && slot < view.growing_begin && graph_.contains(slot, view.graph.epoch)) ++dead_in_graph;
  }
  if (live != view.live || dead_in_graph != view.dead_in_graph) {
    return {StatusCode::data_damaged, "the manifest counts " + std::to_string(view.live) + " points and " +
                                          std::to_string(view.dead_in_graph) + " dead nodes, the extents hold " +
                                          std::to_string(live) + " and " + std::to_string(dead_in_graph)};
  }
  MutexLock lock(publish_mutex_);
  markers_ = std::make_shared<const Markers>(std::move(markers));
  publish(view);
  return {};
}

int level_of(PointId id, std::uint32_t m) noexcept { return index::level_for(mix64(std::hash<PointId>{}(id)), m); }

}  // namespace holdfast::engine
