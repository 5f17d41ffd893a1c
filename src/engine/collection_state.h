// Everything that belongs to one open collection. It holds state; the work is done by free functions in commit,
// indexer, checkpoint, recovery and search.
//
// Locks, in the order in which they may be taken:
//   checkpoint_mutex > leadership of the commit queue > graph_mutex > (PointStore's publish mutex) > (reclaimer)
// The other mutexes guard a value each, and nothing is called while one of them is held.
// Readers take none of them.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "engine/commit_queue.h"
#include "engine/damage.h"
#include "engine/image_codes.h"
#include "engine/options.h"
#include "engine/point_store.h"
#include "engine/publish_signal.h"
#include "engine/scrub.h"
#include "engine/signals.h"
#include "index/slot_set.h"
#include "storage/manifest.h"
#include "storage/space_reserve.h"
#include "storage/wal_writer.h"

namespace holdfast::engine {

class CalibrationRun;  // calibration.h

/// What the newest checkpoint holds, so that the next one rewrites only what changed.
struct CheckpointState {
  storage::Manifest manifest;                         ///< the newest one
  GraphEpoch epoch = 0;                               ///< of the graph in it
  std::vector<Lsn> run_floors;                        ///< of its runs of ids (image.h)
  CodesRecord codes;                                  ///< that it has
  std::vector<std::uint64_t> generations;             ///< kept, newest first; at most two
  std::vector<storage::ExtentInfo> previous_extents;  ///< named by the older kept generation
  Lsn previous_lsn = 0;                               ///< of the older kept generation
  std::uint64_t next_generation = 1;                  ///< above every manifest file that exists
};

/// A graph that was made but not published yet. Memory may be short just then; the next step of the graph mutator goes
/// on here.
struct PendingGraph {
  PendingGraph() = default;
  PendingGraph(PendingGraph&&) = default;
  PendingGraph& operator=(PendingGraph&&) = default;
  ~PendingGraph();  ///< frees what nobody took over

  index::GraphRoot root;
  Arrival growing_begin = 0;
  std::vector<index::NewNode> added;
  std::uint64_t removed = 0;
  Lsn vacuumed = 0;  ///< published, nodes that were dead at this lsn are out of the graph; 0: as before
  RetiredBatch retired{1};
  RetiredSlotsBatch dead{1};                ///< rows that neither the graph nor the growing range names any more
  bool frees_arrivals = false;              ///< blocks of them lie before growing_begin that did not in the view before
  std::shared_ptr<index::CodeTable> codes;  ///< a new table for all nodes; null: as before
  bool codes_retired = false;               ///< the table before `codes` waits for its readers already
  std::shared_ptr<index::ShortCodes>
      short_codes;                   ///< a new table for all nodes; null: as before, or none beside new codes
  bool short_codes_retired = false;  ///< the same for the one before
  std::shared_ptr<const Calibration> calibration;  ///< a new one; null: as before
  bool calibration_retired = false;                ///< the same for it
};

/// A vacuum under way: the dead nodes that it takes out of the graph, and how far it has come.
struct VacuumPass {
  index::SlotSet doomed;
  Lsn lsn = 0;    ///< all of them died at this lsn or before
  Slot next = 0;  ///< rows below do not link to a doomed one any more
  Slot end = 0;   ///< rows that existed at the start; later ones never linked to one
};

/// Codes of the nodes (coding.h).
struct CodingState {
  std::shared_ptr<index::CodeTable> published;  ///< the newest view names it
  std::shared_ptr<index::CodeTable> making;
  std::unique_ptr<ImageCodes> image;  ///< what `making` is, or will be, filled from; null: from the rows alone
  Slot next = 0;                      ///< nodes below have their code in `making`
  Slot end = 0;                       ///< nodes from here on came after it was begun: encode_nodes()
  std::uint64_t last_training = 0;    ///< the highest number that was given to one
  bool given_up = false;
};

/// Short codes (short_coding.h).
struct ShortCodingState {
  std::shared_ptr<index::ShortCodes> published;  ///< the newest view names it
  std::shared_ptr<index::ShortCodes> making;     ///< from the codes that the newest view names
  Slot next = 0;                                 ///< nodes below have their code in `making`
  Slot end = 0;                                  ///< nodes from here on came after it was begun: shorten_nodes()
  bool useless = false;                          ///< what the newest view names is as fast without
  bool given_up = false;
};

/// Beam widths for a wanted recall (calibration.h).
struct CalibrationState {
  std::shared_ptr<const Calibration> published;  ///< the newest view names it
  std::unique_ptr<CalibrationRun> run;           ///< under way
  std::uint64_t changes = 0;                     ///< nodes added or removed since open
  std::optional<std::uint64_t> failed_at;        ///< `changes` when a run failed; nothing: none did, or nodes changed
  bool next = false;                             ///< its pieces and other jobs take turns
};

/// How the last step of a kind ended, and at which lsn and epoch it looked. ok: it worked.
struct StepOutcome {
  Status status;
  Lsn lsn = 0;
  GraphEpoch epoch = 0;
};

/// What the graph mutator knows between its steps.
struct MutatorState {
  MutatorState();
  ~MutatorState();
  MutatorState(const MutatorState&) = delete;
  MutatorState& operator=(const MutatorState&) = delete;

