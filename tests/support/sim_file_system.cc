#include "support/sim_file_system.h"

#include <unistd.h>

#include <algorithm>

#include "base/try.h"
#include "support/sim_core.h"

namespace holdfast::testing {
namespace {

CallInfo call_of(CallKind kind, std::string path, std::uint64_t offset = 0, std::uint64_t size = 0) {
  return CallInfo{kind, SimFileSystem::kNotCounted, std::move(path), {}, offset, size};
}

Status disk_is_full() {
  return Status(StatusCode::disk_full, "no space left on device; free space on this file system, then try again");
}

class SimMap final : public os::MappedFile {
 public:
  SimMap(const SimContent& content, os::Mapping mapping, std::uint64_t room)
      : copy_(std::make_unique_for_overwrite<std::byte[]>(std::max<std::uint64_t>(content.size(), room))) {
    const std::span<std::byte> all(copy_.get(), std::max<std::uint64_t>(content.size(), room));
    const std::span<std::byte> bytes = all.first(content.size());
    content.read(0, bytes);
    std::fill(all.begin() + static_cast<std::ptrdiff_t>(bytes.size()), all.end(), std::byte{0});
    bytes_ = bytes;
    if (mapping == os::Mapping::private_writable) writable_ = all;
  }

 private:
  const std::unique_ptr<std::byte[]> copy_;
};

}  // namespace

// ---------------------------------------------------------------------------------------------------- files, locks

class SimFileSystem::SimFile final : public os::File {
 public:
  SimFile(std::shared_ptr<Core> core, InodeId id, std::string path, Access access) HF_REQUIRES(core->mutex)
      : core_(std::move(core)), id_(id), path_(std::move(path)), access_(access) {
    ++core_->open[id_];
  }
  ~SimFile() override {
    MutexLock lock(core_->mutex);
    if (--core_->open[id_] == 0) core_->open.erase(id_);
  }

  Result<std::uint64_t> size() const override {
    const CallInfo info = core_->announce(call_of(CallKind::size, path_));
    MutexLock lock(core_->mutex);
    HF_TRY(core_->judge(info).status);
    return core_->disk.file(id_).cached.size();
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    const CallInfo info = core_->announce(call_of(CallKind::read, path_, offset, out.size()));
    MutexLock lock(core_->mutex);
    HF_TRY(core_->judge(info).status);
    return core_->disk.file(id_).cached.read(offset, out);
  }

  Status write_at(std::uint64_t offset, ByteSpan bytes) override {
    const CallInfo info = core_->announce(call_of(CallKind::write, path_, offset, bytes.size()));
    MutexLock lock(core_->mutex);
    const Verdict verdict = core_->judge(info);
    if (access_ != Access::read_write) return Core::outcome(info, verdict, not_writable());
    if (!verdict.happens) return verdict.status;
    const std::uint64_t wanted = std::min<std::uint64_t>(verdict.bytes, bytes.size());
    const std::uint64_t count = core_->fitting(id_, offset, wanted);
    core_->disk.write(id_, offset, bytes.first(count));
    return Core::outcome(info, verdict, count == wanted ? Status() : disk_is_full());
  }

  Status truncate(std::uint64_t size) override {
    const CallInfo info = core_->announce(call_of(CallKind::truncate, path_, 0, size));
    MutexLock lock(core_->mutex);
    const Verdict verdict = core_->judge(info);
    if (access_ != Access::read_write) return Core::outcome(info, verdict, not_writable());
    if (!verdict.happens) return verdict.status;
    if (core_->fitting(id_, 0, size) < size) return Core::outcome(info, verdict, disk_is_full());
    core_->disk.truncate(id_, size);
    return verdict.status;
  }

  /// All or nothing, unlike a write.
  Status allocate(std::uint64_t size) override {
    const CallInfo info = core_->announce(call_of(CallKind::allocate, path_, 0, size));
    MutexLock lock(core_->mutex);
    const Verdict verdict = core_->judge(info);
    if (access_ != Access::read_write) return Core::outcome(info, verdict, not_writable());
    if (!verdict.happens) return verdict.status;
    if (core_->disk.file(id_).cached.size() >= size) return verdict.status;
    if (core_->fitting(id_, 0, size) < size) return Core::outcome(info, verdict, disk_is_full());
    core_->disk.truncate(id_, size);
    return verdict.status;
  }

