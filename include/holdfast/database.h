// Holdfast's C++ API: Database, Collection, Snapshot.
//
//   auto db = holdfast::Database::open("store").value();
//   auto notes = db.create_collection("notes", {.dimension = 384, .metric = Metric::cosine}).value();
//   auto written = notes.upsert(1, embedding, R"({"text":"hello"})");   // ok: durable
//   for (const auto& hit : notes.snapshot().search(query, {.k = 5}).value()) ...
//
// Thread safety: every member function of these three classes may be called from any thread at any
// time. Handles are cheap to copy and share their state. Searching never takes a lock.
// A Snapshot may outlive the Collection and the Database that it came from.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/status.h"
#include "holdfast/types.h"

namespace holdfast {

namespace engine {
class CollectionState;
class DatabaseState;
class SnapshotState;
class CursorState;
struct EngineOptions;
}  // namespace engine

/// The points of one snapshot in order of their distance to a query, handed out piece by piece. Holds the snapshot; no
/// lock. May be moved between threads, but not used by two at once. Dropping it costs nothing.
class Cursor {
 public:
  /// The next best `n` points (fewer: the end is near; none: the end). Together the answers hold no point twice and
  /// leave none out. `n` = 0 gives none. A point that the walk discovers late comes with the next answer.
  /// Past its limits: what was found by then (Hits::stopped); go on by calling again.
  /// Errors: invalid_argument (n > kMaxK), snapshot_expired, data_damaged (until reset: nobody knows what comes next).
  [[nodiscard]] Result<Hits> next(std::uint32_t n, const ReadLimits& limits = {});
  /// Whether everything has been handed out.
  [[nodiscard]] bool exhausted() const noexcept;
  /// Begins again with the nearest point.
  void reset() noexcept;

  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

 private:
  friend class Snapshot;
  explicit Cursor(std::unique_ptr<engine::CursorState> state);
  std::unique_ptr<engine::CursorState> state_;
};

/// One frozen instant of a collection. Capture is O(1) and waits for nobody; the same query gives the same
/// answer, bit for bit, for as long as the handle lives. Release it (destroy it) to let memory be freed.
class Snapshot {
 public:
  /// The k nearest live points of this instant. `query` has `dimension` finite components.
  /// Errors: invalid_argument (dimension, NaN, k, ef, zero query under cosine), snapshot_expired, data_damaged (it
  /// touched a damaged page of a checkpoint; names file and offset).
  [[nodiscard]] Result<Hits> search(std::span<const float> query, const SearchOptions& options = {}) const;
  /// Many queries, one after the other in `queries` (n x dimension), on up to `threads` threads (0: one per core). The
  /// answers do not depend on the number of threads. Errors: as search(); none or all.
  [[nodiscard]] Result<std::vector<Hits>> search_batch(std::span<const float> queries,
                                                       const SearchOptions& options = {},
                                                       std::uint32_t threads = 0) const;
  /// All points within a distance, nearest first. Errors: as search().
  [[nodiscard]] Result<Hits> search_range(std::span<const float> query, const RangeOptions& options) const;
  /// Errors: as search().
  [[nodiscard]] Result<Cursor> cursor(std::span<const float> query, const CursorOptions& options = {}) const;
  /// The point as of this instant. Errors: not_found, data_damaged, snapshot_expired.
  [[nodiscard]] Result<Point> get(PointId id) const;
  /// Distance from `query` to the (nearest vector of the) point. Errors: not_found, invalid_argument, snapshot_expired,
  /// data_damaged.
  [[nodiscard]] Result<float> distance(PointId id, std::span<const float> query) const;
  /// Number of live points.
  [[nodiscard]] std::uint64_t size() const noexcept;
  /// Last batch that this snapshot contains.
  [[nodiscard]] Lsn lsn() const noexcept;
  /// Whether a budget (OpenOptions) has taken it back: every read then answers snapshot_expired.
  [[nodiscard]] bool expired() const noexcept;
  /// Live points in the order of rows, which is fixed within a snapshot, `limit` at most, beginning after position
  /// `after` (0: from the start). `next` receives the position to go on from; equal to `after` when there are no more.
  [[nodiscard]] Result<std::vector<PointId>> ids(std::uint64_t after, std::size_t limit, std::uint64_t* next) const;
  /// The same with vectors and payloads.
  [[nodiscard]] Result<std::vector<Point>> points(std::uint64_t after, std::size_t limit, std::uint64_t* next) const;

 private:
  friend class Collection;
  explicit Snapshot(std::shared_ptr<const engine::SnapshotState> state) : state_(std::move(state)) {}
  std::shared_ptr<const engine::SnapshotState> state_;
};

/// A set of points of one dimension and metric, with its own log, checkpoints and graph.
class Collection {
 public:
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] const CollectionConfig& config() const noexcept;

