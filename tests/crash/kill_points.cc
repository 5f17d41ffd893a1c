#include "crash/kill_points.h"

#include <fcntl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "crash/kill_workload.h"
#include "storage/file_names.h"

namespace holdfast::testing {
namespace {

using storage::FileKind;

struct PointInfo {
  std::string_view name;
  std::uint64_t passings;
};
constexpr std::array<PointInfo, kKillPoints> kPoints{{
    {"log.filling", 3},     {"log.headed", 3},         {"log.named", 3},        {"head.named", 3},
    {"log.torn", 100},      {"log.written", 100},      {"log.synced", 60},      {"log.removed", 3},
    {"seal.copied", 1},     {"seal.named", 1},         {"extent.torn", 20},     {"extent.synced", 14},
    {"extents.named", 3},   {"extent.removed", 10},    {"manifest.written", 3}, {"manifest.named", 3},
    {"manifest.synced", 3}, {"manifest.removed", 2},   {"catalog.written", 1},  {"catalog.named", 1},
    {"collection.made", 1}, {"collection.removed", 1}, {"backup.copied", 12},   {"backup.swapped", 1},
    {"open.call", 80},      {"close.call", 60},
}};

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }
FileKind kind_of(std::string_view path) { return storage::parse_name(name_of(path)).kind; }
/// The name of the directory that holds it.
bool stands_in(std::string_view path, std::string_view directory) {
  const std::size_t slash = path.rfind('/');
  return slash != std::string_view::npos && name_of(path.substr(0, slash)) == directory;
}

class KillFile final : public os::File {
 public:
  KillFile(KillSwitch& kill, KillRole role, std::unique_ptr<os::File> file, const std::string& path)
      : kill_(kill), role_(role), file_(std::move(file)) {
    if (role != KillRole::store) return;
    log_ = stands_in(path, storage::kWalDirectory) && name_of(path) != "sealed.tmp";
    extent_ = stands_in(path, storage::kExtentDirectory);
  }

  Result<std::uint64_t> size() const override {
    kill_.call();
    return file_->size();
  }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> out) const override {
    kill_.call();
    return file_->read_at(offset, out);
  }
  Status write_at(std::uint64_t offset, ByteSpan bytes) override {
    kill_.call();
    const bool header = log_ && offset == 0 && !bytes.empty() && bytes[0] != std::byte{0};
    headed_ |= header;
    const bool group = log_ && headed_ && !header;
    if (group) tear(KillPoint::log_torn, offset, bytes);
    if (log_ && !headed_) tear(KillPoint::log_filling, offset, bytes);
    if (extent_) tear(KillPoint::extent_torn, offset, bytes);
    Status status = file_->write_at(offset, bytes);
    if (group) kill_.pass(KillPoint::log_written);
    grouped_ |= group;
    return status;
  }
  Status truncate(std::uint64_t size) override {
    kill_.call();
    return file_->truncate(size);
  }
  Status allocate(std::uint64_t size) override {
    kill_.call();
    return file_->allocate(size);
  }
  Status sync() override {
    kill_.call();
    Status status = file_->sync();
    if (log_ && headed_) kill_.pass(grouped_ ? KillPoint::log_synced : KillPoint::log_headed);
    if (extent_) kill_.pass(KillPoint::extent_synced);
    if (role_ == KillRole::backup) kill_.pass(KillPoint::backup_copied);
    return status;
  }
  Result<std::unique_ptr<os::MappedFile>> map(os::Mapping mapping, std::uint64_t room) const override {
    kill_.call();
    return file_->map(mapping, room);
  }

 private:
  /// Writes a part that ends at no boundary, and dies.
  void tear(KillPoint point, std::uint64_t offset, ByteSpan bytes) {
    if (!kill_.due(point)) return;
    const std::size_t part = bytes.size() / 2 + bytes.size() % 509 / 2;
    file_->write_at(offset, bytes.first(part)).ignore();  // nobody is left to be told
    kill_.die();
  }

  KillSwitch& kill_;
  const KillRole role_;
  const std::unique_ptr<os::File> file_;
  bool log_ = false;      ///< a segment, or what becomes one
  bool extent_ = false;   ///< written once, then read
  bool headed_ = false;   ///< the segment's header is written
  bool grouped_ = false;  ///< and a group
};

class KillFileSystem final : public os::FileSystem {
 public:
  KillFileSystem(KillSwitch& kill, KillRole role) : kill_(kill), role_(role) {}

