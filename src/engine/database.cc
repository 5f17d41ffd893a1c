// The public handles: each call goes to the room that does the work.
#include "holdfast/database.h"

#include <new>

#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/cursor.h"
#include "engine/database_state.h"
#include "engine/indexer.h"
#include "engine/search.h"
#include "engine/snapshot.h"
#include "engine/stats.h"

namespace holdfast {

namespace {

Status no_memory() { return {StatusCode::resource_exhausted, "not enough memory"}; }

/// No exception crosses the API.
template <class Outcome, class Work>
Outcome guarded(Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return no_memory();
  }
}

/// One read through a snapshot, unless it has expired.
template <class Outcome, class Work>
Outcome read_through(const std::shared_ptr<const engine::SnapshotState>& snapshot, Work work) {
  return guarded<Outcome>([&]() -> Outcome {
    if (snapshot == nullptr) return no_memory();  // see Collection::snapshot()
    const engine::SnapshotRead read(*snapshot);
    if (Status status = read.status(); !status.ok()) return status;
    return work(snapshot->collection(), read.view());
  });
}

}  // namespace

// --- Cursor ---

Cursor::Cursor(std::unique_ptr<engine::CursorState> state) : state_(std::move(state)) {}
Cursor::Cursor(Cursor&&) noexcept = default;
Cursor& Cursor::operator=(Cursor&&) noexcept = default;
Cursor::~Cursor() = default;

Result<Hits> Cursor::next(std::uint32_t n, const ReadLimits& limits) {
  return guarded<Result<Hits>>([&] { return state_->next(n, limits); });
}
bool Cursor::exhausted() const noexcept { return state_->exhausted(); }
void Cursor::reset() noexcept { state_->reset(); }

// --- Snapshot ---

Result<Hits> Snapshot::search(std::span<const float> query, const SearchOptions& options) const {
  return read_through<Result<Hits>>(
      state_, [&](const auto& state, const auto& view) { return engine::search(state, view, query, options); });
}
Result<std::vector<Hits>> Snapshot::search_batch(std::span<const float> queries, const SearchOptions& options,
                                                 std::uint32_t threads) const {
  return read_through<Result<std::vector<Hits>>>(state_, [&](const auto& state, const auto& view) {
    return engine::search_batch(state, view, queries, options, threads);
  });
}
Result<Hits> Snapshot::search_range(std::span<const float> query, const RangeOptions& options) const {
  return read_through<Result<Hits>>(
      state_, [&](const auto& state, const auto& view) { return engine::search_range(state, view, query, options); });
}
Result<Cursor> Snapshot::cursor(std::span<const float> query, const CursorOptions& options) const {
  return guarded<Result<Cursor>>([&]() -> Result<Cursor> {
    if (state_ == nullptr) return no_memory();
    auto cursor = engine::open_cursor(state_, query, options);
    if (!cursor.ok()) return cursor.status();
    return Cursor(std::move(cursor).value());
  });
}
Result<Point> Snapshot::get(PointId id) const {
  return read_through<Result<Point>>(state_,
                                     [&](const auto& state, const auto& view) { return engine::get(state, view, id); });
}
Result<float> Snapshot::distance(PointId id, std::span<const float> query) const {
  return read_through<Result<float>>(
      state_, [&](const auto& state, const auto& view) { return engine::distance(state, view, id, query); });
}
std::uint64_t Snapshot::size() const noexcept { return state_ == nullptr ? 0 : state_->size(); }
Lsn Snapshot::lsn() const noexcept { return state_ == nullptr ? 0 : state_->lsn(); }
bool Snapshot::expired() const noexcept { return state_ == nullptr || state_->expired(); }
Result<std::vector<PointId>> Snapshot::ids(std::uint64_t after, std::size_t limit, std::uint64_t* next) const {
  return read_through<Result<std::vector<PointId>>>(
      state_, [&](const auto& state, const auto& view) { return engine::list_ids(state, view, after, limit, next); });
}
Result<std::vector<Point>> Snapshot::points(std::uint64_t after, std::size_t limit, std::uint64_t* next) const {
  return read_through<Result<std::vector<Point>>>(state_, [&](const auto& state, const auto& view) {
    return engine::list_points(state, view, after, limit, next);
  });
}

// --- Collection ---

const std::string& Collection::name() const noexcept { return state_->name; }
const CollectionConfig& Collection::config() const noexcept { return state_->config; }