  /// Inserts or replaces one point. See write().
  Result<WriteReceipt> upsert(PointId id, std::span<const float> vector, std::string_view payload = {},
                              const WriteOptions& options = {});
  /// Removes one point if it exists; receipt.erased tells.
  Result<WriteReceipt> erase(PointId id, const WriteOptions& options = {});
  /// Applies a batch atomically. When it returns ok under Durability::sync the batch survives power loss and is
  /// visible to every later snapshot. Writers on many threads share one fdatasync.
  /// Errors: invalid_argument (nothing logged), disk_full (nothing kept; free space and retry), read_only,
  /// outcome_unknown (the sync failed: reopen to learn), closed.
  Result<WriteReceipt> write(const WriteBatch& batch, const WriteOptions& options = {});

  /// The newest committed version of a point. Errors: not_found, data_damaged.
  [[nodiscard]] Result<Point> get(PointId id) const;
  /// O(1): a few stores, no lock, whatever the size of the collection. (Should there be no memory for the handle, its
  /// reads answer resource_exhausted.)
  [[nodiscard]] Snapshot snapshot() const;
  /// Errors: invalid_argument (no such batch was ever written here), deadline_exceeded.
  [[nodiscard]] Result<Snapshot> snapshot(const SnapshotOptions& options) const;
  /// snapshot().search(...).
  [[nodiscard]] Result<Hits> search(std::span<const float> query, const SearchOptions& options = {}) const;
  /// The value last set by WriteBatch::set_marker, or nothing.
  [[nodiscard]] std::optional<std::string> marker(std::string_view key) const;

  /// Makes every acknowledged write durable, whatever its Durability.
  Status flush();
  /// Writes a checkpoint of this instant and shortens the log. Blocks the caller only. data_damaged: it needs rows of a
  /// damaged page (the message names file, offset and points); the log keeps everything.
  Status checkpoint();
  /// Returns once the graph holds every point that was committed before the call.
  Status wait_until_indexed();
  /// Measures which beam width gives which recall (SearchOptions::recall), unless that was done and the collection has
  /// not changed much since. Blocks the caller only. The background does the same after the first search that asks for
  /// a recall, and again when the points have doubled, when half of them were replaced, and for new codes. What was
  /// measured is not stored. A collection of fewer than 1,000 points is left alone: the assumed width is enough.
  /// Errors: data_damaged, resource_exhausted, closed.
  Status calibrate(Preset preset = Preset::balanced);
  /// Removes every dead node from the graph now, however few there are, and mends the links around them. Background
  /// vacuum does the same from OpenOptions::vacuum_percent on. Blocks the caller only.
  Status vacuum();

  [[nodiscard]] CollectionStats stats() const;
  [[nodiscard]] const RecoveryReport& recovery_report() const noexcept;

 private:
  friend class Database;
  explicit Collection(std::shared_ptr<engine::CollectionState> state) : state_(std::move(state)) {}
  std::shared_ptr<engine::CollectionState> state_;
};

/// Why a collection is not served.
struct QuarantinedCollection {
  std::string name;
  Status status;
};

/// A directory with any number of collections, held by one process at a time.
class Database {
 public:
  /// Opens (or creates) the store at `path`. Costs as much as the log tails are long; builds no graph.
  /// A damaged collection is quarantined by name while the others serve.
  /// Errors: already_open (names the pid), not_a_store, unsupported_format, data_damaged, io_error.
  [[nodiscard]] static Result<Database> open(const std::filesystem::path& path, const OpenOptions& options = {});
  /// For tests and tools that bring their own file system; not part of the stable API.
  [[nodiscard]] static Result<Database> open_with(const std::filesystem::path& path,
                                                  const engine::EngineOptions& options);

  /// Names: 1..kMaxNameBytes of [A-Za-z0-9._-], not starting with '.'.
  /// Errors: invalid_argument, already_exists, disk_full, io_error.
  Result<Collection> create_collection(std::string_view name, const CollectionConfig& config);
  /// Errors: not_found, or the damage for which the collection is quarantined.
  [[nodiscard]] Result<Collection> collection(std::string_view name) const;
  /// Removes a collection and its files for good. Handles and snapshots that exist keep reading; writing is `closed`.
  Status drop_collection(std::string_view name);
  /// Names in alphabetical order, quarantined ones left out.
  [[nodiscard]] std::vector<std::string> collections() const;
  [[nodiscard]] std::vector<QuarantinedCollection> quarantined() const;

  /// Stops background work, checkpoints (if so configured), writes the clean-close mark and lets go of the
  /// directory. Later writes return `closed`. Runs when the last handle goes, too, but then no error can be seen.
  Status close();

 private:
  explicit Database(std::shared_ptr<engine::DatabaseState> state) : state_(std::move(state)) {}
  std::shared_ptr<engine::DatabaseState> state_;
};

}  // namespace holdfast
