// The part of SimFileSystem that tests talk to: faults, copies, and tampering. The calls that the store makes are in
// sim_file_system.cc.
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

}  // namespace

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
