#include "engine/allocation_faults.h"

#include <cstdlib>
#include <new>

namespace {

/// Allocations of this thread until one fails; negative: none will.
thread_local long allocations_left = -1;

bool must_fail() noexcept { return allocations_left >= 0 && allocations_left-- == 0; }

}  // namespace

// Not inlined, or GCC takes free() for a mismatch of new.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (must_fail()) throw std::bad_alloc();
  if (void* const at = std::malloc(bytes == 0 ? 1 : bytes)) return at;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return must_fail() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}
[[gnu::noinline]] void operator delete(void* at) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept { std::free(at); }
[[gnu::noinline]] void operator delete(void* at, const std::nothrow_t&) noexcept { std::free(at); }

namespace holdfast::testing {

FailingAllocation::FailingAllocation(std::uint64_t n) noexcept { allocations_left = static_cast<long>(n); }
FailingAllocation::~FailingAllocation() { allocations_left = -1; }
bool FailingAllocation::failed() const noexcept { return allocations_left < 0; }

}  // namespace holdfast::testing
