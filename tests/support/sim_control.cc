// The part of SimFileSystem that tests talk to: faults, copies, and tampering. The calls that the store makes are in
// sim_file_system.cc.
#include "base/checksum.h"
#include "base/random.h"
#include "base/try.h"
#include "support/sim_core.h"
#include "support/sim_file_system.h"

namespace holdfast::testing {

std::uint64_t SimFileSystem::calls() const {
  MutexLock lock(core_->mutex);
  return core_->next_call;
}

void SimFileSystem::count_reads(bool on) {
  MutexLock lock(core_->mutex);
  core_->count_reads = on;
}

void SimFileSystem::on_call(CallHook hook) {
  MutexLock lock(core_->mutex);
  core_->hook = hook ? std::make_shared<const CallHook>(std::move(hook)) : nullptr;
}

// ------------------------------------------------------------------------------------------------------------ faults

void SimFileSystem::fail_at(std::uint64_t index, StatusCode code, bool for_ever) {
  MutexLock lock(core_->mutex);
  core_->faults.push_back({Fault::Kind::fail, index, for_ever, code, 0, UnsyncedPages::kept_dirty});
}

void SimFileSystem::short_write_at(std::uint64_t index, std::uint64_t bytes, StatusCode code) {
  MutexLock lock(core_->mutex);
  core_->faults.push_back({Fault::Kind::short_write, index, false, code, bytes, UnsyncedPages::kept_dirty});
}

void SimFileSystem::fail_sync_at(std::uint64_t index, UnsyncedPages outcome) {
  MutexLock lock(core_->mutex);
  core_->faults.push_back({Fault::Kind::fail_sync, index, false, StatusCode::io_error, 0, outcome});
}

void SimFileSystem::power_off_at(std::uint64_t index, std::uint64_t bytes) {
  MutexLock lock(core_->mutex);
  core_->faults.push_back(
      {Fault::Kind::power_off, index, false, StatusCode::io_error, bytes, UnsyncedPages::kept_dirty});
}

void SimFileSystem::power_off() {
  MutexLock lock(core_->mutex);
  core_->powered = false;
}

bool SimFileSystem::powered() const {
  MutexLock lock(core_->mutex);
  return core_->powered;
}

void SimFileSystem::clear_faults() {
  MutexLock lock(core_->mutex);
  core_->faults.clear();
}

void SimFileSystem::set_capacity(std::uint64_t bytes) {
  MutexLock lock(core_->mutex);
  core_->capacity = bytes;
}

void SimFileSystem::evict_clean_pages() {
  MutexLock lock(core_->mutex);
  core_->disk.evict_clean_pages();
}

// ------------------------------------------------------------------------------------------------------------ copies

std::unique_ptr<SimFileSystem> SimFileSystem::clone() const {
  return std::unique_ptr<SimFileSystem>(new SimFileSystem(core_->copy()));
}

std::unique_ptr<SimFileSystem> SimFileSystem::crash(const CrashPolicy& policy, std::uint64_t seed) const {
  std::shared_ptr<Core> next = core_->copy();
  {
    Core& core = *next;
    MutexLock lock(core.mutex);
    core.disk = crash_disk(core.disk, policy, seed);
    core.powered = true;
    core.next_call = 0;
    core.random = SeededRandom(mix64(seed) ^ core.random.next());
  }
  return std::unique_ptr<SimFileSystem>(new SimFileSystem(std::move(next)));
}

std::unique_ptr<SimFileSystem> SimFileSystem::kill_process() const {
  std::shared_ptr<Core> next = core_->copy();
  {
    Core& core = *next;
    MutexLock lock(core.mutex);
    core.disk.collect_garbage({});
    core.next_call = 0;
  }
  return std::unique_ptr<SimFileSystem>(new SimFileSystem(std::move(next)));
}

std::uint64_t SimFileSystem::unsynced_effects(CrashPolicy::Unit unit) const {
  MutexLock lock(core_->mutex);
  return count_effects(core_->disk, unit);
}

std::uint64_t SimFileSystem::last_write_sectors() const {
  MutexLock lock(core_->mutex);
  return count_last_write_sectors(core_->disk);
}

void SimFileSystem::reseed(std::uint64_t seed) {
  MutexLock lock(core_->mutex);
  core_->random = SeededRandom(seed);
}

// ----------------------------------------------------------------------------------------------- looking, tampering

namespace {

SimFileSystem::FileReport report_of(const SimDisk& disk, InodeId id, const std::string& path) {
  SimFileSystem::FileReport report;
  report.path = path;
  report.is_directory = disk.is_directory(id);
  report.name_durable = disk.find_durable(path) == id;
  if (report.is_directory) {
    report.unsynced = disk.directory(id).pending.size();
  } else {
    report.cached_size = disk.file(id).cached.size();
    report.durable_size = disk.file(id).durable.size();
    report.unsynced = disk.file(id).pending.size();
  }
  return report;
}

void collect(const SimDisk& disk, InodeId directory, const std::string& prefix,
             std::vector<SimFileSystem::FileReport>& out) {
  for (const auto& [name, id] : *disk.directory(directory).cached) {
    const std::string path = prefix + "/" + name;
    out.push_back(report_of(disk, id, path));
    if (out.back().is_directory) collect(disk, id, path, out);
  }
}

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  return checksum64(std::as_bytes(std::span(text.data(), text.size())), seed);
}

/// Of everything at and below `id`: each name counts once, with what stands behind it.
std::uint64_t fingerprint_of(const SimDisk& disk, InodeId id) {
  if (!disk.is_directory(id)) {
    const FileInode& file = disk.file(id);
    std::uint64_t hash = file.cached.digest();
    if (file.pending.empty() && !file.diverged) return hash;
    hash = mix64(hash ^ mix64(file.durable.digest()));
    for (const FileEffect& effect : file.pending) {
      hash = mix64(hash ^ mix64(effect.begin * 2 + (effect.is_size ? 1 : 0)) ^ mix64(effect.end));
      for (const PageRef& page : effect.pages) hash = mix64(hash ^ SimContent::digest(page));
    }
    return hash;
  }
  const DirectoryInode& directory = disk.directory(id);
  std::uint64_t hash = 0;
  for (const auto& [name, child] : *directory.cached) {
    hash = mix64(hash ^ hash_text(name, fingerprint_of(disk, child)));
  }
  if (directory.pending.empty() && !directory.diverged) return mix64(hash + 1);
  for (const auto& [name, child] : *directory.durable) {
    hash = mix64(hash ^ hash_text(name, disk.is_directory(child) ? 2 : disk.file(child).durable.digest()));
  }
  for (const DirectoryEffect& effect : directory.pending) {
    hash = hash_text(effect.removed, hash_text(effect.added, hash));
  }
  return mix64(hash + 2);
}

}  // namespace

