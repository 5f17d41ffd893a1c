// Everything that belongs to one open collection. It holds state; the work is done by free functions in commit,
// indexer, checkpoint, recovery and search.
//
// Locks, in the order in which they may be taken:
//   checkpoint_mutex > leadership of the commit queue > graph_mutex > (PointStore's publish mutex) > (reclaimer)
// Readers take none of them.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "engine/commit_queue.h"
#include "engine/options.h"
#include "engine/point_store.h"
#include "engine/publish_signal.h"
#include "engine/signals.h"
#include "storage/manifest.h"
#include "storage/wal_writer.h"

namespace holdfast::engine {

/// What the newest checkpoint holds, so that the next one rewrites only what changed.
struct CheckpointState {
  storage::Manifest manifest;                         ///< the newest one
  GraphEpoch epoch = 0;                               ///< of the graph in it
  std::vector<std::uint64_t> generations;             ///< kept, newest first; at most two
  std::vector<storage::ExtentInfo> previous_extents;  ///< named by the older kept generation
  Lsn previous_lsn = 0;                               ///< of the older kept generation
  std::uint64_t next_generation = 1;                  ///< above every manifest file that exists
};

/// A graph that was made but not published yet. Memory may be short just then; the next step of the indexer goes on
/// here.
struct PendingGraph {
  PendingGraph() = default;
  PendingGraph(PendingGraph&&) = default;
  PendingGraph& operator=(PendingGraph&&) = default;
  ~PendingGraph();  ///< frees the lists that nobody took over

  index::GraphRoot root;
  Slot growing_begin = 0;
  std::vector<index::NewNode> added;
  RetiredBatch retired{1};
};

class CollectionState {
 public:
  CollectionState(std::string name, std::string directory, Uuid uuid, const CollectionConfig& config,
                  const EngineOptions& options, std::shared_ptr<Signals> signals);
  CollectionState(const CollectionState&) = delete;
  CollectionState& operator=(const CollectionState&) = delete;

  // --- fixed ---
  const std::string name;
  const std::string directory;  ///< <store>/c-<uuid>
  const Uuid uuid;
  const CollectionConfig config;
  const EngineOptions options;
  os::FileSystem& fs;
  const std::shared_ptr<Signals> signals;

  // --- data ---
  PointStore store;

  // --- commit ---
  CommitQueue queue;                           ///< whoever leads it may use `wal`
  std::unique_ptr<storage::WalWriter> wal;     ///< set once by recovery
  std::atomic<std::uint64_t> acknowledged{0};  ///< a meter: relaxed
  std::atomic<bool> interval_pending{false};  ///< a write waits for the interval's sync (relaxed; the log thread polls)
  std::atomic<Lsn> last_write_seen{0};        ///< log thread only: to notice idleness

  // --- graph mutator ---
  Mutex graph_mutex;
  std::optional<PendingGraph> pending_graph HF_GUARDED_BY(graph_mutex);
  Mutex indexed_mutex;
  CondVar indexed;  ///< the graph or `index_error` changed
  Status index_error HF_GUARDED_BY(indexed_mutex);

  PublishSignal published;  ///< the committer published a view

  // --- checkpoint ---
  Mutex checkpoint_mutex;
  CheckpointState checkpoint HF_GUARDED_BY(checkpoint_mutex);
  std::atomic<std::uint64_t> log_bytes_at_checkpoint{0};  ///< wal bytes that the newest checkpoint covers (relaxed)
  std::atomic<std::uint64_t> log_bytes_at_open{0};        ///< replayed by recovery (relaxed)
  std::atomic<std::uint64_t> checkpoint_wanted_at{0};     ///< log size that starts the next one (relaxed)
  std::atomic<Lsn> checkpoint_lsn{0};                     ///< for meters: relaxed
  std::atomic<std::uint64_t> checkpoint_generation{0};    ///< for meters: relaxed

  /// Per chunk the extent that its vectors are mapped from, or null. Written by recovery, before readers exist.
  std::vector<std::shared_ptr<const storage::Extent>> vector_extents;

  RecoveryReport report;  ///< written before the collection is handed out

  /// Checks the mapped pages that hold the vector of `slot`, once each. data_damaged names file and offset.
  Status verify_row(Slot slot) const;

  /// ok, `closed`, or why the collection is read-only.
  [[nodiscard]] Status write_error() const HF_EXCLUDES(error_mutex_);
  /// The first error stays.
  void poison(const Status& why) HF_EXCLUDES(error_mutex_);
  void close_for_writing(const Status& why) HF_EXCLUDES(error_mutex_);

  /// Bytes of log since the newest checkpoint.
  [[nodiscard]] std::uint64_t log_bytes() const;

 private:
  mutable Mutex error_mutex_;
  Status write_error_ HF_GUARDED_BY(error_mutex_);
};

}  // namespace holdfast::engine
