// Readable memory between two pages that are not: whoever reads past it dies, in every build.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <span>

namespace holdfast::simd::testing {

class GuardedRoom {
 public:
  explicit GuardedRoom(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes + page - 1) / page * page;
    mapped_ = size_ + 2 * page;
    void* memory = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    base_ = static_cast<char*>(memory);
    room_ = base_ + page;
    usable_ = mprotect(room_, size_, PROT_READ | PROT_WRITE) == 0;
  }
  ~GuardedRoom() {
    if (base_ != nullptr) munmap(base_, mapped_);
  }
  GuardedRoom(const GuardedRoom&) = delete;
  GuardedRoom& operator=(const GuardedRoom&) = delete;

  [[nodiscard]] bool usable() const { return usable_; }
  /// Copies `values` so that they begin right behind the guard before, or end right at the guard behind.
  /// REQUIRES: values.size_bytes() <= bytes.
  template <class Value>
  const Value* put(std::span<const Value> values, bool at_end) {
    char* to = at_end ? room_ + size_ - values.size_bytes() : room_;
    if (!values.empty()) std::memcpy(to, values.data(), values.size_bytes());
    return reinterpret_cast<const Value*>(to);
  }

 private:
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
  char* base_ = nullptr;
  char* room_ = nullptr;
  bool usable_ = false;
};

}  // namespace holdfast::simd::testing
