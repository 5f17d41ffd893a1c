// Vectors to measure with: files of real data with their exact neighbors, or synthetic sets of the same shape.
//
// A data set is a folder `<name>-<metric>` that holds
//   base.*, query.*   u32 rows, u32 dimension, then rows x dimension components, little-endian:
//                     .fbin float32, .hbin float16, .u8bin bytes; the latter two are widened to float32
//   gt100.ibin        u32 queries, u32 width, then int32 row numbers of the exact nearest, nearest first
// each plain or compressed (`.zst`). The metric is the last part of the name: l2, ip or cosine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/status.h"
#include "holdfast/types.h"

namespace holdfast::bench {

/// Rows of float32, one after the other.
struct Matrix {
  std::uint32_t rows = 0;
  std::uint32_t dim = 0;
  std::vector<float> values;

  [[nodiscard]] std::span<const float> row(std::size_t i) const { return std::span(values).subspan(i * dim, dim); }
};

/// For each query the row numbers of its exact nearest neighbors, nearest first.
struct Neighbors {
  std::uint32_t queries = 0;
  std::uint32_t width = 0;
  std::vector<std::uint32_t> rows;

  [[nodiscard]] std::span<const std::uint32_t> of(std::size_t query) const {
    return std::span(rows).subspan(query * width, width);
  }
};

struct Dataset {
  std::string name;
  bool synthetic = false;
  Metric metric = Metric::l2;
  Matrix base;
  Matrix queries;
  Neighbors nearest;
};

enum class Encoding : std::uint8_t { f32, f16, u8 };

/// Errors: data_damaged if header and size disagree.
[[nodiscard]] Result<Matrix> parse_matrix(std::span<const std::byte> bytes, Encoding encoding);
/// `base_rows` bounds the row numbers. Errors: data_damaged.
[[nodiscard]] Result<Neighbors> parse_neighbors(std::span<const std::byte> bytes, std::uint32_t base_rows);
/// Rows of `dim` components in the format of .fbin. Errors: io_error.
[[nodiscard]] Status write_matrix(const std::filesystem::path& path, std::span<const float> values, std::uint32_t dim);
/// The bytes of a file; what ends in `.zst` is decompressed. Errors: not_found, io_error, data_damaged.
[[nodiscard]] Result<std::vector<std::byte>> read_file(const std::filesystem::path& path);

/// The folder in which data sets lie: `given`, else $HOLDFAST_DATA, else ../shared/data; empty if that does not exist.
[[nodiscard]] std::filesystem::path data_root(const std::string& given);
/// Errors: not_found if there is no such folder.
[[nodiscard]] Result<Dataset> load_dataset(const std::filesystem::path& root, const std::string& name);

struct Shape {
  std::uint32_t rows;
  std::uint32_t queries;
  std::uint32_t dim;
  Metric metric;
};
/// The shape of a well-known data set, so that its figures have a stand-in where it is missing.
/// Errors: not_found.
[[nodiscard]] Result<Shape> shape_of(std::string_view name);
/// Gaussian clusters with low-dimensional spread (as real embeddings have), exact neighbors included.
/// The same seed gives the same set.
[[nodiscard]] Dataset synthetic_dataset(std::string name, const Shape& shape, std::uint64_t seed);

/// Keeps the first rows and queries (0: all) and computes the neighbors of what is left.
void shorten(Dataset& set, std::uint32_t rows, std::uint32_t queries);
/// Exact neighbors, in float64, on all cores.
[[nodiscard]] Neighbors nearest_rows(const Matrix& base, const Matrix& queries, Metric metric, std::uint32_t width);

/// Part of the `k` exact nearest of each query that `found` names; `found` holds k rows per query, by row number.
/// Equally distant rows count as misses unless they are the very ones listed: the strict reading.
[[nodiscard]] double recall(const Neighbors& nearest, std::span<const std::uint32_t> found, std::uint32_t k);

}  // namespace holdfast::bench
