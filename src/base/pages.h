// Anonymous memory straight from the kernel: zeroed, touched lazily, on huge pages where the system gives them.
//
// For tables that are large, never move and are filled slowly: untouched pages cost address space only.
#pragma once

#include <cstddef>
#include <utility>

namespace holdfast {

class Pages {
 public:
  enum class Size { normal, huge };  ///< huge: ask for 2 MiB pages; the kernel may refuse

  Pages() noexcept = default;
  /// Maps `bytes` (rounded up to pages) of zeroed memory, aligned to 64 at least. Empty if memory is short.
  [[nodiscard]] static Pages map(std::size_t bytes, Size size) noexcept;
  ~Pages();
  Pages(Pages&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  /// Gives the memory up: nobody unmaps it any more.
  std::byte* release() noexcept {
    bytes_ = 0;
    return std::exchange(data_, nullptr);
  }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return data_ == nullptr; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace holdfast