  Result<std::unique_ptr<os::File>> create(const std::string& path) override {
    kill_.call();
    return wrap(real_.create(path), path);
  }
  Result<std::unique_ptr<os::File>> open(const std::string& path, Access access) override {
    kill_.call();
    return wrap(real_.open(path, access), path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    kill_.call();
    const bool seal = name_of(from) == "sealed.tmp";
    const FileKind kind = role_ == KillRole::store ? kind_of(to) : FileKind::unknown;
    if (seal) kill_.pass(KillPoint::seal_copied);
    if (kind == FileKind::manifest) kill_.pass(KillPoint::manifest_written);
    if (kind == FileKind::catalog) kill_.pass(KillPoint::catalog_written);
    Status status = real_.rename(from, to);
    if (kind == FileKind::segment) kill_.pass(seal ? KillPoint::seal_named : KillPoint::log_named);
    if (kind == FileKind::manifest) {
      kill_.pass(KillPoint::manifest_named);
      manifest_named_.store(true, std::memory_order_relaxed);  // read by the same thread
    }
    if (kind == FileKind::catalog) kill_.pass(KillPoint::catalog_named);
    if (role_ == KillRole::store && name_of(to) == storage::kLogHeadFile) kill_.pass(KillPoint::head_named);
    if (role_ == KillRole::backup) kill_.pass(KillPoint::backup_swapped);
    return status;
  }
  Status link(const std::string& from, const std::string& to) override {
    kill_.call();
    Status status = real_.link(from, to);
    if (role_ == KillRole::backup) kill_.pass(KillPoint::backup_copied);
    return status;
  }
  Status exchange(const std::string& a, const std::string& b) override {
    kill_.call();
    Status status = real_.exchange(a, b);
    if (role_ == KillRole::backup) kill_.pass(KillPoint::backup_swapped);
    return status;
  }
  Status remove(const std::string& path) override {
    kill_.call();
    Status status = real_.remove(path);
    if (role_ != KillRole::store || !status.ok()) return status;
    switch (kind_of(path)) {
      case FileKind::segment: kill_.pass(KillPoint::log_removed); break;
      case FileKind::extent: kill_.pass(KillPoint::extent_removed); break;
      case FileKind::manifest: kill_.pass(KillPoint::manifest_removed); break;
      default: break;
    }
    return status;
  }
  Status create_directory(const std::string& path) override {
    kill_.call();
    Status status = real_.create_directory(path);
    if (is_collection(path)) kill_.pass(KillPoint::collection_made);
    return status;
  }
  Status remove_directory(const std::string& path) override {
    kill_.call();
    Status status = real_.remove_directory(path);
    if (is_collection(path)) kill_.pass(KillPoint::collection_removed);
    return status;
  }
  Status sync_directory(const std::string& path) override {
    kill_.call();
    Status status = real_.sync_directory(path);
    if (role_ == KillRole::store && name_of(path) == storage::kExtentDirectory) kill_.pass(KillPoint::extents_named);
    if (is_collection(path) && manifest_named_.exchange(false, std::memory_order_relaxed)) {  // set by the same thread
      kill_.pass(KillPoint::manifest_synced);
    }
    return status;
  }
  Result<std::vector<os::DirectoryEntry>> list(const std::string& path) override {
    kill_.call();
    return real_.list(path);
  }
  Result<bool> exists(const std::string& path) override {
    kill_.call();
    return real_.exists(path);
  }
  Result<std::unique_ptr<os::FileLock>> lock(const std::string& path) override {
    kill_.call();
    return real_.lock(path);
  }
  std::uint64_t random_u64() override { return real_.random_u64(); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return real_.free_bytes(path); }

 private:
  Result<std::unique_ptr<os::File>> wrap(Result<std::unique_ptr<os::File>> file, const std::string& path) {
    if (!file.ok()) return file;
    return std::unique_ptr<os::File>(std::make_unique<KillFile>(kill_, role_, std::move(file).value(), path));
  }
  [[nodiscard]] bool is_collection(const std::string& path) const {
    return role_ == KillRole::store && kind_of(path) == FileKind::collection_directory;
  }

  os::FileSystem& real_ = os::posix_file_system();
  KillSwitch& kill_;
  const KillRole role_;
  std::atomic<bool> manifest_named_{false};
};

// <linux/fs.h> has FS_IOC_SHUTDOWN only since Linux 6.9; the number is that of XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN.
constexpr unsigned long kShutdownRequest = _IOR('X', 125, __u32);
constexpr __u32 kFlushLog = 1;
constexpr __u32 kNoLogFlush = 2;

}  // namespace

std::string_view to_string(KillPoint point) noexcept {
  return point < KillPoint::count ? kPoints[static_cast<std::uint32_t>(point)].name : "?";
}
std::uint64_t passings(KillPoint point) noexcept {
  return point < KillPoint::count ? kPoints[static_cast<std::uint32_t>(point)].passings : 1;
}

bool cut_power(const char* path, KillManner manner) noexcept {
  const int directory = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return errno == EIO;  // it is cut already
  __u32 flags = manner == KillManner::cut_flush ? kFlushLog : kNoLogFlush;
  const bool done = ::ioctl(directory, kShutdownRequest, &flags) == 0;
  ::close(directory);
  return done;
}

void KillSwitch::die() noexcept {
  if (manner_ != KillManner::kill && !cut_power(path_, manner_)) ::_exit(kWorkerFailed);
  KillEvent event{.kind = KillEvent::Kind::point_reached};
  if (point_) event.number = static_cast<std::uint64_t>(*point_);
  if (!send(pipe_, event)) ::_exit(kWorkerFailed);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

std::unique_ptr<os::FileSystem> make_kill_file_system(KillSwitch& kill, KillRole role) {
  return std::make_unique<KillFileSystem>(kill, role);
}

}  // namespace holdfast::testing
