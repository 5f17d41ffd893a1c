// SimFileSystem: a disk in memory that can lose its power. The foundation of every crash test.
//
// The fault model
//  1. Two states are kept apart: the page cache (what calls see) and the disk (what survives power loss). write_at
//     and truncate reach the cache; sync brings one file's data and size to the disk, not its directory entry.
//     create, rename, link, exchange, remove and (create|remove)_directory change a directory in the cache;
//     sync_directory brings that one directory's entries to the disk. A rename between two directories is two changes:
//     with one directory synced the file is in both or in neither; an exchange is one change, of one directory. A new
//     directory needs its parent synced.
//  2. Between the states lies an ordered list of unsynced effects. crash() makes disks from subsets of it; which
//     subsets, and what always holds, is in sim_crash.h. No sector is atomic (CrashPolicy::torn_write).
//  3. Counted calls: create, write, truncate, allocate, sync, rename, link, exchange, remove, create_directory,
//     remove_directory, sync_directory, lock; with count_reads(true) also open, read, map, size, list and exists. Each
//     has an index from 0 on. Faults are planned by index: an error (once or for ever), a short write, a failed sync
//     that keeps, drops or forgets the dirty pages, power off.
//  4. After power off every call fails with io_error "power is off" and changes nothing.
//  5. kill_process(): the process dies, the page cache survives, locks are gone.
//  6. map() gives a copy of that moment (the real one is shared; nobody may rely on either). corrupt() is bit rot.
//
// Not modelled: a disk that breaks its promise after a successful sync (use corrupt), permissions, symbolic links,
// "..".
//
// Exploring: run the workload once; in on_call take `fs.clone()` before each call, and make any number of crash()
// states of it. clone() and crash() share all unchanged pages (copy on write): microseconds each.
//
// Threading: thread-safe (one mutex). With several threads, indices are handed out in the order of calls, which then
// depends on scheduling. The hook runs without the mutex and may call everything here, also to plan a fault for the
// very call it announces. File handles keep the disk alive; those of a crashed disk see only the crashed one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "os/file_system.h"
#include "support/sim_crash.h"

namespace holdfast::testing {

enum class CallKind : std::uint8_t {
  create,
  write,
  truncate,
  allocate,
  sync,
  rename,
  link,
  exchange,
  remove,
  create_directory,
  remove_directory,
  sync_directory,
  lock,
  open,
  read,
  map,
  size,
  list,
  exists,  // counted on demand
};
[[nodiscard]] std::string_view to_string(CallKind kind) noexcept;

struct CallInfo {
  CallKind kind;
  std::uint64_t index;   ///< kNotCounted for an uncounted call
  std::string path;      ///< rename, link, exchange: the first
  std::string target;    ///< rename, link, exchange: the second
  std::uint64_t offset;  ///< read, write
  std::uint64_t size;    ///< read, write, truncate, allocate
};

class SimFileSystem final : public os::FileSystem {
 public:
  static constexpr std::uint64_t kNotCounted = ~std::uint64_t{0};
  static constexpr std::uint64_t kWholeCall = ~std::uint64_t{0};

  /// An empty disk; its root is "/" (and "."). The seed feeds random_u64.
  explicit SimFileSystem(std::uint64_t seed = 1);
  ~SimFileSystem() override;

