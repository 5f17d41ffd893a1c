#include "base/pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace holdfast {
namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) noexcept { return (bytes + unit - 1) / unit * unit; }

void* map_anonymous(std::size_t bytes) noexcept {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

Pages Pages::map(std::size_t bytes, Size size) noexcept {
  Pages pages;
  if (bytes == 0 || bytes > SIZE_MAX / 2) return pages;
  bytes = round_up(bytes, kPageBytes);
  const bool huge = size == Size::huge && bytes >= kHugePageBytes;
  // A huge page must start at a multiple of its size: map more, and give back what hangs over on both sides.
  const std::size_t mapped = huge ? bytes + kHugePageBytes : bytes;
  auto* const start = static_cast<std::byte*>(map_anonymous(mapped));
  if (start == nullptr) return pages;
  std::size_t skipped = 0;
  if (huge) {
    const auto address = reinterpret_cast<std::uintptr_t>(start);
    skipped = round_up(address, kHugePageBytes) - address;
    if (skipped > 0) ::munmap(start, skipped);
    if (const std::size_t rest = mapped - skipped - bytes; rest > 0) ::munmap(start + skipped + bytes, rest);
    ::madvise(start + skipped, bytes, MADV_HUGEPAGE);  // a wish: nothing depends on its outcome
  }
  pages.data_ = start + skipped;
  pages.bytes_ = bytes;
  return pages;
}

Pages::~Pages() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace holdfast
