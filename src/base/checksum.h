// XXH3-64, the one checksum of every format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace holdfast {

/// XXH3-64 of `bytes`, seeded.
[[nodiscard]] std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed = 0) noexcept;

/// The same over several pieces.
class Checksum64 {
 public:
  explicit Checksum64(std::uint64_t seed = 0) noexcept;
  ~Checksum64();
  Checksum64(const Checksum64&) = delete;
  Checksum64& operator=(const Checksum64&) = delete;
  void update(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] std::uint64_t digest() const noexcept;

 private:
  void* state_;
};

}  // namespace holdfast