Result<WriteReceipt> Collection::upsert(PointId id, std::span<const float> vector, std::string_view payload,
                                        const WriteOptions& options) {
  return guarded<Result<WriteReceipt>>([&] {
    WriteBatch batch;
    batch.upsert(id, vector, payload);
    return engine::write(*state_, batch, options);
  });
}
Result<WriteReceipt> Collection::erase(PointId id, const WriteOptions& options) {
  return guarded<Result<WriteReceipt>>([&] {
    WriteBatch batch;
    batch.erase(id);
    return engine::write(*state_, batch, options);
  });
}
Result<WriteReceipt> Collection::write(const WriteBatch& batch, const WriteOptions& options) {
  return guarded<Result<WriteReceipt>>([&] { return engine::write(*state_, batch, options); });
}
Result<Point> Collection::get(PointId id) const {
  return guarded<Result<Point>>([&]() -> Result<Point> {
    const engine::Pin view(state_->store.pins());
    return engine::get(*state_, *view, id);
  });
}
Snapshot Collection::snapshot() const {
  try {
    return Snapshot(std::make_shared<const engine::SnapshotState>(state_));
  } catch (const std::bad_alloc&) {
    return Snapshot(nullptr);  // whose reads say so
  }
}
Result<Snapshot> Collection::snapshot(const SnapshotOptions& options) const {
  return guarded<Result<Snapshot>>([&]() -> Result<Snapshot> {
    if (Status status = engine::wait_for_lsn(*state_, options); !status.ok()) return status;
    Snapshot taken = snapshot();
    if (taken.state_ == nullptr) return no_memory();
    return taken;
  });
}
Result<Hits> Collection::search(std::span<const float> query, const SearchOptions& options) const {
  return guarded<Result<Hits>>([&]() -> Result<Hits> {
    const engine::Pin view(state_->store.pins());
    return engine::search(*state_, *view, query, options);
  });
}
std::optional<std::string> Collection::marker(std::string_view key) const {
  const auto markers = state_->store.markers();
  const auto found = markers->find(key);
  return found == markers->end() ? std::nullopt : std::optional(found->second);
}
Status Collection::flush() {
  return guarded<Status>([&] { return engine::flush(*state_); });
}
Status Collection::checkpoint() {
  return guarded<Status>([&] { return engine::checkpoint(*state_, engine::IfUnchanged::let_go_of_older); });
}
Status Collection::wait_until_indexed() {
  return guarded<Status>([&] { return engine::wait_until_indexed(*state_); });
}
Status Collection::calibrate(Preset preset) {
  return guarded<Status>([&] { return engine::calibrate(*state_, preset); });
}

Status Collection::vacuum() {
  return guarded<Status>([&] { return engine::vacuum(*state_); });
}
CollectionStats Collection::stats() const { return engine::collect_stats(*state_); }
const RecoveryReport& Collection::recovery_report() const noexcept { return state_->report; }

// --- Database ---

Result<Database> Database::open(const std::filesystem::path& path, const OpenOptions& options) {
  engine::EngineOptions engine_options;
  engine_options.open = options;
  return open_with(path, engine_options);
}
Result<Database> Database::open_with(const std::filesystem::path& path, const engine::EngineOptions& options) {
  return guarded<Result<Database>>([&]() -> Result<Database> {
    auto state = engine::DatabaseState::open(path.string(), options);
    if (!state.ok()) return state.status();
    return Database(std::move(state).value());
  });
}
Result<Collection> Database::create_collection(std::string_view name, const CollectionConfig& config) {
  return guarded<Result<Collection>>([&]() -> Result<Collection> {
    auto state = state_->create(name, config);
    if (!state.ok()) return state.status();
    return Collection(std::move(state).value());
  });
}
Result<Collection> Database::collection(std::string_view name) const {
  return guarded<Result<Collection>>([&]() -> Result<Collection> {
    auto state = state_->find(name);
    if (!state.ok()) return state.status();
    return Collection(std::move(state).value());
  });
}
Status Database::drop_collection(std::string_view name) {
  return guarded<Status>([&] { return state_->drop(name); });
}
std::vector<std::string> Database::collections() const { return state_->names(); }
std::vector<QuarantinedCollection> Database::quarantined() const { return state_->quarantined(); }
Status Database::close() {
  return guarded<Status>([&] { return state_->close(); });
}

}  // namespace holdfast
