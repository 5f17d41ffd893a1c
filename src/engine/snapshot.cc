#include "engine/snapshot.h"

#include "engine/clock.h"

namespace holdfast::engine {

SnapshotState::SnapshotState(std::shared_ptr<const CollectionState> collection)
    : collection_(std::move(collection)), entry_(collection_->store.pins().pin(&view_)) {
  lsn_ = view_->lsn;
  size_ = view_->live;
  PinTable::keep(entry_, *view_, now_ns(collection_->options));
}

Status SnapshotRead::status() const {
  if (entered_) return {};
  return {StatusCode::snapshot_expired, "the snapshot of lsn " + std::to_string(snapshot_.lsn_) + " of collection '" +
                                            snapshot_.collection_->name +
                                            "' was taken back (snapshot_bytes_max, snapshot_age_max); take a new one"};
}

Status wait_for_lsn(CollectionState& state, const SnapshotOptions& options) {
  constexpr std::chrono::seconds kPatience{10};
  const Lsn lsn = options.at_least;
  const auto reached = [&] { return Pin(state.store.pins())->lsn >= lsn; };
  if (lsn == 0 || reached()) return {};
  const Lsn assigned = state.wal->end().lsn;
  if (lsn > assigned) {
    return {StatusCode::invalid_argument, "no batch " + std::to_string(lsn) + " was ever written to collection '" +
                                              state.name + "': the last one is " + std::to_string(assigned)};
  }
  const Deadline deadline = options.deadline.value_or(std::chrono::steady_clock::now() + kPatience);
  // Once the queue was empty after the number had been assigned, it is decided. If no view shows it then, it is the
  // number of a mark of the log, after the last batch: there is nothing to wait for. Or its commit failed.
  const auto decided = [&] { return reached() || state.queue.idle(); };
  if (!state.published.wait_until(deadline, decided)) {
    return {StatusCode::deadline_exceeded,
            "batch " + std::to_string(lsn) + " of collection '" + state.name + "' is not committed yet"};
  }
  if (reached()) return {};
  const Status error = state.write_error();
  return error.code() == StatusCode::read_only ? error : Status();
}

}  // namespace holdfast::engine
