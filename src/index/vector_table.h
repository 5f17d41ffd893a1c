// Rows of vectors, in chunks of kChunkSlots: row(slot) is two loads. A chunk is private memory (huge pages where the
// system gives them) or the mapped data of an extent; rows never move.
//
// Row: `dimension` components of the table's type, then for cosine one float 1/|x| of the stored x at the next multiple
// of four bytes, then padding to 64 bytes. Who works with a row as numbers asks floats(), who compares it a Query.
//
// Invariants
//  V1. A row is written by the committer before the view that makes its slot visible is published (release there,
//      acquire in the reader's pin), and not again before nobody can see or reach the slot any more.
//  V2. Chunk pointers go from null to their final value once (release; readers pair with acquire in row()).
//  V3. A mapped chunk is mapped for this process alone, writable: a row that is used again is written in place, and the
//      kernel copies its page. The file stays as it is. Before the first write to a page its checksum is checked.
//  V4. The bytes of a mapped row count only after the page that holds them was checked: row() and score() see to it,
//      and tell the thread's ReadCheck (read_check.h) what fails. While any mapped chunk holds pages that nobody has
//      checked yet, or damaged ones, that is a look at the chunk's flag and at the extent's bitmap; once all are sound,
//      it is one branch on a counter that is 0.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/pages.h"
#include "holdfast/status.h"
#include "holdfast/types.h"
#include "index/components.h"

namespace holdfast::index {

class VectorTable {
 public:
  VectorTable(std::uint32_t dimension, Metric metric, ComponentType type = ComponentType::f32);
  ~VectorTable() = default;
  VectorTable(const VectorTable&) = delete;
  VectorTable& operator=(const VectorTable&) = delete;

  [[nodiscard]] std::uint32_t dimension() const noexcept { return dimension_; }
  [[nodiscard]] Metric metric() const noexcept { return metric_; }
  [[nodiscard]] ComponentType type() const noexcept { return type_; }
  /// Bytes of the components of one row.
  [[nodiscard]] std::size_t vector_bytes() const noexcept { return dimension_ * component_bytes(type_); }
  /// Where in a row 1/|x| stands.
  [[nodiscard]] std::size_t norm_offset() const noexcept { return (vector_bytes() + 3) / 4 * 4; }
  /// Bytes from row to row, a multiple of 64.
  [[nodiscard]] std::size_t stride() const noexcept { return stride_; }
  [[nodiscard]] static std::size_t row_bytes(std::uint32_t dimension, Metric metric, ComponentType type) noexcept;
  /// The row, checked (V4). REQUIRES that the slot's chunk exists.
  [[nodiscard]] const void* row(Slot slot) const noexcept {
    if (has_unchecked()) [[unlikely]]
      check(slot);
    return address(slot);
  }
  /// Where the row stands. Its bytes count only if they were checked: for prefetching, and after check().
  [[nodiscard]] const void* address(Slot slot) const noexcept {
    const std::byte* const chunk = chunk_pointer(slot >> kChunkBits).load(std::memory_order_acquire);  // pairs: reserve
    return chunk + (slot & (kChunkSlots - 1)) * stride_;
  }
  /// The components of a row as float32: where they stand, if that is their type, else decoded into `room`.
  [[nodiscard]] const float* floats(const void* row, std::vector<float>& room) const {
    if (type_ == ComponentType::f32) return static_cast<const float*>(row);
    if (room.size() < dimension_) room.resize(dimension_);
    decode_components(type_, row, dimension_, room.data());
    return room.data();
  }
  /// 1/|x| of a row; 1 unless the metric is cosine.
  [[nodiscard]] float inverse_norm_of(const void* row) const noexcept {
    return metric_ == Metric::cosine ? load_float(static_cast<const std::byte*>(row) + norm_offset()) : 1.0F;
  }
  /// Whether two rows hold the same vector.
  [[nodiscard]] bool identical(Slot a, Slot b) const noexcept;
  /// Whether any mapped page is unchecked or damaged.
  [[nodiscard]] bool has_unchecked() const noexcept {
    return unchecked_chunks_.load(std::memory_order_acquire) != 0;  // pairs: settle()
  }
  /// Checks a row if it is mapped; damage goes to the thread's ReadCheck.
  void check(Slot slot) const noexcept;

