// Work on a closed store: verify every checksum and invariant, dump a log, repair what is damaged, back up, restore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/status.h"
#include "holdfast/types.h"

namespace holdfast {

/// One thing that is wrong, or worth knowing.
struct VerifyFinding {
  enum class Severity : std::uint8_t {
    note = 0,    ///< costs nothing (an orphan file, a torn tail that was never acknowledged)
    damage = 1,  ///< acknowledged data, or the structure that finds it, is affected
  };
  Severity severity = Severity::note;
  std::string collection;    ///< empty: the store itself
  std::string file;          ///< relative to the store; messages may name it with the path of the store
  std::uint64_t offset = 0;  ///< first byte of the finding
  std::uint64_t length = 0;  ///< 0: unknown
  std::string message;
};

/// How much verify() reads.
enum class VerifyLevel : std::uint8_t {
  fast = 0,  ///< what an open reads: manifests, ids, stamps, lists and their invariants, headers and page tables of the
             ///< rest, the log behind the checkpoint
  full = 1,  ///< every byte
};
[[nodiscard]] std::string_view to_string(VerifyLevel level) noexcept;

struct VerifyReport {
  VerifyLevel level = VerifyLevel::full;
  std::vector<VerifyFinding> findings;
  std::uint64_t files_checked = 0;
  std::uint64_t bytes_checked = 0;
  std::uint64_t pages_checked = 0;
  std::uint64_t frames_checked = 0;
  std::uint64_t points_checked = 0;
  std::uint64_t links_checked = 0;
  [[nodiscard]] bool damaged() const noexcept;
};

struct VerifyOptions {
  std::string collection = {};  ///< only this one; empty: all
  VerifyLevel level = VerifyLevel::full;
  /// Called now and then with bytes done and bytes in all; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

/// Reads every file of the store: checksums of each page and frame, the log's chain, and the invariants of ids,
/// stamps, graph and counts. Needs the store closed. Errors: already_open, not_a_store, unsupported_format, io_error;
/// damage is not an error but a finding.
[[nodiscard]] Result<VerifyReport> verify(const std::filesystem::path& path, const VerifyOptions& options = {});

/// One frame or one event of a log, for people.
struct LogEntry {
  std::string segment;  ///< file name
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< bytes of the frame, header included
  Lsn lsn = 0;
  Lsn synced_lsn = 0;
  std::string kind;     ///< "batch", "mark", "segment" (a header), "torn", "damage"
  std::string summary;  ///< e.g. "3 upserts, 1 erase: 17, 18, 19; -4"
};

/// Calls `visit` for every entry of the collection's log in order, until it returns false.
/// An empty name means the only collection of the store. Works on a closed store. Errors: not_found, not_a_store,
/// io_error.
Status dump_log(const std::filesystem::path& path, std::string_view collection,
                const std::function<bool(const LogEntry&)>& visit);

/// What a repair may do. None of them is ever done unasked.
enum class Salvage : std::uint8_t {
  // Nothing acknowledged is lost by these:
  drop_checkpoint = 0,  ///< a damaged image is set aside; another one and the log hold everything
  trim_log = 1,         ///< damaged log that the checkpoint holds anyway is set aside
  rebuild_graph = 2,    ///< the graph is built anew from the vectors
  rebuild_ids = 9,      ///< the tables by which ids are found are sorted anew from the rows
  rebuild_codes = 10,   ///< the codes by which searches walk are left out, and made anew when the store is open
  // These lose what they name:
  drop_points = 3,  ///< points with damaged rows are removed
  cut_log = 4,      ///< the log ends before its damage: every later batch is lost
  skip_frames = 5,  ///< only damaged batches are left out: what they wrote is lost, their ids show older values
  roll_back = 6,    ///< the log is set aside as a whole: the collection is as of its checkpoint
  // What these cannot find in what is left has to be given, or is lost:
  rebuild_manifest = 7,  ///< which files make up the checkpoint is found from the files themselves
  rebuild_catalog = 8,   ///< the names of the collections are taken from their manifests
};
/// "cut-log": the name of the option of `holdfast repair`, too.
[[nodiscard]] std::string_view to_string(Salvage salvage) noexcept;
/// Whether everything acknowledged is there afterwards.
[[nodiscard]] bool is_lossless(Salvage salvage) noexcept;

/// What a salvage gives up. Points that a batch behind the damage wrote again are not lost, and not listed.
struct RepairLoss {
  std::vector<PointId> ids;          ///< lost, or as they were before; sorted
  std::uint64_t unknown_points = 0;  ///< rows that may have held a point whose id cannot be read
  Lsn first_lsn = 0;                 ///< batches; 0: none
  Lsn last_lsn = 0;                  ///< 0: not known, or none
  std::uint64_t unread_batches = 0;  ///< those of them that cannot be read, so that nobody knows their ids
  /// What else is lost, or may be, in words: files without a trace of their rows, markers, names. The ids cannot be
  /// told.
  std::vector<std::string> unnamed;
  [[nodiscard]] bool nothing() const noexcept;
};

/// One thing that is wrong and one way to set it right.
struct RepairStep {
  Salvage salvage = Salvage::drop_checkpoint;
  std::string collection;    ///< empty: the store itself
  std::string file;          ///< where the damage begins, relative to the store
  std::uint64_t offset = 0;  ///< first byte of it
  std::uint64_t length = 0;  ///< 0: unknown
  std::string damage;        ///< what is wrong
  std::string explanation;   ///< what the salvage does about it
  RepairLoss loss;
  bool alternative = false;  ///< one of several ways (cut_log, skip_frames, roll_back): one has to be chosen
  bool chosen = false;       ///< the options allow it, and it is needed
  bool done = false;
};

struct RepairOptions {
  std::string collection = {};        ///< only this one; empty: all
  std::vector<Salvage> allowed = {};  ///< of alternatives the first one here counts
  bool all_lossless = false;          ///< as if every salvage that loses nothing were in `allowed`
  /// For rebuild_manifest, where no file tells: 0 and nothing: unknown.
  std::uint32_t dimension = 0;
  std::optional<Metric> metric = {};
  /// Called now and then with bytes done and bytes in all, for each collection; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

struct RepairReport {
  std::vector<RepairStep> steps;  ///< empty: nothing to repair, if `hopeless` is empty, too
  /// What no salvage can bring back: restore a backup, or drop the collection.
  std::vector<std::string> hopeless;
  /// Directories inside the store, relative to it, that hold everything that was taken out, each with a REPORT.
  std::vector<std::string> set_aside;
  [[nodiscard]] bool nothing_to_repair() const noexcept { return steps.empty() && hopeless.empty(); }
  /// A step is needed that is not chosen, or there is no hope.
  [[nodiscard]] bool incomplete() const noexcept;
};

/// Looks for damage as verify() does and says what repair() would do with the same options. Changes nothing. Errors: as
/// repair().
[[nodiscard]] Result<RepairReport> plan_repair(const std::filesystem::path& path, const RepairOptions& options = {});

/// Repairs each collection for which every step that it needs is allowed, and leaves the others alone. A repaired
/// collection is made beside the damaged one, verified, and takes its place in one step; the damaged one is kept as it
/// was, whole, under `set_aside`. A sound store is not touched. Needs the store closed. May be stopped at any moment
/// and begun again. Errors: already_open, not_a_store, not_found (no such collection), unsupported_format, disk_full,
/// io_error.
[[nodiscard]] Result<RepairReport> repair(const std::filesystem::path& path, const RepairOptions& options);

struct BackupReport {
  std::uint64_t collections = 0;
  std::uint64_t files_linked = 0;  ///< immutable files shared with the source by a hard link
  std::uint64_t files_copied = 0;
  std::uint64_t files_kept = 0;     ///< the target had them already
  std::uint64_t files_removed = 0;  ///< of the target, no longer needed
  std::uint64_t bytes_copied = 0;
  std::uint64_t bytes_shared = 0;  ///< linked or kept
  /// "name: why" of each collection that could not be copied, because it is damaged in the source. What the target held
  /// of it before is untouched. The report is of the others.
  std::vector<std::string> failed;
  double total_ms = 0;
};

struct BackupOptions {
  /// Where the file system allows; false: files that are new to the backup share nothing with the source, and every
  /// extent is read as with `verify`.
  bool hard_links = true;
  /// Read and check every extent of the finished backup, linked and kept ones included; a kept one that is damaged is
  /// taken from the source again. Without it, only copied files are read: linked and kept ones by header and page
  /// table alone. backup() only: restore() always reads everything.
  bool verify = false;
  /// Called now and then with bytes done and bytes in all; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

/// Copies the store at `source`, which may be open in any process and written to meanwhile, to the directory `target`.
/// Each collection is copied as of one instant not before the call, everything acknowledged until then included.
/// A collection that is damaged in the source does not keep the others from being copied: see BackupReport::failed.
/// If `target` holds an earlier backup of the same store, only the checkpoint files that it lacks are copied, and the
/// log; whatever fails and whenever, it holds one backup or the other. The target is a store: restore() checks and
/// copies it, Database::open serves it. Errors: invalid_argument (the target is the source, inside it or around it),
/// not_a_store, data_damaged (no collection could be copied, or the catalog cannot be read), already_open (the target
/// is in use), already_exists (the target is no backup of this store), disk_full, io_error.
[[nodiscard]] Result<BackupReport> backup(const std::filesystem::path& source, const std::filesystem::path& target,
                                          const BackupOptions& options = {});

struct RestoreReport {
  VerifyReport verified;
  std::uint64_t files_copied = 0;
  std::uint64_t bytes_copied = 0;
  std::vector<std::string> collections;
  double total_ms = 0;
};

/// Checks the backup whole (verify()), copies it to `target`, which must not exist or be empty, and opens it there
/// once. The backup is not changed. Errors: data_damaged (nothing was copied), already_exists, and those of verify and
/// open.
[[nodiscard]] Result<RestoreReport> restore(const std::filesystem::path& backup, const std::filesystem::path& target,
                                            const BackupOptions& options = {});

}  // namespace holdfast
