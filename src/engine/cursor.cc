#include "engine/cursor.h"

#include <algorithm>
#include <new>

#include "base/plant.h"
#include "base/try.h"
#include "engine/read_stop.h"
#include "engine/search.h"
#include "engine/validate.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

constexpr std::uint32_t kDefaultEf = 100;

Status no_memory() { return {StatusCode::resource_exhausted, "not enough memory for the cursor"}; }

}  // namespace

CursorState::CursorState(std::shared_ptr<const SnapshotState> snapshot, std::span<const float> query,
                         const CursorOptions& options)
    : snapshot_(std::move(snapshot)),
      with_payload_(options.with_payload),
      nearest_(snapshot_->collection(), query,
               {.ef = options.ef == 0 ? kDefaultEf : options.ef, .exact = options.exact}) {
  const auto lock = [this]() HF_NO_THREAD_SAFETY_ANALYSIS {
    (void)const_cast<CollectionState&>(snapshot_->collection()).graph_mutex.try_lock();  // for good
  };
  if (HF_PLANTED(cursor_holds_a_lock)) lock();
}

void CursorState::draw(const View& view, std::uint32_t n, const index::StopCheck& stop) {
  if (drawn_.size() >= n) return;
  const SlotTable& slots = snapshot_->collection().store.slots();
  drawn_.reserve(n);
  const index::ReadCheck check;
  struct Remember {  // also when memory runs out on the way
    const index::ReadCheck& check;
    bool& damaged;
    ~Remember() { damaged = damaged || !check.ok(); }
  } const remember{check, damaged_};
  nearest_.draw(view, n - static_cast<std::uint32_t>(drawn_.size()), stop, [&](const index::Candidate& row) {
    if (is_alone(slots, row.slot) || several_.insert(slots.id(row.slot)).second) drawn_.push_back(row);
    return drawn_.size() < n;
  });
  if (!check.ok()) damage_ = check.status();
  std::sort(drawn_.begin(), drawn_.end());  // some may have been discovered late
}

Result<Hits> CursorState::next(std::uint32_t n, const ReadLimits& limits) {
  try {
    if (n > kMaxK) {
      return Status(StatusCode::invalid_argument,
                    "n must be at most " + std::to_string(kMaxK) + ", got " + std::to_string(n));
    }
    const SnapshotRead read(*snapshot_);
    HF_TRY(read.status());
    Hits hits;
    if (n == 0) return hits;
    ReadStop stop(limits);
    if (!damaged_) draw(read.view(), n, stop.check());
    if (damaged_) return damage();  // set by draw(), too
    hits.stopped = stop.reason();
    const index::ReadCheck check;
    const std::size_t count = std::min<std::size_t>(n, drawn_.size());
    hits.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      HF_ASSIGN(Hit hit, make_hit(snapshot_->collection(), read.view(), drawn_[i], with_payload_));
      hits.push_back(std::move(hit));
    }
    if (!check.ok()) return check.status();  // the ids of what was found; asked again, they are read again
    drawn_.erase(drawn_.begin(), drawn_.begin() + static_cast<std::ptrdiff_t>(count));
    given_ += count;
    return hits;
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

Status CursorState::damage() const {
  if (!damage_.ok()) return damage_;
  return {StatusCode::data_damaged, "the cursor met damage before, and there was no memory to say which"};
}

bool CursorState::exhausted() const noexcept {
  if (damaged_) return false;
  return given_ == snapshot_->size() || (nearest_.finished() && drawn_.empty());
}

void CursorState::reset() noexcept {
  nearest_.reset();
  drawn_.clear();
  several_.clear();
  given_ = 0;
  damaged_ = false;
  damage_ = Status();
}

Result<std::unique_ptr<CursorState>> open_cursor(std::shared_ptr<const SnapshotState> snapshot,
                                                 std::span<const float> query, const CursorOptions& options) {
  try {
    SearchOptions same;
    same.ef = options.ef;
    HF_TRY(validate_search(query, same, snapshot->collection().config));
    const SnapshotRead read(*snapshot);
    HF_TRY(read.status());
    return std::make_unique<CursorState>(std::move(snapshot), query, options);
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

}  // namespace holdfast::engine