  std::optional<PendingGraph> pending;
  std::optional<VacuumPass> vacuum;
  CodingState coding;
  ShortCodingState short_coding;
  CalibrationState calibration;
  std::uint64_t changed_nodes = 0;  ///< added or removed since then
  bool vacuum_next = false;         ///< indexing and vacuum take turns
  bool vacuum_failed = false;       ///< the last step of a vacuum did
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
  DamageLog damage;  ///< before `store`, whose extents report to it
  PointStore store;
  /// The extents that are still mapped (all but the vectors of a chunk that is not full), by number. Fixed before
  /// readers exist.
  std::map<std::uint64_t, std::shared_ptr<const storage::Extent>> mapped_extents;

  // --- commit ---
  CommitQueue queue;                           ///< whoever leads it may use `wal`
  std::unique_ptr<storage::WalWriter> wal;     ///< set once by recovery
  std::atomic<std::uint64_t> acknowledged{0};  ///< a meter: relaxed
  std::atomic<bool> interval_pending{false};  ///< a write waits for the interval's sync (relaxed; the log thread polls)
  std::atomic<Lsn> last_write_seen{0};        ///< log thread only: to notice idleness

  // --- full disk (disk_reserve.h) ---
  storage::SpaceReserve reserve;
  std::atomic<std::uint64_t> reserve_due_at{0};  ///< log size at which it is looked at again (relaxed)
  std::atomic<bool> disk_was_full{false};  ///< since the last batch with upserts that went through (relaxed: a hint)

