#include "base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <exception>

namespace holdfast {

std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Checksum64::Checksum64(std::uint64_t seed) noexcept : state_(XXH3_createState()) {
  if (state_ == nullptr) std::terminate();  // 576 bytes; nothing sensible can go on without them
  XXH3_64bits_reset_withSeed(static_cast<XXH3_state_t*>(state_), seed);
}
Checksum64::~Checksum64() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void Checksum64::update(std::span<const std::byte> bytes) noexcept {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}
std::uint64_t Checksum64::digest() const noexcept { return XXH3_64bits_digest(static_cast<XXH3_state_t*>(state_)); }

}  // namespace holdfast
