// Rows of vectors, in chunks of kChunkSlots: row(slot) is two loads. A chunk is private memory (huge pages where the
// system gives them) or the mapped data of an extent; rows never move.
//
// Row: `dimension` floats exactly as written by the user, then for cosine one float 1/|x|, then padding to 64 bytes.
//
// Invariants
//  V1. A row is written once, by the committer, before the view that makes its slot visible is published
//      (release there, acquire in the reader's pin). After that nobody writes it.
//  V2. Chunk pointers go from null to their final value once (release; readers pair with acquire in chunk()).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/coding.h"
#include "base/ids.h"
#include "holdfast/types.h"
#include "simd/kernels.h"

namespace holdfast::index {

class VectorTable {
 public:
  VectorTable(std::uint32_t dimension, Metric metric);
  ~VectorTable();

  [[nodiscard]] std::uint32_t dimension() const noexcept;
  [[nodiscard]] Metric metric() const noexcept;
  /// Bytes from row to row, a multiple of 64.
  [[nodiscard]] std::size_t stride() const noexcept;
  /// REQUIRES that the slot's chunk exists.
  [[nodiscard]] const float* row(Slot slot) const noexcept;

  /// Committer only: allocates chunks so that slots below `end` exist. resource_exhausted if memory is short.
  Status reserve(Slot end);
  /// Committer only: fills the row of a fresh slot (cosine: computes the inverse norm in double precision).
  void assign(Slot slot, std::span<const float> vector) noexcept;
  /// Before readers exist: chunk `chunk` is `rows` mapped rows kept alive by `owner`. If rows < kChunkSlots the rest of
  /// the chunk must stay writable: the rows are copied into private memory instead.
  Status attach(std::uint32_t chunk, ByteSpan data, std::uint32_t rows, std::shared_ptr<const void> owner);

  [[nodiscard]] std::uint64_t private_bytes() const noexcept;  ///< rows in private memory
  [[nodiscard]] std::uint64_t mapped_bytes() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// A query made ready: the vector, its norm for cosine, the kernels. `vector` must outlive it.
class Query {
 public:
  Query(const VectorTable& table, const float* vector) noexcept;
  /// Exact distance to a row (see Metric). Bit-identical for a pair however it is asked for (kernels K1).
  [[nodiscard]] float distance(const float* row) const noexcept;
  void distance_x4(const float* const rows[4], float out[4]) const noexcept;

 private:
  const simd::Kernels* kernels_;
  const float* vector_;
  std::uint32_t dimension_;
  Metric metric_;
  float inverse_norm_;
};

}  // namespace holdfast::index
