#include "support/sim_disk.h"

#include <algorithm>
#include <set>

#include "base/try.h"

namespace holdfast::testing {
namespace {

Status not_found() { return Status(StatusCode::not_found, "no such file or directory"); }
Status not_a_directory() { return Status(StatusCode::io_error, "not a directory"); }
Status is_a_directory() { return Status(StatusCode::io_error, "it is a directory"); }
Status not_empty() { return Status(StatusCode::already_exists, "directory not empty"); }

}  // namespace

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.push_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

void apply_effect(const DirectoryEffect& effect, Entries& entries) {
  if (!effect.removed.empty()) entries.erase(effect.removed);
  if (!effect.added.empty()) entries[effect.added] = effect.target;
  if (effect.removed_target != kNoInode) entries[effect.removed] = effect.removed_target;
}

SimDisk::SimDisk() : inodes_(std::vector<Cow<Inode>>(kRootInode + 1)) {
  inodes_.edit()[kRootInode] = Cow<Inode>(Inode(DirectoryInode{}));
}

bool SimDisk::is_directory(InodeId id) const { return std::holds_alternative<DirectoryInode>(*(*inodes_)[id]); }
const FileInode& SimDisk::file(InodeId id) const { return std::get<FileInode>(*(*inodes_)[id]); }
const DirectoryInode& SimDisk::directory(InodeId id) const { return std::get<DirectoryInode>(*(*inodes_)[id]); }
FileInode& SimDisk::edit_file(InodeId id) { return std::get<FileInode>(inodes_.edit()[id].edit()); }
DirectoryInode& SimDisk::edit_directory(InodeId id) { return std::get<DirectoryInode>(inodes_.edit()[id].edit()); }

InodeId SimDisk::lookup(InodeId directory_id, std::string_view name) const {
  const Entries& entries = *directory(directory_id).cached;
  const auto it = entries.find(name);
  return it == entries.end() ? kNoInode : it->second;
}

Result<InodeId> SimDisk::find(std::string_view path) const {
  InodeId at = kRootInode;
  for (const std::string_view part : split_path(path)) {
    if (!is_directory(at)) return not_a_directory();
    at = lookup(at, part);
    if (at == kNoInode) return not_found();
  }
  return at;
}

Result<InodeId> SimDisk::find_file(std::string_view path) const {
  HF_ASSIGN(const InodeId id, find(path));
  if (is_directory(id)) return is_a_directory();
  return id;
}

Result<InodeId> SimDisk::find_directory(std::string_view path) const {
  HF_ASSIGN(const InodeId id, find(path));
  if (!is_directory(id)) return not_a_directory();
  return id;
}

std::optional<InodeId> SimDisk::find_durable(std::string_view path) const {
  InodeId at = kRootInode;
  for (const std::string_view part : split_path(path)) {
    if (!exists(at) || !is_directory(at)) return std::nullopt;
    const Entries& entries = *directory(at).durable;
    const auto it = entries.find(part);
    if (it == entries.end()) return std::nullopt;
    at = it->second;
  }
  return at;
}

Result<SimDisk::Place> SimDisk::place_of(std::string_view path) const {
  std::vector<std::string_view> parts = split_path(path);
  if (parts.empty()) return Status(StatusCode::io_error, "the root directory cannot be changed");
  const std::string_view name = parts.back();
  parts.pop_back();
  InodeId at = kRootInode;
  for (const std::string_view part : parts) {
    at = lookup(at, part);
    if (at == kNoInode) return not_found();
    if (!is_directory(at)) return not_a_directory();
  }
  return Place{at, name};
}

void SimDisk::record(InodeId directory_id, DirectoryEffect effect) {
  DirectoryInode& directory = edit_directory(directory_id);
  apply_effect(effect, directory.cached.edit());
  directory.pending.push_back(std::move(effect));
}

Result<InodeId> SimDisk::create(std::string_view path, bool as_directory) {
  if (split_path(path).empty()) return Status(StatusCode::already_exists, "the root directory exists");
  HF_ASSIGN(const Place place, place_of(path));
  if (lookup(place.directory, place.name) != kNoInode) return Status(StatusCode::already_exists, "it exists");
  const InodeId id = end_inode();
  inodes_.edit().push_back(Cow<Inode>(as_directory ? Inode(DirectoryInode{}) : Inode(FileInode{})));
  record(place.directory, {next_operation_++, {}, std::string(place.name), id, kNoInode});
  return id;
}

Status SimDisk::check_rename(InodeId source, InodeId target, std::string_view from, std::string_view to) const {
  if (source == kNoInode) return not_found();
  if (is_directory(source)) {
    const auto inner = split_path(to);
    const auto outer = split_path(from);
    if (inner.size() > outer.size() && std::equal(outer.begin(), outer.end(), inner.begin())) {
      return Status(StatusCode::io_error, "a directory cannot be moved into itself");
    }
  }
  if (target == kNoInode || target == source) return {};
  if (is_directory(target) && !is_directory(source)) return is_a_directory();
  if (!is_directory(target) && is_directory(source)) return not_a_directory();
  if (is_directory(target) && !directory(target).cached->empty()) return not_empty();
  return {};
}

Status SimDisk::rename(std::string_view from, std::string_view to) {
  HF_ASSIGN(const Place source, place_of(from));
  HF_ASSIGN(const Place target, place_of(to));
  const InodeId moved = lookup(source.directory, source.name);
  const InodeId replaced = lookup(target.directory, target.name);
  HF_TRY(check_rename(moved, replaced, from, to));
  if (moved == replaced) return {};
  const std::uint64_t operation = next_operation_++;
  const std::string old_name(source.name);
  const std::string new_name(target.name);
  if (source.directory == target.directory) {
    record(source.directory, {operation, old_name, new_name, moved, kNoInode});
  } else {
    record(target.directory, {operation, {}, new_name, moved, kNoInode});
    record(source.directory, {operation, old_name, {}, kNoInode, kNoInode});
  }
  return {};
}

Status SimDisk::link(std::string_view from, std::string_view to) {
  HF_ASSIGN(const InodeId id, find_file(from));
  HF_ASSIGN(const Place place, place_of(to));
  if (lookup(place.directory, place.name) != kNoInode) return Status(StatusCode::already_exists, "it exists");
  record(place.directory, {next_operation_++, {}, std::string(place.name), id, kNoInode});
  return {};
}

Status SimDisk::exchange(std::string_view a, std::string_view b) {
  HF_ASSIGN(const Place first, place_of(a));
  HF_ASSIGN(const Place second, place_of(b));
  const InodeId one = lookup(first.directory, first.name);
  const InodeId other = lookup(second.directory, second.name);
  if (one == kNoInode || other == kNoInode) return not_found();
  if (first.directory != second.directory) {
    return Status(StatusCode::invalid_argument, "the simulated disk exchanges names of one directory only");
  }
  if (one == other) return {};
  record(first.directory, {next_operation_++, std::string(first.name), std::string(second.name), one, other});
  return {};
}

Status SimDisk::remove(std::string_view path) {
  HF_ASSIGN(const Place place, place_of(path));
  const InodeId id = lookup(place.directory, place.name);
  if (id == kNoInode) return not_found();
  if (is_directory(id)) return is_a_directory();
  record(place.directory, {next_operation_++, std::string(place.name), {}, kNoInode, kNoInode});
  return {};
}

Status SimDisk::remove_directory(std::string_view path) {
  HF_ASSIGN(const Place place, place_of(path));
  const InodeId id = lookup(place.directory, place.name);
  if (id == kNoInode) return not_found();
  if (!is_directory(id)) return not_a_directory();
  if (!directory(id).cached->empty()) return not_empty();
  record(place.directory, {next_operation_++, std::string(place.name), {}, kNoInode, kNoInode});
  return {};
}

void SimDisk::write(InodeId id, std::uint64_t offset, ByteSpan bytes) {
  if (bytes.empty()) return;
  FileInode& inode = edit_file(id);
  const std::uint64_t operation = next_operation_++;
  const std::uint64_t end = offset + bytes.size();
  if (end > inode.cached.size()) inode.pending.push_back({operation, true, 0, end, {}});
  inode.cached.write(offset, bytes);
  FileEffect effect{operation, false, offset, end, {}};
  for (std::uint64_t page = offset / kPageSize; page * kPageSize < end; ++page) {
    effect.pages.push_back(inode.cached.page(page));
  }
  inode.pending.push_back(std::move(effect));
}

void SimDisk::truncate(InodeId id, std::uint64_t size) {
  FileInode& inode = edit_file(id);
  if (inode.cached.size() == size) return;
  inode.cached.resize(size);
  inode.pending.push_back({next_operation_++, true, 0, size, {}});
}

namespace {

/// All pending effects reach the disk.
void flush(FileInode& inode) {
  for (const FileEffect& effect : inode.pending) {
    if (effect.is_size) {
      inode.durable.resize(effect.end);
    } else {
      inode.durable.copy_range(effect.first_page(), effect.pages, effect.first_sector() * kSectorSize,
                               effect.end_sector() * kSectorSize);
    }
  }
  inode.pending.clear();
}

void fail_file_sync(FileInode& inode, UnsyncedPages outcome) {
  if (outcome == UnsyncedPages::kept_dirty) return;
  std::erase_if(inode.pending, [](const FileEffect& effect) { return !effect.is_size; });
  inode.diverged = true;  // nothing of the lost writes will ever be written again
  if (outcome == UnsyncedPages::dropped) {
    const std::uint64_t size = inode.cached.size();
    inode.cached = inode.durable;
    inode.cached.resize(size);
  }
}

}  // namespace

void SimDisk::sync(InodeId id) {
  if (is_directory(id)) {
    if (directory(id).pending.empty()) return;
    DirectoryInode& inode = edit_directory(id);
    if (inode.diverged) {
      for (const DirectoryEffect& effect : inode.pending) apply_effect(effect, inode.durable.edit());
    } else {
      inode.durable = inode.cached;
    }
    inode.pending.clear();
    return;
  }
  if (file(id).pending.empty()) return;
  FileInode& inode = edit_file(id);
  if (inode.diverged) {
    flush(inode);
  } else {
    inode.durable = inode.cached;
    inode.pending.clear();
  }
}

void SimDisk::fail_sync(InodeId id, UnsyncedPages outcome) {
  if (!is_directory(id)) return fail_file_sync(edit_file(id), outcome);
  if (outcome == UnsyncedPages::kept_dirty) return;
  DirectoryInode& inode = edit_directory(id);
  inode.diverged = inode.diverged || !inode.pending.empty();
  inode.pending.clear();
}

void SimDisk::evict_clean_pages() {
  for (InodeId id = kRootInode; id < end_inode(); ++id) {
    if (!exists(id) || is_directory(id) || !file(id).diverged) continue;
    FileInode& inode = edit_file(id);
    FileInode fresh = inode;
    flush(fresh);
    inode.cached = std::move(fresh.durable);
  }
}

std::uint64_t SimDisk::used_bytes(const std::map<InodeId, std::uint32_t>& open) const {
  std::set<InodeId> files;
  for (const auto& [id, count] : open) files.insert(id);
  std::vector<InodeId> directories{kRootInode};
  while (!directories.empty()) {
    const InodeId at = directories.back();
    directories.pop_back();
    for (const auto& [name, id] : *directory(at).cached) {
      if (is_directory(id)) {
        directories.push_back(id);
      } else {
        files.insert(id);
      }
    }
  }
  std::uint64_t bytes = 0;
  for (const InodeId id : files) bytes += file(id).cached.size();
  return bytes;
}

void SimDisk::collect_garbage(const std::map<InodeId, std::uint32_t>& open) {
  std::vector<bool> reached(end_inode());
  std::vector<InodeId> directories;
  const auto reach = [&](InodeId id) {
    if (id == kNoInode || reached[id]) return;
    reached[id] = true;
    if (is_directory(id)) directories.push_back(id);
  };
  reach(kRootInode);
  for (const auto& [id, count] : open) reach(id);
  while (!directories.empty()) {
    const DirectoryInode& at = directory(directories.back());
    directories.pop_back();
    for (const auto& [name, id] : *at.durable) reach(id);
    for (const auto& [name, id] : *at.cached) reach(id);
    for (const DirectoryEffect& effect : at.pending) {
      reach(effect.target);
      reach(effect.removed_target);
    }
  }
  for (InodeId id = kRootInode; id < end_inode(); ++id) {
    if (exists(id) && !reached[id]) inodes_.edit()[id] = Cow<Inode>();
  }
}

}  // namespace holdfast::testing
