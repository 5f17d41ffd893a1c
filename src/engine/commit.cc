// One group at a time, by its leader:
//
//   stage   take all memory; a batch that does not fit is turned away here
//   log     one frame per batch, one write
//   sync    one fdatasync for all, if anybody asked for it
//   apply   slots, ids, payloads (cannot fail)
//   publish one view for the group
//
// Invariants
//  C1. Nothing is visible before it is as durable as its writers asked for.
//  C2. A failure between log and publish poisons the collection: readers keep the last view, writers are told.
//  C3. A batch that is turned away (limits, memory, disk full) leaves no trace.
//  C4. On a full disk what makes the store larger is turned away before it touches the reserve (disk_reserve.h), and
//      what does not goes on with it.
#include "engine/commit.h"

#include <algorithm>
#include <new>

#include "base/plant.h"
#include "base/try.h"
#include "engine/backpressure.h"
#include "engine/commit_writer.h"
#include "engine/disk_reserve.h"
#include "engine/limits.h"
#include "engine/validate.h"
#include "storage/wal_format.h"

namespace holdfast::engine {

namespace {

void fail_all(std::span<CommitRequest* const> requests, const Status& status) {
  for (CommitRequest* request : requests) request->status = status;
}

/// What a request comes with: whoever is given no outcome, for lack of memory, is not told that all is well.
Status no_outcome() { return {StatusCode::resource_exhausted, "not enough memory for the commit"}; }

Status unknown_outcome(const Status& cause) {
  return {StatusCode::outcome_unknown,
          "the log could not be written through to the disk (" + cause.to_string() +
              "); whether the batch survives shows when the store is reopened, until then it is read-only"};
}

bool grows(const CommitRequest& request) {
  return std::any_of(request.operations.begin(), request.operations.end(),
                     [](const PreparedOperation& operation) { return operation.kind == WriteBatch::Kind::upsert; });
}

/// Logs the bodies. Without upserts among them (`growing`) the reserve may be used.
Result<Lsn> append_group(CollectionState& state, std::span<CommitRequest* const> requests, bool growing) {
  std::vector<ByteSpan> bodies;
  bodies.reserve(requests.size());
  std::uint64_t bytes = 0;
  for (const CommitRequest* request : requests) {
    bodies.emplace_back(request->body);
    bytes += storage::frame_bytes(request->body.size());
  }
  if (growing && reserve_is_due(state, !state.wal->has_room(bodies))) {
    if (Status held = hold_reserve(state); !held.ok()) return held;  // C4
  }
  auto first = state.wal->append(bodies);
  if (growing || first.status().code() != StatusCode::disk_full) return first;
  const SegmentShare share(state, bytes);
  return share.empty() ? std::move(first) : state.wal->append(bodies);
}

/// Logs and, if asked, syncs. A failure is what the requests are to be told.
Result<Lsn> log_group(CollectionState& state, std::span<CommitRequest* const> requests, bool growing, bool sync) {
  auto first = append_group(state, requests, growing);
  if (!first.ok()) {
    // Full disk: rolled back. No file for the next segment: no frame depends on it. Nothing was kept either way.
    if (!state.wal->failed()) return first;
    state.poison(first.status());
    return unknown_outcome(first.status());
  }
  // power fails here: the group was not acknowledged and not seen; recovery keeps whichever of its frames are whole
  if (sync && !HF_PLANTED(acknowledged_before_sync)) {
    if (Status status = sync_log(state); !status.ok()) return unknown_outcome(status);
  }
  return first;
}

/// Stages, logs, applies and publishes. Every request gets its outcome. Returns those that deserve another try: they
/// stood beside upserts for which the disk has no room.
std::vector<CommitRequest*> commit_requests(CollectionState& state, std::span<CommitRequest* const> group) {
  CommitWriter writer(state.store);
  std::vector<CommitRequest*> staged, erasing;
  staged.reserve(group.size());
  erasing.reserve(group.size());
  bool sync = false;
  for (CommitRequest* request : group) {
    if (Status status = writer.stage(request->operations); !status.ok()) {
      request->status = std::move(status);
      continue;
    }
    staged.push_back(request);
    if (!grows(*request)) erasing.push_back(request);
    sync |= request->wants_sync;
  }
  if (staged.empty()) return {};
  const bool growing = erasing.size() < staged.size();
  const auto first = log_group(state, staged, growing, sync);
  if (!first.ok()) {
    fail_all(staged, first.status());
    if (first.status().code() != StatusCode::disk_full) return {};
    note_full_disk(state);
    return growing ? erasing : std::vector<CommitRequest*>();
  }
  if (growing) note_growth(state);

  if (HF_PLANTED(group_is_applied_backwards)) std::reverse(staged.begin(), staged.end());
  Lsn lsn = *first;
  for (CommitRequest* request : staged) {
    const Applied applied = writer.apply(lsn, request->operations);
    request->receipt = {lsn, applied.upserted, applied.erased};
    ++lsn;
  }
  try {
    writer.publish();
  } catch (const std::bad_alloc&) {
    const Status cause(StatusCode::resource_exhausted, "no memory to publish a commit");
    state.poison(cause);
    fail_all(staged, unknown_outcome(cause));
    return {};
  }
  state.published.notify_all();
  for (CommitRequest* request : staged) request->status = Status();
  state.acknowledged.fetch_add(staged.size(), std::memory_order_relaxed);
  return {};
}

void commit_group(CollectionState& state, std::span<CommitRequest* const> group) {
  if (Status error = state.write_error(); !error.ok()) return fail_all(group, error);
  const std::vector<CommitRequest*> again = commit_requests(state, group);
  if (!again.empty()) commit_requests(state, again);  // C4
}

void work_on_group(CollectionState& state, std::span<CommitRequest* const> group) {
  CommitRequest& leader = *group.front();
  const Lsn before = state.wal->end().lsn;
  try {
    if (leader.exclusive) {
      leader.status = leader.exclusive();
    } else {
      commit_group(state, group);
    }
  } catch (const std::bad_alloc&) {
    // What takes memory stands before the log, or is caught closer to it, or found a log that failed (W4 of its
    // writer).
    if (!state.wal->failed() && (leader.exclusive || state.wal->end().lsn == before)) {
      fail_all(group, {StatusCode::resource_exhausted, "not enough memory for the commit; nothing was written"});
    } else {
      const Status cause(StatusCode::resource_exhausted, "memory was short while the log was written");
      state.poison(cause);
      fail_all(group, unknown_outcome(cause));
    }
  }
}

/// Rows that the batch adds to the growing tier.
std::uint64_t rows_of(const std::vector<PreparedOperation>& operations) {
  std::uint64_t rows = 0;
  for (const PreparedOperation& operation : operations) rows += operation.values;  // 0 unless it is an upsert
  return rows;
}

void notify_background(CollectionState& state, Durability durability) {
  if (!state.options.background) return;
  if (durability == Durability::interval) state.interval_pending.store(true, std::memory_order_relaxed);
  state.signals->index.ring();
  if (state.log_bytes() >= state.checkpoint_wanted_at.load(std::memory_order_relaxed)) state.signals->checkpoint.ring();
  if (state.wal->wants_next()) state.signals->log.ring();
}

}  // namespace

Result<WriteReceipt> write(CollectionState& state, const WriteBatch& batch, const WriteOptions& options) {
  if (Status error = state.write_error(); !error.ok()) return error;
  const Durability durability = options.durability.value_or(state.options.open.durability);
  try {
    if (!HF_PLANTED(logged_before_validated)) HF_TRY(validate_batch(batch, state.config));
    if (batch.empty()) return WriteReceipt{};
    CommitRequest request;
    request.status = no_outcome();
    request.body = encode_batch(batch, state.config.type);
    // The same decoding as at replay: what cannot be replayed cannot be logged.
    auto operations = decode_batch(request.body, state.config.dimension, state.config.type);
    if (!operations.ok()) return Status(StatusCode::internal, std::string(operations.status().message()));
    request.operations = std::move(operations).value();
    request.wants_sync = durability == Durability::sync;
    if (state.options.background && !options.bulk) hold_back(state, rows_of(request.operations));
    state.queue.submit(request, [&](std::span<CommitRequest* const> group) { work_on_group(state, group); });
    if (!request.status.ok()) return request.status;
    enforce_limits(state);
    notify_background(state, durability);
    return request.receipt;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::resource_exhausted, "not enough memory for the batch; nothing was written");
  }
}

