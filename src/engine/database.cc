// The public handles: each call goes to the room that does the work.
#include "holdfast/database.h"

#include <new>

#include "engine/checkpoint.h"
#include "engine/commit.h"
#include "engine/database_state.h"
#include "engine/indexer.h"
#include "engine/search.h"
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

}  // namespace

// --- Snapshot ---

Result<Hits> Snapshot::search(std::span<const float> query, const SearchOptions& options) const {
  return engine::search(*state_->state, *state_->view, query, options);
}
Result<Point> Snapshot::get(PointId id) const { return engine::get(*state_->state, *state_->view, id); }
std::uint64_t Snapshot::size() const noexcept { return state_->view->live; }
Lsn Snapshot::lsn() const noexcept { return state_->view->lsn; }
Result<std::vector<PointId>> Snapshot::ids(std::uint64_t after, std::size_t limit, std::uint64_t* next) const {
  return guarded<Result<std::vector<PointId>>>(
      [&] { return engine::list_ids(*state_->state, *state_->view, after, limit, next); });
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
  return engine::write(*state_, batch, options);
}
Result<Point> Collection::get(PointId id) const {
  return guarded<Result<Point>>([&]() -> Result<Point> {
    const engine::Pin view(state_->store.pins());
    return engine::get(*state_, *view, id);
  });
}
Snapshot Collection::snapshot() const { return Snapshot(std::make_shared<const engine::SnapshotState>(state_)); }
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
Status Collection::checkpoint() { return engine::checkpoint(*state_); }
Status Collection::wait_until_indexed() {
  return guarded<Status>([&] { return engine::wait_until_indexed(*state_); });
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
  auto state = state_->find(name);
  if (!state.ok()) return state.status();
  return Collection(std::move(state).value());
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
