#include "engine/commit_writer.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/plant.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

/// Rows that a commit moves on their way to reuse: what it kills itself, and some more to catch up.
constexpr std::size_t kRecycledPerCommit = 4'096;
/// Rows of the loaded image that a commit asks whether they are free.
constexpr Slot kSortedPerCommit = 4'096;

Status no_rows_left() {
  return {StatusCode::resource_exhausted, "the collection is full: it holds 2^31 rows, dead ones included"};
}

}  // namespace

CommitWriter::CommitWriter(PointStore& store) : store_(store) {
  // Pinned: the graph mutator may supersede the current view at any moment.
  const Pin view(store.pins_);
  lsn_ = view->lsn;
  slot_end_ = view->slot_end;
  growing_end_ = view->growing_end;
  live_ = view->live;
  values_ = view->values;
  store_.free_slots_.wake(store_.reclaimer_.oldest_serial());
}

CommitWriter::~CommitWriter() { give_back(); }

/// Cannot fail: nothing was given since they were taken, so there is room.
void CommitWriter::give_back() noexcept {
  for (; taken_used_ < taken_.size(); ++taken_used_) store_.free_slots_.give(taken_[taken_used_]);
}

Status CommitWriter::stage(const std::vector<PreparedOperation>& batch) {
  try {
    std::uint64_t rows = 0, upserts = 0;
    for (const PreparedOperation& operation : batch) {
      if (operation.kind != WriteBatch::Kind::upsert) continue;
      ++upserts;
      rows += operation.values;
    }
    reserve_ids(staged_ids_ + upserts);
    if (deaths_.capacity() < staged_kills_ + batch.size()) {
      deaths_.reserve(std::max<std::size_t>(staged_kills_ + batch.size(), 2 * deaths_.capacity()));
    }
    if (Status status = take_rows(rows); !status.ok()) return status;
    const std::size_t known = loaded_.size();
    Status status = look_up(batch);
    if (status.ok()) status = stage_markers(batch);  // last: it is all that a failure would leave
    if (!status.ok()) {
      loaded_.resize(known);
      return status;
    }
    staged_kills_ += batch.size();
    staged_ids_ += upserts;
    pending_rows_ += rows;
    return {};
  } catch (const std::bad_alloc&) {
    return {StatusCode::resource_exhausted, "not enough memory for the batch; nothing was written"};
  }
}

/// Reads what applying the batch will need of the loaded image, and checks it: from here on nothing can be damaged any
/// more. What it says of an id is kept, since a page may be condemned meanwhile.
Status CommitWriter::look_up(const std::vector<PreparedOperation>& batch) {
  if (loaded_used_ == loaded_.size()) {
    loaded_.clear();
    loaded_used_ = 0;
  }
  const std::size_t known = loaded_.size();
  loaded_.reserve(std::max(known + batch.size(), std::min(2 * known, known + kSortedPerCommit)));
  const index::ReadCheck check;
  for (const PreparedOperation& operation : batch) {
    if (operation.kind == WriteBatch::Kind::marker) continue;
    const Slot loaded = store_.ids_.find_loaded(operation.id);
    loaded_.push_back(loaded);
    for (const Slot head : {loaded, store_.ids_.find_written(operation.id)}) {
      std::uint32_t values = 0;  // a forged chain may have no end
      for (Slot slot = head; slot != kNoSlot && check.ok(); slot = store_.slots_.next_value(slot)) {
        store_.slots_.touch(slot);
        (void)store_.graph_.mapped_as_node(slot);
        // Nobody follows the chain of a dead point, whose other rows may be those of other points already.
        if (store_.slots_.died(head) != kNeverDied && !HF_PLANTED(chains_of_the_dead_are_followed)) break;
        if (++values <= kMaxValues && store_.slots_.belongs_to(head, slot)) continue;
        if (!check.ok()) break;
        loaded_.resize(known);
        return {StatusCode::data_damaged, "the vectors of id " + operation.id.to_string() +
                                              " do not belong together: row " + std::to_string(slot)};
      }
    }
    if (check.ok() || HF_PLANTED(write_believes_damaged_ids)) continue;
    loaded_.resize(known);
    return check.status();
  }
  return {};
}

Slot CommitWriter::find(PointId id) noexcept {
  const Slot loaded = loaded_[loaded_used_++];
  const Slot written = store_.ids_.find_written(id);
  return written != kNoSlot ? written : loaded;
}

