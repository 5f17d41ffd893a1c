// The state of a simulated disk: inodes with what is durable, what the page cache holds, and the effects in between.
// A value: copying it costs one reference (Cow). No threads, no faults, no call counting: that is SimFileSystem's.
// The fault model is described in sim_file_system.h.
//
// Invariants of an inode:
//  1. cached = durable + pending, applied in order, unless `diverged`.
//  2. A write effect holds the page images as they were right after the write. Applying it to a sector therefore
//     brings along everything written earlier to that sector, as the write-back of a page does: the later of two
//     overlapping writes never reaches the disk without the earlier one.
//  3. A growing write is recorded as a size effect followed by a write effect, with the same operation number.
//  4. Operation numbers grow with time over all inodes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "holdfast/status.h"
#include "support/sim_content.h"

namespace holdfast::testing {

using InodeId = std::uint32_t;
inline constexpr InodeId kRootInode = 1;
inline constexpr InodeId kNoInode = 0;

/// What a failed sync did to the pages that it could not write.
enum class UnsyncedPages : std::uint8_t {
  kept_dirty,    ///< Still dirty: a later sync may write them.
  marked_clean,  ///< Readable until evicted, but no sync will ever write them (ext4 and others).
  dropped,       ///< Gone from the page cache: reads see the disk's old bytes; the size stays.
};

struct FileEffect {
  std::uint64_t operation = 0;
  bool is_size = false;
  std::uint64_t begin = 0;  ///< write: first byte
  std::uint64_t end = 0;    ///< write: one past the last byte; size: the new size
  std::vector<PageRef> pages;

  [[nodiscard]] std::uint64_t first_page() const noexcept { return begin / kPageSize; }
  [[nodiscard]] std::uint64_t first_sector() const noexcept { return begin / kSectorSize; }
  [[nodiscard]] std::uint64_t end_sector() const noexcept { return (end + kSectorSize - 1) / kSectorSize; }
};

struct FileInode {
  SimContent durable;
  SimContent cached;
  std::vector<FileEffect> pending;
  bool diverged = false;  ///< a failed sync has cut the tie of invariant 1
};

/// One change of one directory: a name goes, a name comes, or both at once (rename). An exchange brings two names at
/// once: what `removed` stands for becomes `removed_target`.
struct DirectoryEffect {
  std::uint64_t operation = 0;
  std::string removed;
  std::string added;
  InodeId target = kNoInode;
  InodeId removed_target = kNoInode;
};

using Entries = std::map<std::string, InodeId, std::less<>>;
void apply_effect(const DirectoryEffect& effect, Entries& entries);

struct DirectoryInode {
  Cow<Entries> durable{Entries{}};
  Cow<Entries> cached{Entries{}};
  std::vector<DirectoryEffect> pending;
  bool diverged = false;
};

using Inode = std::variant<FileInode, DirectoryInode>;

class SimDisk {
 public:
  SimDisk();

  // Names, in the page cache. Errors carry codes only; the caller adds the words.
  [[nodiscard]] Result<InodeId> find(std::string_view path) const;
  [[nodiscard]] Result<InodeId> find_file(std::string_view path) const;
  [[nodiscard]] Result<InodeId> find_directory(std::string_view path) const;
  /// Through durable entries only.
  [[nodiscard]] std::optional<InodeId> find_durable(std::string_view path) const;
  [[nodiscard]] const FileInode& file(InodeId id) const;
  [[nodiscard]] const DirectoryInode& directory(InodeId id) const;
  [[nodiscard]] bool is_directory(InodeId id) const;

  // Changes of the page cache. Each takes the next operation number.
  Result<InodeId> create(std::string_view path, bool as_directory);
  Status rename(std::string_view from, std::string_view to);
  Status link(std::string_view from, std::string_view to);
  Status exchange(std::string_view a, std::string_view b);
  Status remove(std::string_view path);
  Status remove_directory(std::string_view path);
  void write(InodeId id, std::uint64_t offset, ByteSpan bytes);
  void truncate(InodeId id, std::uint64_t size);

  // From the page cache to the disk, or not.
  void sync(InodeId id);
  void fail_sync(InodeId id, UnsyncedPages outcome);
  /// Clean pages that differ from the disk (marked_clean) are read anew.
  void evict_clean_pages();

  // Outside of time, for tests.
  FileInode& edit_file(InodeId id);
  DirectoryInode& edit_directory(InodeId id);
  [[nodiscard]] InodeId end_inode() const noexcept { return static_cast<InodeId>(inodes_->size()); }
  [[nodiscard]] bool exists(InodeId id) const noexcept { return id < inodes_->size() && (*inodes_)[id]; }
  /// Bytes of all files that a cached name reaches, plus those of `open`.
  [[nodiscard]] std::uint64_t used_bytes(const std::map<InodeId, std::uint32_t>& open) const;
  /// Forgets inodes that no entry, effect or open handle can reach.
  void collect_garbage(const std::map<InodeId, std::uint32_t>& open);

 private:
  struct Place {
    InodeId directory;
    std::string_view name;
  };
  [[nodiscard]] Result<Place> place_of(std::string_view path) const;
  [[nodiscard]] InodeId lookup(InodeId directory, std::string_view name) const;
  Status check_rename(InodeId source, InodeId target, std::string_view from, std::string_view to) const;
  void record(InodeId directory, DirectoryEffect effect);

  Cow<std::vector<Cow<Inode>>> inodes_;  // by InodeId; null: unused
  std::uint64_t next_operation_ = 1;
};

/// Components of a path; empty ones and "." are skipped.
[[nodiscard]] std::vector<std::string_view> split_path(std::string_view path);

}  // namespace holdfast::testing