  /// Committer only: allocates chunks so that slots below `end` exist. resource_exhausted if memory is short.
  Status reserve(Slot end);
  /// Committer only: fills the row of a fresh slot with vector_bytes() bytes (cosine: computes the inverse norm in
  /// double precision). REQUIRES that prepare_row(slot) was ok.
  void assign_components(Slot slot, const std::byte* components) noexcept;
  /// The same with float32, which is rounded to the table's type.
  void assign(Slot slot, std::span<const float> vector) noexcept;
  /// Before a free row is written: checks what stands beside it in a mapped page. data_damaged: leave the row alone.
  Status prepare_row(Slot slot) const { return verify_row(slot); }
  /// Checks the mapped page that holds the row, if it was not checked yet. Any thread. data_damaged names file and
  /// offset.
  Status verify_row(Slot slot) const { return verify_rows(slot, slot + 1); }
  /// The same for rows of one chunk.
  Status verify_rows(Slot begin, Slot end) const;
  /// Rows of a file, mapped so that writing to them does not change the file.
  struct MappedRows {
    std::span<std::byte> bytes;
    std::function<Status(std::uint64_t offset, std::uint64_t length)> verify;  ///< checks that part once; any thread
    std::shared_ptr<const void> owner;                                         ///< keeps the mapping alive
    std::function<bool()> all_verified = {};  ///< whether every byte was checked and found sound
  };
  /// Before readers exist: chunk `chunk` is `rows` mapped rows. If there is no room for the rest of the chunk behind
  /// them, they are copied into private memory. data_damaged if there are too few bytes.
  Status attach(std::uint32_t chunk, std::uint32_t rows, MappedRows mapped);
  /// A page of the chunk's extent was found damaged that may have been checked before: rows of it are checked again.
  void distrust(std::uint32_t chunk) const;

  [[nodiscard]] std::uint64_t private_bytes() const noexcept {  ///< rows in private memory
    return private_rows_.load(std::memory_order_relaxed) * stride_;
  }
  [[nodiscard]] std::uint64_t mapped_bytes() const noexcept {
    return mapped_rows_.load(std::memory_order_relaxed) * stride_;
  }

 private:
  /// The directory is zeroed memory that was never constructed as atomics: it is touched page by page.
  [[nodiscard]] std::atomic_ref<const std::byte*> chunk_pointer(std::uint32_t chunk) const noexcept {
    return std::atomic_ref<const std::byte*>(directory_[chunk]);
  }
  struct MappedChunk {
    MappedRows rows;
    std::uint32_t count = 0;  ///< rows of the file; those behind them are in private memory
    /// Every page is sound. Release by settle(), acquire by check(), for what was read of the pages.
    std::atomic<bool> sound{false};
  };
  static float load_float(const std::byte* at) noexcept {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }
  void finish_row(Slot slot, std::byte* row) noexcept;
  Status make_chunk(std::uint32_t chunk);
  void settle(MappedChunk& chunk) const;
  [[nodiscard]] MappedChunk* mapped_chunk(std::uint32_t chunk) const noexcept {
    return chunk < mapped_.size() ? mapped_[chunk].get() : nullptr;
  }
  [[nodiscard]] std::size_t chunk_bytes() const noexcept { return stride_ * kChunkSlots; }

  std::uint32_t dimension_;
  Metric metric_;
  ComponentType type_;
  std::size_t stride_;
  const std::byte** directory_ = nullptr;  ///< kMaxChunks pointers, null while a chunk does not exist
  Pages directory_memory_;
  std::vector<Pages> chunks_;  ///< committer only; empty where a chunk is mapped
  /// By chunk, null where it is not mapped; fixed before readers exist.
  std::vector<std::unique_ptr<MappedChunk>> mapped_;
  mutable Mutex settling_;                                  ///< held while the word on a chunk changes
  mutable std::atomic<std::uint32_t> unchecked_chunks_{0};  ///< mapped chunks that are not `sound`
  Slot used_end_ = 0;                                       ///< committer only: rows from here on were never used
  std::atomic<std::uint64_t> private_rows_{0};              // meters: relaxed
  std::atomic<std::uint64_t> mapped_rows_{0};
};

/// A query made ready: the vector, its norm for cosine, the kernels. `vector` must outlive it.
class Query {
 public:
  Query(const VectorTable& table, const float* vector) noexcept;
  /// The same query with its components at another (better aligned) place.
  [[nodiscard]] Query moved_to(const float* vector) const noexcept {
    Query query(*this);
    query.vector_ = vector;
    return query;
  }
  [[nodiscard]] const float* vector() const noexcept { return vector_; }