/// Free rows first, then new ones at the end. What was taken before an error stays for the next batch.
Status CommitWriter::take_rows(std::uint64_t rows) {
  const std::uint64_t wanted = pending_rows_ + rows;
  if (wanted > kMaxSlots) return no_rows_left();
  if (Status status = store_.arrivals_.reserve(growing_end_ + wanted); !status.ok()) return status;
  if (taken_used_ == taken_.size()) {
    taken_.clear();
    taken_used_ = 0;
  }
  std::uint64_t available = taken_.size() - taken_used_;
  taken_.reserve(taken_.size() +
                 std::min<std::uint64_t>(wanted - std::min(wanted, available), store_.free_slots_.free()));
  for (Slot slot = kNoSlot; available < wanted && (slot = store_.free_slots_.take()) != kNoSlot;) {
    // A row of a mapped chunk is overwritten in place: what else stands in its page must have been checked before.
    if (!store_.vectors_.prepare_row(slot).ok()) continue;  // damaged: the row is left alone for good
    const index::ReadCheck check;
    store_.slots_.touch(slot);
    (void)store_.graph_.mapped_as_node(slot);
    if (!check.ok()) continue;
    taken_.push_back(slot);
    ++available;
  }
  const std::uint64_t end = slot_end_ + (wanted - std::min(wanted, available));
  if (end > kMaxSlots) return no_rows_left();
  if (Status status = store_.slots_.reserve(static_cast<Slot>(end)); !status.ok()) return status;
  if (Status status = store_.vectors_.reserve(static_cast<Slot>(end)); !status.ok()) return status;
  return store_.graph_.reserve(static_cast<Slot>(end));
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
      const Slot slot = find(operation.id);
      if (slot == kNoSlot || store_.slots_.died(slot) != kNeverDied) continue;  // nothing there: no effect
      kill(slot, lsn);
      --live_;
      ++applied.erased;
    }
  }
  return applied;
}

void CommitWriter::upsert(Lsn lsn, PreparedOperation& operation, Applied& applied) noexcept {
  SlotTable::Row head{operation.id, lsn, {}, true, std::move(operation.payload)};
  const Slot old = find(operation.id);
  const bool replaces = old != kNoSlot && store_.slots_.died(old) == kNeverDied;
  if (old != kNoSlot) head.previous = {old, replaces ? lsn : store_.slots_.died(old)};
  const Slot slot = write_row(operation, 0, std::move(head));
  Slot last = slot;
  for (std::uint32_t value = 1; value < operation.values; ++value) {
    const Slot next = write_row(operation, value, {operation.id, lsn, {}, false, nullptr});
    store_.slots_.append_value(last, next);
    last = next;
  }
  const bool lost = HF_PLANTED(update_is_lost_under_a_snapshot) && old != kNoSlot && store_.pins_.snapshots().count > 0;
  if (!lost) store_.ids_.insert(slot);
  if (replaces) {
    kill(old, lsn);
  } else {
    ++live_;
  }
  values_ += operation.values;
  ++applied.upserted;
  --staged_ids_;
}

Slot CommitWriter::write_row(const PreparedOperation& operation, std::uint32_t value, SlotTable::Row row) noexcept {
  const Slot slot = next_slot();
  store_.vectors_.assign_components(slot, operation.vectors.data() + value * store_.vectors_.vector_bytes());
  store_.slots_.assign(slot, std::move(row));
  store_.arrivals_.set(growing_end_++, slot);
  return slot;
}

Slot CommitWriter::next_slot() noexcept {
  --pending_rows_;
  return taken_used_ < taken_.size() ? taken_[taken_used_++] : slot_end_++;
}

void CommitWriter::kill(Slot head, Lsn lsn) noexcept {
  for (Slot slot = head; slot != kNoSlot; slot = store_.slots_.next_value(slot)) {
    store_.slots_.kill(slot, lsn);
    --values_;
    ++killed_rows_;
  }
  deaths_.push_back({head, lsn});  // has room: stage()
}

void CommitWriter::publish() {
  // Dead rows move on towards reuse. Who pins a view that is published from here on does not find their entries.
  store_.free_slots_.unname(kRecycledPerCommit + killed_rows_, [this](Slot slot) { store_.ids_.erase(slot); });
  store_.find_free_rows(kSortedPerCommit, false);
  {
    MutexLock lock(store_.publish_mutex_);
    View next = *store_.pins_.current();
    store_.free_slots_.rest(next.serial + 1);
    next.lsn = lsn_;
    next.slot_end = slot_end_;
    next.growing_end = growing_end_;
    next.live = live_;
    next.values = values_;
    // A row that was dead when the graph passed it is no node; these died only now.
    for (const Death& death : deaths_) {
      for (Slot slot = death.slot; slot != kNoSlot; slot = store_.slots_.next_value(slot)) {
        if (HF_PLANTED(dead_nodes_are_not_counted)) continue;
        next.dead_in_graph += store_.graph_.contains(slot, next.graph.epoch) ? 1 : 0;
      }
    }
    std::shared_ptr<const Markers> markers;
    if (markers_) markers = std::make_shared<const Markers>(*markers_);
    store_.publish(next);
    if (markers) store_.markers_ = std::move(markers);
  }
  try {
    for (const Death& death : deaths_) store_.reclaimer_.retire_payloads({&death.slot, 1}, death.lsn);
  } catch (const std::bad_alloc&) {
    // The payloads that are not in the queue now go when their rows are used again.
  }
  deaths_.clear();
  killed_rows_ = 0;
  markers_.reset();
  staged_kills_ = 0;
  store_.reclaimer_.collect();
  give_back();  // before others wake
  store_.free_slots_.wake(store_.reclaimer_.oldest_serial());
}

}  // namespace holdfast::engine
