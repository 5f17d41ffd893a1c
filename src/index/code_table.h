// The codes of a collection's nodes, in chunks of kChunkSlots rows beside the vectors: row(slot) is two loads.
//
// Row: `dimension` codes, zeros up to a multiple of 64. The norm stands behind the codes where the padding has room for
// it, else in an array behind the chunk's rows; either way it is found without a branch.
//
// Invariants
//  T1. The row of a slot is written before the graph that names the slot is published (release there, acquire in the
//      reader's pin), and not again before nobody can reach the slot any more.
//  T2. Chunk pointers go from null to their final value once (release; readers pair with acquire in row()).
// Threading: one writer, the graph's mutator; readers anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/ids.h"
#include "base/pages.h"
#include "holdfast/status.h"
#include "index/quantizer.h"

namespace holdfast::index {

class CodeTable {
 public:
  explicit CodeTable(Quantizer quantizer);

  [[nodiscard]] const Quantizer& quantizer() const noexcept { return quantizer_; }
  /// Bytes from row to row, a multiple of 64; also the number of weights of a query.
  [[nodiscard]] std::size_t stride() const noexcept { return stride_; }
  [[nodiscard]] std::size_t components() const noexcept { return stride_; }
  [[nodiscard]] const std::uint8_t* row(Slot slot) const noexcept {
    return chunk_of(slot) + (slot & (kChunkSlots - 1)) * stride_;
  }
  [[nodiscard]] const std::uint8_t* norm_address(Slot slot) const noexcept {
    return chunk_of(slot) + norm_begin_ + (slot & (kChunkSlots - 1)) * norm_stride_;
  }
  struct Row {
    const std::uint8_t* codes;
    const std::uint8_t* norm;  ///< a float, not aligned
  };
  [[nodiscard]] Row at(Slot slot) const noexcept {
    const std::uint8_t* const chunk = chunk_of(slot);
    const std::size_t row = slot & (kChunkSlots - 1);
    return {chunk + row * stride_, chunk + norm_begin_ + row * norm_stride_};
  }
  [[nodiscard]] bool norms_apart() const noexcept { return norm_stride_ == sizeof(float); }

  /// Makes room for rows below `end`. resource_exhausted if memory is short.
  Status reserve(Slot end);
  /// Encodes the row of a slot. REQUIRES reserve() beyond it. Throws bad_alloc (Quantizer::encode).
  void assign(const VectorTable& vectors, Slot slot);
  /// Whether the codes of all rows are the components themselves, so that exact distances may be taken from them.
  /// Becomes false before a row of which that is not so is published (T1 orders it).
  [[nodiscard]] bool exact() const noexcept { return exact_.load(std::memory_order_relaxed); }
  /// Rows that held components far beyond the quantizer's range, of all that were assigned.
  [[nodiscard]] std::uint64_t cut_rows() const noexcept { return cut_rows_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return memory_bytes_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::atomic_ref<std::uint8_t*> chunk_pointer(std::uint32_t chunk) const noexcept {
    return std::atomic_ref<std::uint8_t*>(directory_[chunk]);
  }
  [[nodiscard]] const std::uint8_t* chunk_of(Slot slot) const noexcept {
    return chunk_pointer(slot >> kChunkBits).load(std::memory_order_acquire);  // pairs: reserve
  }

  const Quantizer quantizer_;
  std::size_t stride_;
  std::size_t norm_begin_;
  std::size_t norm_stride_;
  Pages directory_memory_;
  std::uint8_t** directory_ = nullptr;
  std::vector<Pages> chunks_;
  std::atomic<bool> exact_{false};          // relaxed: see exact()
  std::atomic<std::uint64_t> cut_rows_{0};  // meters: relaxed
  std::atomic<std::uint64_t> memory_bytes_{0};
};

}  // namespace holdfast::index