  Status sync() override {
    const CallInfo info = core_->announce(call_of(CallKind::sync, path_));
    MutexLock lock(core_->mutex);
    const Verdict verdict = core_->judge(info);
    if (verdict.failed_sync) core_->disk.fail_sync(id_, *verdict.failed_sync);
    if (verdict.happens) core_->disk.sync(id_);
    return verdict.status;
  }

  using os::File::map;
  Result<std::unique_ptr<os::MappedFile>> map(os::Mapping mapping, std::uint64_t room) const override {
    const CallInfo info = core_->announce(call_of(CallKind::map, path_));
    MutexLock lock(core_->mutex);
    HF_TRY(core_->judge(info).status);
    return std::unique_ptr<os::MappedFile>(std::make_unique<SimMap>(core_->disk.file(id_).cached, mapping, room));
  }

 private:
  static Status not_writable() { return Status(StatusCode::io_error, "it is not open for writing"); }

  const std::shared_ptr<Core> core_;
  const InodeId id_;
  const std::string path_;
  const Access access_;
};

class SimFileSystem::SimLock final : public os::FileLock {
 public:
  SimLock(std::shared_ptr<Core> core, InodeId id) : core_(std::move(core)), id_(id) {}
  ~SimLock() override {
    MutexLock lock(core_->mutex);
    core_->locked.erase(id_);
  }

 private:
  const std::shared_ptr<Core> core_;
  const InodeId id_;
};

// ---------------------------------------------------------------------------------------------------- os::FileSystem

SimFileSystem::SimFileSystem(std::uint64_t seed) : core_(std::make_shared<Core>(seed)) {}
SimFileSystem::SimFileSystem(std::shared_ptr<Core> core) : core_(std::move(core)) {}
SimFileSystem::~SimFileSystem() = default;

Result<std::unique_ptr<os::File>> SimFileSystem::create(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::create, path));
  Core& core = *core_;
  MutexLock lock(core.mutex);
  const Verdict verdict = core.judge(info);
  if (!verdict.happens) return verdict.status;
  const Result<InodeId> id = core.disk.create(path, false);
  if (Status status = Core::outcome(info, verdict, id.status()); !status.ok()) return status;
  return std::unique_ptr<os::File>(std::make_unique<SimFile>(core_, *id, path, Access::read_write));
}

Result<std::unique_ptr<os::File>> SimFileSystem::open(const std::string& path, Access access) {
  const CallInfo info = core_->announce(call_of(CallKind::open, path));
  Core& core = *core_;
  MutexLock lock(core.mutex);
  const Verdict verdict = core.judge(info);
  if (!verdict.happens) return verdict.status;
  const Result<InodeId> id = core.disk.find_file(path);
  if (Status status = Core::outcome(info, verdict, id.status()); !status.ok()) return status;
  return std::unique_ptr<os::File>(std::make_unique<SimFile>(core_, *id, path, access));
}

Status SimFileSystem::rename(const std::string& from, const std::string& to) {
  CallInfo info = call_of(CallKind::rename, from);
  info.target = to;
  info = core_->announce(std::move(info));
  MutexLock lock(core_->mutex);
  const Verdict verdict = core_->judge(info);
  return Core::outcome(info, verdict, verdict.happens ? core_->disk.rename(from, to) : Status());
}

Status SimFileSystem::link(const std::string& from, const std::string& to) {
  CallInfo info = call_of(CallKind::link, from);
  info.target = to;
  info = core_->announce(std::move(info));
  MutexLock lock(core_->mutex);
  const Verdict verdict = core_->judge(info);
  return Core::outcome(info, verdict, verdict.happens ? core_->disk.link(from, to) : Status());
}

