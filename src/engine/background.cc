#include "engine/background.h"

#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include "base/plant.h"
#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/disk_reserve.h"
#include "engine/indexer.h"
#include "engine/limits.h"
#include "engine/scrub.h"
#include "os/thread_priority.h"

namespace holdfast::engine {

namespace {

using std::chrono::milliseconds;

// The bells wake the threads; these are only for what nobody rings for (retrying after an error, noticing idleness).
constexpr milliseconds kIndexPatience{1000};
constexpr milliseconds kCheckpointPatience{1000};
constexpr milliseconds kLogPatience{250};
constexpr milliseconds kScrubPatience{1000};
constexpr milliseconds kScrubStart{1000};  ///< whoever opens a store for a moment has no use for it
constexpr std::uint64_t kScrubDebtMaxMs = 60'000;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// One turn of the log's upkeep for one collection.
void look_after_log(CollectionState& state) {
  if (!state.write_error().ok()) return;
  // Errors here lose nothing: the next append makes its own segment, and a failed sync poisons the collection.
  // The reserve comes first: what is made ahead must not take its room.
  if (state.wal->wants_next() && hold_reserve(state).ok()) state.wal->prepare_next().ignore();
  if (state.reserve.bytes() < state.reserve.wanted()) restore_reserve(state);
  if (HF_PLANTED(interval_sync_is_forgotten)) state.interval_pending.store(false, std::memory_order_relaxed);
  if (state.interval_pending.exchange(false, std::memory_order_relaxed) && !flush(state).ok()) {
    state.interval_pending.store(true, std::memory_order_relaxed);  // not forgotten, unless the collection is poisoned
  }
  // A log that nobody wrote to since the last turn gets a mark, which proves its last frames to a later reader.
  const Lsn end = state.wal->end().lsn;
  const bool written = state.wal->stats().frames > 0;
  if (written && end == state.last_write_seen.load(std::memory_order_relaxed) && state.wal->synced_lsn() == end) {
    run_exclusive(state, [&]() -> Status {
      if (Status error = state.write_error(); !error.ok()) return error;
      Status status = state.wal->mark();
      if (!state.wal->error().ok()) state.poison(status);  // the log's own state decides, as in commit
      return status;
    }).ignore();
  }
  state.last_write_seen.store(state.wal->end().lsn, std::memory_order_relaxed);
}

}  // namespace

Background::Background(std::shared_ptr<Signals> signals, const OpenOptions& options, std::function<Collections()> list)
    : signals_(std::move(signals)),
      log_period_(std::min(options.sync_interval, kLogPatience)),
      scrub_bytes_per_second_(options.scrub_bytes_per_second),
      scrub_interval_(options.scrub_interval),
      list_(std::move(list)) {}

Status Background::start() {
  try {
    threads_.emplace_back([this] { index_loop(); });
    threads_.emplace_back([this] { checkpoint_loop(); });
    threads_.emplace_back([this] { log_loop(); });
    if (scrub_bytes_per_second_ != 0) threads_.emplace_back([this] { scrub_loop(); });
    return {};
  } catch (const std::exception& error) {
    // The destructor stops and joins those that run already.
    return {StatusCode::resource_exhausted,
            std::string("no thread to be had for background work (") + error.what() + "): raise the limit (ulimit -u)"};
  }
}

Background::~Background() { stop(); }

void Background::stop() {
  signals_->stop.store(true, std::memory_order_release);  // pairs with stopping()
  signals_->index.ring();
  signals_->checkpoint.ring();
  signals_->log.ring();
  signals_->scrub.ring();
}

bool Background::stopping() const noexcept { return signals_->stop.load(std::memory_order_acquire); }

template <class Work>
void Background::one_turn(Work work) {
  try {
    for (const auto& state : list_()) {
      if (stopping()) return;
      work(*state);
    }
  } catch (const std::bad_alloc&) {
    // An exception that leaves a thread ends the process. The next turn tries again.
  }
}

void Background::index_loop() {
  os::step_aside();  // readers and writers first; backpressure keeps the growing tier short all the same
  while (!stopping()) {
    bool worked = false;
    one_turn([&](CollectionState& state) {
      const auto step = index_step(state);  // an error is kept in state.last_index or last_vacuum, and tried again
      worked |= step.ok() && *step;
    });
    if (!worked) signals_->index.wait_for(kIndexPatience);
  }
}

void Background::checkpoint_loop() {
  os::step_aside();
  while (!stopping()) {
    one_turn([](CollectionState& state) {
      if (!wants_checkpoint(state) || !state.write_error().ok()) return;
      checkpoint(state).ignore();  // the log keeps everything; tried again after more log
    });
    signals_->checkpoint.wait_for(kCheckpointPatience);
  }
}

/// Each collection has passes of its own. A turn reads a tenth of what a second allows and then waits for what it read
/// to have been allowed, so that a log, which is read in one piece, is paid for afterwards.
void Background::scrub_loop() {
  os::step_aside();
  signals_->scrub.wait_for(kScrubStart);
  const std::uint64_t slice = std::max<std::uint64_t>(scrub_bytes_per_second_ / 10, 1);
  while (!stopping()) {
    std::uint64_t bytes = 0;
    one_turn([&](CollectionState& state) {
      if (now_us() < state.scrub_rests_until_us.load(std::memory_order_relaxed)) return;
      const ScrubStep step = scrub_step(state, slice);
      bytes += step.bytes;
      if (!step.pass_done) return;
      const std::int64_t rest = std::chrono::duration_cast<std::chrono::microseconds>(scrub_interval_).count();
      state.scrub_rests_until_us.store(now_us() + rest, std::memory_order_relaxed);
    });
    const std::uint64_t owed_ms = bytes / std::max<std::uint64_t>(scrub_bytes_per_second_ / 1000, 1);
    const auto pause = milliseconds(static_cast<std::int64_t>(std::min<std::uint64_t>(owed_ms, kScrubDebtMaxMs)));
    if (!stopping()) signals_->scrub.wait_for(bytes == 0 ? kScrubPatience : std::max(pause, milliseconds(1)));
  }
}

void Background::log_loop() {
  while (!stopping()) {
    one_turn([](CollectionState& state) {
      look_after_log(state);
      enforce_limits(state);
      state.store.reclaimer().collect();
      recycle_rows(state);
    });
    signals_->log.wait_for(log_period_);
  }
}

}  // namespace holdfast::engine
