// Vector files of every format, written byte by byte for the tests of their readers.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/temp_dir.h"

namespace holdfast::cli::test {

using Rows = std::vector<std::vector<float>>;

using holdfast::testing::TempDir;

template <class T>
void append(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <class T>
std::string packed(const Rows& rows, bool prefixed = false) {
  std::string out;
  for (const auto& row : rows) {
    if (prefixed) append(out, static_cast<std::uint32_t>(row.size()));
    for (const float component : row) append(out, static_cast<T>(component));
  }
  return out;
}

inline std::string npy_bytes(std::string_view descr, std::string_view shape, const std::string& data, int version = 1,
                             std::string_view order = "False") {
  std::string dictionary = "{'descr': '" + std::string(descr) + "', 'fortran_order': " + std::string(order) +
                           ", 'shape': " + std::string(shape) + ", }";
  while ((dictionary.size() + 11 + (version > 1 ? 2 : 0)) % 64 != 0) dictionary += ' ';
  dictionary += '\n';
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  if (version == 1) {
    append(out, static_cast<std::uint16_t>(dictionary.size()));
  } else {
    append(out, static_cast<std::uint32_t>(dictionary.size()));
  }
  return out + dictionary + data;
}

inline std::string shape_of(const Rows& rows) {
  return "(" + std::to_string(rows.size()) + ", " + std::to_string(rows.front().size()) + ")";
}

template <class T>
std::string bin_bytes(const Rows& rows) {
  std::string out;
  append(out, static_cast<std::uint32_t>(rows.size()));
  append(out, static_cast<std::uint32_t>(rows.front().size()));
  return out + packed<T>(rows);
}

inline std::string write_file(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Whole numbers below 128, which every component type holds exactly.
inline Rows random_rows(std::size_t count, std::size_t dimension, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Rows rows(count, std::vector<float>(dimension));
  for (auto& row : rows) {
    for (float& component : row) component = static_cast<float>(random() % 128);
  }
  return rows;
}

}  // namespace holdfast::cli::test
