// Little-endian encoding into byte strings, and a reader that can never leave its span.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace holdfast {

static_assert(std::endian::native == std::endian::little, "formats are little-endian; big-endian hosts need a port");

using ByteSpan = std::span<const std::byte>;
using Bytes = std::vector<std::byte>;

/// resize and memcpy, not insert(): GCC 12 reports false overflows inside insert().
inline void put_bytes(Bytes& out, ByteSpan bytes) {
  if (bytes.empty()) return;
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  std::memcpy(out.data() + at, bytes.data(), bytes.size());
}
template <class T>
requires std::is_arithmetic_v<T>
void put(Bytes& out, T value) { put_bytes(out, std::as_bytes(std::span(&value, 1))); }
/// Length (u32), then the characters.
inline void put_string(Bytes& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  put_bytes(out, std::as_bytes(std::span(text.data(), text.size())));
}

template <class T>
requires std::is_arithmetic_v<T>
[[nodiscard]] T load(const std::byte* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
template <class T>
requires std::is_arithmetic_v<T>
void store(std::byte* p, T value) noexcept { std::memcpy(p, &value, sizeof value); }

/// Reads forward through bytes that may be damaged. After the first failure every read fails.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) noexcept : bytes_(bytes) {}

  template <class T>
  requires std::is_arithmetic_v<T>
  [[nodiscard]] bool get(T& value) noexcept {
    if (!has(sizeof(T))) return false;
    value = load<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return true;
  }
  [[nodiscard]] bool get_bytes(std::size_t size, ByteSpan& out) noexcept {
    if (!has(size)) return false;
    out = bytes_.subspan(position_, size);
    position_ += size;
    return true;
  }
  [[nodiscard]] bool get_string(std::string_view& out) noexcept {
    std::uint32_t size = 0;
    ByteSpan bytes;
    if (!get(size) || !get_bytes(size, bytes)) return false;
    out = std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  [[nodiscard]] std::size_t position() const noexcept { return position_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - position_; }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  bool has(std::size_t size) noexcept {
    if (failed_ || size > bytes_.size() - position_) failed_ = true;
    return !failed_;
  }
  ByteSpan bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

}  // namespace holdfast
