// What every reader of a vector file looks like to the commands: rows in order, and a way to go on at a row.
//
// Sources stream: they hold one block or one line, never the file. They check what they read: the header against the
// size of the file before anything is allocated, each row for NaN and infinity. After an error a source is used up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/status.h"
#include "holdfast/types.h"

namespace holdfast::cli {

/// One row of a file. Reused from call to call, so that reading allocates nothing in the steady state.
struct Record {
  std::uint64_t row = 0;      ///< from 0
  std::optional<PointId> id;  ///< only where the format carries ids
  std::vector<float> vector;  ///< values x dimension() finite components
  std::uint32_t values = 1;   ///< vectors of the row; several only where the format has them (JSONL)
  std::string payload;        ///< a JSON object or empty
};

class VectorSource {
 public:
  VectorSource() = default;
  VectorSource(const VectorSource&) = delete;
  VectorSource& operator=(const VectorSource&) = delete;
  virtual ~VectorSource() = default;

  [[nodiscard]] virtual std::uint32_t dimension() const = 0;
  /// Nothing where only reading to the end would tell (JSONL).
  [[nodiscard]] virtual std::optional<std::uint64_t> row_count() const = 0;
  /// Fills `record` with the next row; false at the end. Errors name the row (from 0) or line (from 1).
  [[nodiscard]] virtual Result<bool> next(Record& record) = 0;
  /// The next record will be `row`; one past the last row is allowed.
  [[nodiscard]] virtual Status seek(std::uint64_t row) = 0;
  /// How people find the row of a record in the file: "row 17", "line 18".
  [[nodiscard]] virtual std::string locate(std::uint64_t row) const { return "row " + std::to_string(row); }
  /// For progress where rows are not counted: bytes consumed and bytes in all.
  [[nodiscard]] virtual std::uint64_t bytes_done() const = 0;
  [[nodiscard]] virtual std::uint64_t bytes_total() const = 0;
};

enum class SourceFormat : std::uint8_t { npy, fvecs, bvecs, fbin, hbin, u8bin, i8bin, hdf5, jsonl };

[[nodiscard]] std::string_view to_string(SourceFormat format) noexcept;

/// How to read a file; the defaults suit every format.
struct SourceOptions {
  std::string format;                     ///< empty: by the extension of the path
  std::string dataset = "train";          ///< HDF5
  std::string id_field = "id";            ///< JSONL; empty: lines carry no id
  std::string vector_field = "vector";    ///< JSONL
  std::string payload_field = "payload";  ///< JSONL; "*": all members that are neither id nor vector
};

/// Errors: invalid_argument (format, header, sizes: the message names the file), not_found, io_error.
[[nodiscard]] Result<std::unique_ptr<VectorSource>> open_source(const std::string& path, const SourceOptions& options);
/// The format that open_source would use.
[[nodiscard]] Result<SourceFormat> source_format(const std::string& path, const std::string& format);

}  // namespace holdfast::cli
