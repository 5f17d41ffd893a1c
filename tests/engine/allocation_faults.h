// Makes the n-th allocation of this thread fail. The operators new of the whole test program are replaced.
#pragma once

#include <cstdint>

namespace holdfast::testing {

/// Runs `call` with its n-th allocation (from 0) failing; false if it had fewer.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::uint64_t n) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  [[nodiscard]] bool failed() const noexcept;
};

template <class Call>
bool with_failure(std::uint64_t n, Call call) {
  const FailingAllocation failing(n);
  call();
  return failing.failed();
}

}  // namespace holdfast::testing