  // os::FileSystem
  Result<std::unique_ptr<os::File>> create(const std::string& path) override;
  Result<std::unique_ptr<os::File>> open(const std::string& path, Access access) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status link(const std::string& from, const std::string& to) override;
  Status exchange(const std::string& a, const std::string& b) override;
  Status remove(const std::string& path) override;
  Status create_directory(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<os::DirectoryEntry>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::unique_ptr<os::FileLock>> lock(const std::string& path) override;
  std::uint64_t random_u64() override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

  // Calls
  /// Counted calls so far; the index of the next one. (In the hook, the announced call is counted already.)
  [[nodiscard]] std::uint64_t calls() const;
  void count_reads(bool on);
  /// Called before each counted call happens (also those that will fail). Pass nullptr to stop.
  void on_call(std::function<void(const CallInfo&)> hook);

  // Faults. Several may be planned; of two for one call the later plan wins.
  /// Call `index` (for ever: and every later counted one) fails without effect. A disk_full that lasts for ever spares
  /// remove, remove_directory and truncate to a smaller size, as a full disk does.
  void fail_at(std::uint64_t index, StatusCode code, bool for_ever = false);
  /// If call `index` is a write, its first `bytes` bytes reach the cache; then it fails. Other calls just fail.
  void short_write_at(std::uint64_t index, std::uint64_t bytes, StatusCode code = StatusCode::disk_full);
  /// If call `index` is a sync, it fails with io_error and leaves the unsynced pages like this. A directory's entries
  /// stay visible in any case; unless kept_dirty, they will never become durable. Other calls just fail.
  void fail_sync_at(std::uint64_t index, UnsyncedPages outcome);
  /// Power goes off at call `index`. Nothing of it happens, or the first bytes of the write, or (kWholeCall) all of it.
  void power_off_at(std::uint64_t index, std::uint64_t bytes = 0);
  void power_off();
  [[nodiscard]] bool powered() const;
  /// Forgets all planned faults (a power that is off stays off).
  void clear_faults();
  /// Sizes of all files together may not exceed this; 0 means no limit. Past it: disk_full, after a short write.
  void set_capacity(std::uint64_t bytes);
  /// Pages that a failed sync has left clean but unwritten fall out of the cache: reads see the disk.
  void evict_clean_pages();

  // Copies. None of them has handles, locks, hooks or planned faults; limits and counted kinds go along.
  /// The same moment: cache, disk, call count, power.
  [[nodiscard]] std::unique_ptr<SimFileSystem> clone() const;
  /// What a machine finds that starts again after power loss. Calls count from 0; random_u64 goes on differently.
  [[nodiscard]] std::unique_ptr<SimFileSystem> crash(const CrashPolicy& policy, std::uint64_t seed = 0) const;
  /// What the next process finds after kill -9: the page cache, with its unsynced effects still unsynced.
  [[nodiscard]] std::unique_ptr<SimFileSystem> kill_process() const;
  [[nodiscard]] std::uint64_t unsynced_effects(CrashPolicy::Unit unit = CrashPolicy::Unit::operation) const;
  [[nodiscard]] std::uint64_t last_write_sectors() const;
  /// random_u64 goes on as that of a fresh disk with this seed.
  void reseed(std::uint64_t seed);

  // Looking and tampering: not counted, never failing by plan, blind to power.
  struct FileReport {
    std::string path;
    bool is_directory = false;
    std::uint64_t cached_size = 0;
    std::uint64_t durable_size = 0;  ///< of the inode, whether or not its name is durable
    bool name_durable = false;       ///< the disk reaches this very inode by this path
    std::uint64_t unsynced = 0;      ///< effects of this inode
  };
  /// Everything that the cache can see, in path order, directories before their content.
  [[nodiscard]] std::vector<FileReport> files() const;
  [[nodiscard]] Result<Bytes> read_whole(const std::string& path) const;
  /// Equal for disks that no process can tell apart now, nor after a crash that does the same to both: names, sizes and
  /// bytes, cached and durable, and what is unsynced. Costs what was written since the last call for a copy of this
  /// disk.
  [[nodiscard]] std::uint64_t fingerprint() const;
  /// Creates or replaces the content; durable at once, name included if its directory is.
  Status write_whole(const std::string& path, ByteSpan bytes);
  /// Flips bits on the disk and in the cache. not_found beyond the end.
  Status corrupt(const std::string& path, std::uint64_t offset, std::byte mask);

 private:
  class Core;
  class SimFile;
  class SimLock;
  explicit SimFileSystem(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;  // shared with files and locks, which may outlive this object
};

}  // namespace holdfast::testing
