// Faults of system calls for one test program: the linker sends the program's calls of open, pread, pwrite and so on
// here (--wrap, see CMakeLists.txt), so the product needs no seam and pays nothing. Calls are counted, and fail, only
// on the thread that armed the plan; everybody else gets the real ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::testing {

enum class Syscall : std::uint8_t {
  open,
  opendir,
  readdir,
  pread,
  pwrite,
  ftruncate,
  fallocate,
  fdatasync,
  fsync,
  fstat,
  stat,
  statvfs,
  rename,
  link,
  renameat2,
  unlink,
  mkdir,
  rmdir,
  fcntl,
  mmap,
  getrandom,
};
[[nodiscard]] const char* to_string(Syscall call) noexcept;
/// Whether a call of this kind takes new room on the disk.
[[nodiscard]] bool takes_room(Syscall call) noexcept;
/// Whether it makes a descriptor.
[[nodiscard]] bool makes_descriptor(Syscall call) noexcept;
[[nodiscard]] bool transfers(Syscall call) noexcept;

struct SyscallPlan {
  std::uint64_t index = ~std::uint64_t{0};  ///< the call that it is about
  int error = 0;                            ///< what it fails with; 0: it does not fail
  std::uint64_t times = 1;                  ///< so many calls from `index` on; of EINTR: so often
  bool cut = false;                         ///< a transfer moves half of what it was asked for (and then fails)
  bool (*which)(Syscall) = nullptr;         ///< null: every kind
};

/// Counts, and fails by `plan`, the calls of this thread while it lives.
class ArmedSyscalls {
 public:
  explicit ArmedSyscalls(const SyscallPlan& plan);
  ~ArmedSyscalls();
  ArmedSyscalls(const ArmedSyscalls&) = delete;
  ArmedSyscalls& operator=(const ArmedSyscalls&) = delete;
  [[nodiscard]] const std::vector<Syscall>& calls() const noexcept { return calls_; }
  /// How many calls were made to fail, or cut.
  [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }

  /// For the wrappers: the errno that the next call fails with, or 0. `bytes`: of a transfer, may become less.
  int next(Syscall call, std::size_t* bytes);

 private:
  const SyscallPlan plan_;
  std::vector<Syscall> calls_;
  std::uint64_t hits_ = 0, failed_ = 0;
  bool cut_done_ = false;
};

}  // namespace holdfast::testing