std::uint64_t SimFileSystem::fingerprint() const {
  MutexLock lock(core_->mutex);
  return fingerprint_of(core_->disk, kRootInode);
}

std::vector<SimFileSystem::FileReport> SimFileSystem::files() const {
  MutexLock lock(core_->mutex);
  std::vector<FileReport> out;
  collect(core_->disk, kRootInode, "", out);
  return out;
}

Result<Bytes> SimFileSystem::read_whole(const std::string& path) const {
  MutexLock lock(core_->mutex);
  HF_ASSIGN(const InodeId id, core_->disk.find_file(path));
  return core_->disk.file(id).cached.whole();
}

Status SimFileSystem::write_whole(const std::string& path, ByteSpan bytes) {
  Core& core = *core_;
  MutexLock lock(core.mutex);
  Result<InodeId> id = core.disk.find_file(path);
  if (id.status().code() == StatusCode::not_found) {
    id = core.disk.create(path, false);
    if (!id.ok()) return id.status();
    HF_ASSIGN(const InodeId parent, core.disk.find_directory(os::parent(path)));
    DirectoryInode& directory = core.disk.edit_directory(parent);
    apply_effect(directory.pending.back(), directory.durable.edit());
    directory.pending.pop_back();
  }
  if (!id.ok()) return id.status();
  FileInode inode;
  inode.cached.write(0, bytes);
  inode.durable = inode.cached;
  core.disk.edit_file(*id) = std::move(inode);
  return {};
}

Status SimFileSystem::corrupt(const std::string& path, std::uint64_t offset, std::byte mask) {
  Core& core = *core_;
  MutexLock lock(core.mutex);
  HF_ASSIGN(const InodeId id, core.disk.find_file(path));
  if (offset >= core.disk.file(id).cached.size()) {
    return Status(StatusCode::not_found, "corrupt " + path + ": it ends before offset " + std::to_string(offset));
  }
  FileInode& inode = core.disk.edit_file(id);
  for (SimContent* content : {&inode.cached, &inode.durable}) {
    std::byte byte{};
    if (content->read(offset, std::span(&byte, 1)) == 0) continue;
    byte ^= mask;
    content->write(offset, std::span(&byte, 1));
  }
  return {};
}

}  // namespace holdfast::testing
