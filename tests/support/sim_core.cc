#include "support/sim_core.h"

#include <algorithm>

namespace holdfast::testing {
namespace {

bool always_counted(CallKind kind) noexcept { return kind <= CallKind::lock; }

/// A full disk still lets go of what it holds.
bool works_on_full_disk(const CallInfo& info, std::uint64_t size_before) noexcept {
  return info.kind == CallKind::remove || info.kind == CallKind::remove_directory ||
         (info.kind == CallKind::truncate && info.size <= size_before);
}

Status injected(const CallInfo& info, StatusCode code) {
  return Status(code, std::string(to_string(info.kind)) + " " + info.path + ": injected fault at call " +
                          std::to_string(info.index));
}

}  // namespace

std::string_view to_string(CallKind kind) noexcept {
  constexpr std::string_view kNames[] = {"create",
                                         "write",
                                         "truncate",
                                         "allocate",
                                         "sync",
                                         "rename",
                                         "link",
                                         "exchange",
                                         "remove",
                                         "create directory",
                                         "remove directory",
                                         "sync directory",
                                         "lock",
                                         "open",
                                         "read",
                                         "map",
                                         "size of",
                                         "list",
                                         "look for"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::shared_ptr<SimFileSystem::Core> SimFileSystem::Core::copy() const {
  auto other = std::make_shared<Core>(0);
  MutexLock lock(mutex);
  MutexLock other_lock(other->mutex);  // nobody else knows it yet; for the annotations
  other->disk = disk;
  other->powered = powered;
  other->count_reads = count_reads;
  other->next_call = next_call;
  other->capacity = capacity;
  other->random = random;
  return other;
}

CallInfo SimFileSystem::Core::announce(CallInfo info) {
  std::shared_ptr<const CallHook> call;
  {
    MutexLock lock(mutex);
    info.index = kNotCounted;
    if (!powered || !(count_reads || always_counted(info.kind))) return info;
    info.index = next_call++;
    call = hook;
  }
  if (call) (*call)(info);
  return info;
}

Verdict SimFileSystem::Core::judge(const CallInfo& info) {
  Verdict verdict;
  const auto power_is_off = [&] {
    return Status(StatusCode::io_error, std::string(to_string(info.kind)) + " " + info.path + ": power is off");
  };
  if (!powered) {
    verdict.status = power_is_off();
    verdict.happens = false;
    return verdict;
  }
  if (info.index == kNotCounted) return verdict;

  std::uint64_t size_before = 0;
  if (info.kind == CallKind::truncate) {
    const auto id = disk.find_file(info.path);
    if (id.ok()) size_before = disk.file(*id).cached.size();
  }
  const auto matches = [&](const Fault& fault) {
    if (fault.for_ever && fault.code == StatusCode::disk_full && works_on_full_disk(info, size_before)) return false;
    return fault.index == info.index || (fault.for_ever && fault.index < info.index);
  };
  const auto fault = std::find_if(faults.rbegin(), faults.rend(), matches);
  if (fault == faults.rend()) return verdict;

  verdict.status = injected(info, fault->code);
  verdict.happens = false;
  verdict.bytes = fault->bytes;
  switch (fault->kind) {
    case Fault::Kind::fail: break;
    case Fault::Kind::short_write: verdict.happens = info.kind == CallKind::write; break;
    case Fault::Kind::fail_sync:
      if (info.kind == CallKind::sync || info.kind == CallKind::sync_directory) verdict.failed_sync = fault->outcome;
      break;
    case Fault::Kind::power_off:
      powered = false;
      verdict.status = power_is_off();
      verdict.happens = fault->bytes == kWholeCall || info.kind == CallKind::write;
      break;
  }
  return verdict;
}

Status SimFileSystem::Core::outcome(const CallInfo& info, const Verdict& verdict, const Status& done) {
  if (!verdict.status.ok() || done.ok()) return verdict.status;
  std::string words(to_string(info.kind));
  words += " " + info.path;
  if (!info.target.empty()) words += " to " + info.target;
  return done.with_context(words);
}

std::uint64_t SimFileSystem::Core::free_space() const {
  constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
  if (capacity == 0) return kPlenty;
  const std::uint64_t used = disk.used_bytes(open);
  return used < capacity ? capacity - used : 0;
}

std::uint64_t SimFileSystem::Core::fitting(InodeId id, std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t size = disk.file(id).cached.size();
  if (capacity == 0 || offset + bytes <= size) return bytes;
  const std::uint64_t end = std::min(offset + bytes, size + free_space());
  return end > offset ? end - offset : 0;
}

}  // namespace holdfast::testing
