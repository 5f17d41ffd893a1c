// Small words for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/random.h"
#include "os/file_system.h"

namespace holdfast::testing {

inline Bytes bytes_of(std::string_view text) {
  const auto span = std::as_bytes(std::span(text.data(), text.size()));
  return {span.begin(), span.end()};
}
inline std::string text_of(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
/// Bytes without zeros, different for every seed and position.
inline Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(1 + mix64(seed * 1'000'003 + i) % 255);
  return bytes;
}
inline std::unique_ptr<os::File> must_create(os::FileSystem& fs, const std::string& path) {
  auto file = fs.create(path);
  EXPECT_TRUE(file.ok()) << file.status().to_string();
  return file.ok() ? std::move(file).value() : nullptr;
}
inline Bytes must_read(os::FileSystem& fs, const std::string& path) {
  auto content = os::read_file(fs, path, 1u << 30);
  EXPECT_TRUE(content.ok()) << content.status().to_string();
  return content.ok() ? std::move(content).value() : Bytes();
}
inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

#define EXPECT_OK(expression)                                           \
  do {                                                                  \
    const ::holdfast::Status expect_ok_status = (expression);           \
    EXPECT_TRUE(expect_ok_status.ok()) << expect_ok_status.to_string(); \
  } while (false)
#define EXPECT_CODE(expected, expression) EXPECT_EQ(::holdfast::StatusCode::expected, (expression).code())

}  // namespace holdfast::testing