Status run_exclusive(CollectionState& state, std::function<Status()> work) {
  CommitRequest request;
  request.status = no_outcome();
  request.exclusive = std::move(work);
  state.queue.submit(request, [&](std::span<CommitRequest* const> group) { work_on_group(state, group); });
  return request.status;
}

void close_log(CollectionState& state) noexcept {
  CommitRequest request;
  request.exclusive = [&state]() -> Status {
    state.poison(Status());  // without effect if it was closed in words
    state.wal->close();
    return {};
  };
  state.queue.submit(request, [&state](std::span<CommitRequest* const> group) { work_on_group(state, group); });
}

Status sync_log(CollectionState& state) {
  Status status = state.wal->sync();
  if (!status.ok() && !HF_PLANTED(commits_go_on_after_a_failed_sync)) state.poison(status);
  return status;
}

Status flush(CollectionState& state) {
  return run_exclusive(state, [&]() -> Status {
    HF_TRY(state.write_error());
    if (HF_PLANTED(flush_syncs_nothing)) return {};
    return sync_log(state);
  });
}

void recycle_rows(CollectionState& state) noexcept {
  try {
    const FreeSlots& rows = state.store.free_slots();
    std::size_t before = rows.released() + 1;
    for (std::size_t left = 0; (left = rows.released()) != 0 && left < before;) {  // less each time, or memory is short
      before = left;
      const bool done = run_exclusive(state, [&]() -> Status {
                          HF_TRY(state.write_error());
                          CommitWriter(state.store).publish();  // nothing but a newer view
                          return {};
                        }).ok();
      if (!done) return;
    }
  } catch (const std::bad_alloc&) {
    // The next commit does it.
  }
}

}  // namespace holdfast::engine