  /// Exact distance to a row (see Metric). Bit-identical for a pair however it is asked for (kernels K1), and the same
  /// in both directions. Never NaN: sums that overflow to one are +inf.
  [[nodiscard]] float distance(const void* row) const noexcept { return finish(one_(vector_, row, dimension_), row); }
  /// The same, bit for bit, for a row whose components stand in a byte each (typed_kernels.h, T1). Not for cosine.
  void distance_of_bytes_x4(const void* const rows[4], float out[4]) const noexcept {
    const simd::RowKernels& kernels = simd::typed_kernels().u8;
    (metric_ == Metric::l2 ? kernels.l2_x4 : kernels.dot_x4)(vector_, rows, dimension_, out);
    for (int j = 0; j < 4; ++j) out[j] = never_nan(metric_ == Metric::l2 ? out[j] : 0.0F - out[j]);
  }
  void distance_x4(const void* const rows[4], float out[4]) const noexcept {
    four_(vector_, rows, dimension_, out);
    if (metric_ == Metric::l2) {
      for (int j = 0; j < 4; ++j) out[j] = never_nan(out[j]);
      return;
    }
    for (int j = 0; j < 4; ++j) out[j] = finish(out[j], rows[j]);
  }

 private:
  friend class RowQuery;
  using One = float (*)(const float*, const void*, std::size_t) noexcept;
  using Four = void (*)(const float*, const void* const[4], std::size_t, float[4]) noexcept;

  Query(const VectorTable& table, const float* vector, float inverse_norm) noexcept;
  [[nodiscard]] float finish(float sum, const void* row) const noexcept {
    if (metric_ == Metric::l2) return never_nan(sum);
    if (metric_ == Metric::inner_product) return never_nan(0.0F - sum);  // 0 - x: no -0
    float inverse_norm;
    std::memcpy(&inverse_norm, static_cast<const std::byte*>(row) + norm_offset_, sizeof inverse_norm);
    // Rounding takes the cosine of parallel vectors a little beyond 1.
    return never_nan(std::clamp(1.0F - sum * (inverse_norm_ * inverse_norm), 0.0F, 2.0F));
  }
  /// NaN would break every order (and std::sort with it). Under l2 it comes only from a damaged row, which may hold
  /// anything: a read goes on over it before its answer is thrown away (read_check.h).
  [[nodiscard]] static float never_nan(float distance) noexcept {
    return distance == distance ? distance : std::numeric_limits<float>::infinity();
  }

  One one_;
  Four four_;
  const float* vector_;
  std::size_t norm_offset_;
  std::uint32_t dimension_;
  Metric metric_;
  float inverse_norm_;
};

/// The row of a slot as a query: the same distances as for a copy of its vector. Rows that are not float32 are decoded
/// into memory that the thread keeps. To be destroyed in the reverse order of construction, on its own thread.
class RowQuery {
 public:
  /// Throws bad_alloc if the thread has not decoded so many rows before.
  RowQuery(const VectorTable& table, Slot slot);
  ~RowQuery();
  RowQuery(const RowQuery&) = delete;
  RowQuery& operator=(const RowQuery&) = delete;
  [[nodiscard]] const Query& operator*() const noexcept { return query_; }
  [[nodiscard]] const Query* operator->() const noexcept { return &query_; }

 private:
  static const float* decoded(const VectorTable& table, const void* row);
  RowQuery(const VectorTable& table, const void* row);

  const bool decoded_;
  const Query query_;
};

}  // namespace holdfast::index