  // --- graph mutator ---
  Mutex graph_mutex;
  MutatorState mutator HF_GUARDED_BY(graph_mutex);
  std::atomic<std::uint64_t> code_bytes{0};  // meters: relaxed
  std::atomic<std::uint64_t> short_code_bytes{0};
  std::atomic<std::uint64_t> code_trainings{0};
  std::atomic<std::uint64_t> calibrations{0};
  std::atomic<std::uint64_t> calibration_us{0};
  /// Somebody searched with Preset::fast. Set by readers; relaxed: a wish, no data.
  mutable std::atomic<bool> short_codes_wanted{false};
  /// Presets (bits) with which searches asked for a recall. Set by readers; relaxed: a wish, no data.
  mutable std::atomic<std::uint32_t> calibration_wanted{0};
  /// Every living node can be reached as of this epoch. Written by the graph mutator; relaxed: compared with the epoch
  /// of a view, which orders nothing by it.
  std::atomic<GraphEpoch> connected_epoch{0};
  /// Nodes that were dead at this lsn are out of the graph. Release by the graph mutator, acquire by who waits for it.
  std::atomic<Lsn> vacuumed_lsn{0};
  std::atomic<Lsn> vacuum_wanted{0};             ///< somebody waits for that vacuumed_lsn (relaxed: a wish, no data)
  std::atomic<std::uint64_t> vacuumed_slots{0};  ///< a meter: relaxed
  /// What backpressure goes by. Numbers without data behind them: relaxed.
  struct IndexPace {
    std::atomic<std::uint64_t> rate{0};          ///< rows per second that the graph took lately; 0: unknown
    std::atomic<std::int64_t> busy_since_us{0};  ///< since when the rows of the next batch are waited for; 0: idle
    std::atomic<std::uint64_t> batch_rows{0};    ///< of the last batch
    std::atomic<bool> damaged{false};            ///< the last batch met damage: there is no pace until that is healed
  };
  IndexPace index_pace;
  // --- backpressure (backpressure.h) ---
  std::atomic<std::int64_t> write_turn_us{
      0};  ///< when the next slowed-down write may come (relaxed: a number, no data)
  std::atomic<std::uint64_t> writer_stalls{0};  ///< meters: relaxed
  std::atomic<std::uint64_t> writer_stall_us{0};
  Mutex stall_mutex;
  CondVar stall;  ///< never notified: waited on for time to pass
  Mutex indexed_mutex;
  CondVar indexed;  ///< the graph or an outcome changed
  StepOutcome last_index HF_GUARDED_BY(indexed_mutex);
  StepOutcome last_vacuum HF_GUARDED_BY(indexed_mutex);

  PublishSignal published;  ///< the committer published a view

  // --- checkpoint ---
  std::vector<Lsn> loaded_run_floors;  ///< of the image that was loaded; fixed
  CodesRecord loaded_codes;            ///< the same
  Mutex checkpoint_mutex;
  CheckpointState checkpoint HF_GUARDED_BY(checkpoint_mutex);
  mutable Mutex checkpoint_error_mutex;
  Status checkpoint_error HF_GUARDED_BY(checkpoint_error_mutex);  ///< of the last one
  std::atomic<std::uint64_t> log_bytes_at_checkpoint{0};  ///< wal bytes that the newest checkpoint covers (relaxed)
  std::atomic<std::uint64_t> log_bytes_at_open{0};        ///< replayed by recovery (relaxed)
  std::atomic<std::uint64_t> checkpoint_wanted_at{0};     ///< log size that starts the next one (relaxed)
  std::atomic<Lsn> checkpoint_lsn{0};                     ///< for meters: relaxed
  std::atomic<std::uint64_t> checkpoint_generation{0};    ///< for meters: relaxed

  // --- scrubber ---
  Mutex scrub_mutex;
  ScrubPass scrub HF_GUARDED_BY(scrub_mutex);
  std::atomic<std::int64_t> scrub_rests_until_us{0};  ///< when the next pass may begin (scrub thread only: relaxed)
  std::atomic<std::uint64_t> scrubbed_bytes{0};       ///< meters: relaxed
  std::atomic<std::uint64_t> scrub_passes{0};

  RecoveryReport report;  ///< written before the collection is handed out

  /// ok, `closed`, or why the collection is read-only.
  [[nodiscard]] Status write_error() const HF_EXCLUDES(error_mutex_);
  /// The first error stays. Also where there is no memory for its words.
  void poison(const Status& why) noexcept HF_EXCLUDES(error_mutex_);
  void close_for_writing(const Status& why) HF_EXCLUDES(error_mutex_);

  /// Bytes of log since the newest checkpoint.
  [[nodiscard]] std::uint64_t log_bytes() const;

 private:
  mutable Mutex error_mutex_;
  Status write_error_ HF_GUARDED_BY(error_mutex_);
  bool poisoned_ HF_GUARDED_BY(error_mutex_) = false;
};

}  // namespace holdfast::engine
