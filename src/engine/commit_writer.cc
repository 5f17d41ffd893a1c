#include "engine/commit_writer.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace holdfast::engine {

CommitWriter::CommitWriter(PointStore& store) : store_(store), scratch_(store.vectors_.dimension()) {
  // Pinned: the graph mutator may supersede the current view at any moment.
  const Pin view(store.pins_);
  lsn_ = view->lsn;
  slot_end_ = staged_end_ = view->slot_end;
  live_ = view->live;
}

Status CommitWriter::stage(const std::vector<PreparedOperation>& batch) {
  try {
    const auto upserts =
        static_cast<std::uint64_t>(std::count_if(batch.begin(), batch.end(), [](const PreparedOperation& operation) {
          return operation.kind == WriteBatch::Kind::upsert;
        }));
    if (staged_end_ + upserts > kMaxSlots) {
      return {StatusCode::resource_exhausted, "the collection is full: it holds 2^31 rows, dead ones included"};
    }
    const Slot end = staged_end_ + static_cast<Slot>(upserts);
    if (Status status = store_.slots_.reserve(end); !status.ok()) return status;
    if (Status status = store_.vectors_.reserve(end); !status.ok()) return status;
    if (Status status = store_.graph_.reserve(end); !status.ok()) return status;
    reserve_ids(staged_end_ - slot_end_ + upserts);
    if (deaths_.capacity() < staged_kills_ + batch.size()) {
      deaths_.reserve(std::max<std::size_t>(staged_kills_ + batch.size(), 2 * deaths_.capacity()));
    }
    if (Status status = stage_markers(batch); !status.ok()) return status;
    staged_kills_ += batch.size();
    staged_end_ = end;
    return {};
  } catch (const std::bad_alloc&) {
    return {StatusCode::resource_exhausted, "not enough memory for the batch; nothing was written"};
  }
}

void CommitWriter::reserve_ids(std::uint64_t more) {
  if (!store_.ids_.must_grow(more)) return;
  // Readers of the views up to now may hold the old table; those of the next view find the new one. It is handed to the
  // reclaimer before it is outgrown, so that a failure in between leaves nothing behind.
  auto outgrown = std::make_shared<std::unique_ptr<IdMap::Table>>();
  store_.reclaimer_.retire({lsn_ + 1, 0, 0, [outgrown] { outgrown->reset(); }});
  *outgrown = store_.ids_.reserve(more);
}

Status CommitWriter::stage_markers(const std::vector<PreparedOperation>& batch) {
  const bool any = std::any_of(batch.begin(), batch.end(), [](const PreparedOperation& operation) {
    return operation.kind == WriteBatch::Kind::marker;
  });
  if (!any) return {};
  auto next = std::make_unique<Markers>(markers_ ? *markers_ : *store_.markers());
  for (const PreparedOperation& operation : batch) {
    if (operation.kind != WriteBatch::Kind::marker) continue;
    if (operation.value.empty()) {
      if (const auto found = next->find(operation.key); found != next->end()) next->erase(found);
    } else {
      (*next)[std::string(operation.key)] = operation.value;
    }
  }
  if (next->size() > kMaxMarkers) {
    return {StatusCode::resource_exhausted, "the collection has " + std::to_string(kMaxMarkers) +
                                                " markers already; remove some by setting them to nothing"};
  }
  markers_ = std::move(next);
  return {};
}

Applied CommitWriter::apply(Lsn lsn, std::vector<PreparedOperation>& batch) noexcept {
  Applied applied;
  lsn_ = lsn;
  for (PreparedOperation& operation : batch) {
    if (operation.kind == WriteBatch::Kind::upsert) {
      upsert(lsn, operation, applied);
    } else if (operation.kind == WriteBatch::Kind::erase) {
      const Slot slot = store_.ids_.find(operation.id);
      if (slot == kNoSlot || store_.slots_.died(slot) != kNeverDied) continue;  // nothing there: no effect
      kill(slot, lsn);
      --live_;
      ++applied.erased;
    }
  }
  return applied;
}

void CommitWriter::upsert(Lsn lsn, PreparedOperation& operation, Applied& applied) noexcept {
  const Slot slot = slot_end_++;
  const Slot previous = store_.ids_.find(operation.id);
  std::memcpy(scratch_.data(), operation.vectors.data(), operation.vectors.size());
  store_.vectors_.assign(slot, scratch_);
  store_.slots_.assign(slot, operation.id, lsn, previous, std::move(operation.payload));
  store_.ids_.insert(slot);
  if (previous != kNoSlot && store_.slots_.died(previous) == kNeverDied) {
    kill(previous, lsn);
  } else {
    ++live_;
  }
  ++applied.upserted;
}

void CommitWriter::kill(Slot slot, Lsn lsn) noexcept {
  store_.slots_.kill(slot, lsn);
  deaths_.push_back({slot, lsn});  // has room: stage()
}

void CommitWriter::publish() {
  {
    MutexLock lock(store_.publish_mutex_);
    View next = *store_.pins_.current();
    const Slot in_graph = next.growing_begin;
    next.lsn = lsn_;
    next.slot_end = slot_end_;
    next.live = live_;
    // A slot that was dead when the graph passed it is no node; these died only now, so they are nodes.
    next.dead_in_graph += static_cast<std::uint64_t>(
        std::count_if(deaths_.begin(), deaths_.end(), [&](const Death& death) { return death.slot < in_graph; }));
    std::shared_ptr<const Markers> markers;
    if (markers_) markers = std::make_shared<const Markers>(*markers_);
    store_.publish(next);
    if (markers) store_.markers_ = std::move(markers);
  }
  try {
    for (const Death& death : deaths_) store_.reclaimer_.retire_payloads({&death.slot, 1}, death.lsn);
  } catch (const std::bad_alloc&) {
    // The payloads that are not in the queue now stay in memory until the store goes.
  }
  deaths_.clear();
  markers_.reset();
  staged_kills_ = 0;
  store_.reclaimer_.collect();
}

}  // namespace holdfast::engine
