// Tables of a collection (base/pages.h) are mapped and unmapped some forty times per crash state, and a few pages of
// each are touched: a third of the explorer's time went to the kernel. In this test program alone, such mappings are
// kept when they are given back, their touched pages are zeroed, and they are handed out again.
//
// What the store sees is the same: zeroed memory. What gets lost is the fault that a use after unmapping would meet;
// therefore none of this exists under a sanitizer, where the same tests run, too.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <vector>

#include "base/mutex.h"
#include "base/sanitizer.h"

#if !HF_SANITIZED

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kLargest = std::size_t{2} << 20;  // beyond, huge pages are asked for and parts are given back
constexpr std::size_t kKeptPerSize = 64;

struct Recycler {
  holdfast::Mutex mutex;
  std::map<void*, std::size_t> lent HF_GUARDED_BY(mutex);
  std::map<std::size_t, std::vector<void*>> kept HF_GUARDED_BY(mutex);
};

Recycler& recycler() {
  static auto* const one = new Recycler;  // never destroyed: it outlives whoever unmaps last
  return *one;
}

/// Whether it could make all bytes zero again.
bool clean(void* at, std::size_t bytes) {
  unsigned char touched[kLargest / kPageBytes];
  if (::mincore(at, bytes, touched) != 0) return false;
  for (std::size_t page = 0; page < bytes / kPageBytes; ++page) {
    if ((touched[page] & 1) != 0) std::memset(static_cast<char*>(at) + page * kPageBytes, 0, kPageBytes);
  }
  return true;
}

}  // namespace

// They take the place of libc's for this program.
extern "C" void* mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  const auto real = [&] {
    return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, file, offset));
  };
  // Only Pages::map asks like this.
  const bool table = at == nullptr && file == -1 && (flags & MAP_NORESERVE) != 0 && bytes % kPageBytes == 0 &&
                     bytes <= kLargest && protection == (PROT_READ | PROT_WRITE);
  if (!table) return real();
  Recycler& all = recycler();
  holdfast::MutexLock lock(all.mutex);
  std::vector<void*>& kept = all.kept[bytes];
  void* found = nullptr;
  if (kept.empty()) {
    found = real();
    if (found == MAP_FAILED) return found;
  } else {
    found = kept.back();
    kept.pop_back();
  }
  all.lent[found] = bytes;
  return found;
}

extern "C" int munmap(void* at, std::size_t bytes) noexcept {
  {
    Recycler& all = recycler();
    holdfast::MutexLock lock(all.mutex);
    const auto lent = all.lent.find(at);
    if (lent != all.lent.end()) {
      const bool whole = lent->second == bytes;
      all.lent.erase(lent);
      std::vector<void*>& kept = all.kept[bytes];
      if (whole && kept.size() < kKeptPerSize && clean(at, bytes)) {
        kept.push_back(at);
        return 0;
      }
    }
  }
  return static_cast<int>(::syscall(SYS_munmap, at, bytes));
}

#endif