Status SimFileSystem::exchange(const std::string& a, const std::string& b) {
  CallInfo info = call_of(CallKind::exchange, a);
  info.target = b;
  info = core_->announce(std::move(info));
  MutexLock lock(core_->mutex);
  const Verdict verdict = core_->judge(info);
  return Core::outcome(info, verdict, verdict.happens ? core_->disk.exchange(a, b) : Status());
}

Status SimFileSystem::remove(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::remove, path));
  MutexLock lock(core_->mutex);
  const Verdict verdict = core_->judge(info);
  return Core::outcome(info, verdict, verdict.happens ? core_->disk.remove(path) : Status());
}

Status SimFileSystem::create_directory(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::create_directory, path));
  MutexLock lock(core_->mutex);
  const Verdict verdict = core_->judge(info);
  return Core::outcome(info, verdict, verdict.happens ? core_->disk.create(path, true).status() : Status());
}

Status SimFileSystem::remove_directory(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::remove_directory, path));
  MutexLock lock(core_->mutex);
  const Verdict verdict = core_->judge(info);
  return Core::outcome(info, verdict, verdict.happens ? core_->disk.remove_directory(path) : Status());
}

Status SimFileSystem::sync_directory(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::sync_directory, path));
  Core& core = *core_;
  MutexLock lock(core.mutex);
  const Verdict verdict = core.judge(info);
  const Result<InodeId> id = core.disk.find_directory(path);
  if (!id.ok()) return Core::outcome(info, verdict, id.status());
  if (verdict.failed_sync) core.disk.fail_sync(*id, *verdict.failed_sync);
  if (verdict.happens) {
    core.disk.sync(*id);
    core.disk.collect_garbage(core.open);
  }
  return verdict.status;
}

Result<std::vector<os::DirectoryEntry>> SimFileSystem::list(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::list, path));
  Core& core = *core_;
  MutexLock lock(core.mutex);
  HF_TRY(core.judge(info).status);
  const Result<InodeId> id = core.disk.find_directory(path);
  if (!id.ok()) return Core::outcome(info, {}, id.status());
  std::vector<os::DirectoryEntry> entries;
  for (const auto& [name, child] : *core.disk.directory(*id).cached) {
    entries.push_back({name, core.disk.is_directory(child)});
  }
  return entries;
}

Result<bool> SimFileSystem::exists(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::exists, path));
  MutexLock lock(core_->mutex);
  HF_TRY(core_->judge(info).status);
  const Result<InodeId> id = core_->disk.find(path);
  if (id.ok()) return true;
  if (id.status().code() == StatusCode::not_found) return false;
  return Core::outcome(info, {}, id.status());
}

Result<std::unique_ptr<os::FileLock>> SimFileSystem::lock(const std::string& path) {
  const CallInfo info = core_->announce(call_of(CallKind::lock, path));
  Core& core = *core_;
  MutexLock lock(core.mutex);
  const Verdict verdict = core.judge(info);
  if (!verdict.happens) return verdict.status;
  Result<InodeId> id = core.disk.find_file(path);
  if (id.status().code() == StatusCode::not_found) id = core.disk.create(path, false);
  if (Status status = Core::outcome(info, verdict, id.status()); !status.ok()) return status;
  if (!core.locked.insert(*id).second) {
    return Status(StatusCode::already_open, "lock " + path + ": held by process " + std::to_string(::getpid()) +
                                                ", which is this one; close the handle that is open first");
  }
  return std::unique_ptr<os::FileLock>(std::make_unique<SimLock>(core_, *id));
}

std::uint64_t SimFileSystem::random_u64() {
  MutexLock lock(core_->mutex);
  return core_->random.next();
}

Result<std::uint64_t> SimFileSystem::free_bytes(const std::string& path) {
  Core& core = *core_;
  MutexLock lock(core.mutex);
  const CallInfo info = call_of(CallKind::exists, path);
  HF_TRY(core.judge(info).status);
  const Result<InodeId> id = core.disk.find(path);
  if (!id.ok()) return Core::outcome(info, {}, id.status());
  return core.free_space();
}

}  // namespace holdfast::testing
