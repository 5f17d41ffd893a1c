// Memory for the codes of a collection's nodes, in chunks of kChunkSlots rows: a row is two loads away.
//
// Row: the codes, zeros up to a multiple of 64 bytes. The norm stands behind the codes where the padding has room for
// it, else in an array behind the chunk's rows; either way it is found without a branch.
//
// Invariants
//  W1. The row of a slot is written before the graph that names the slot is published (release there, acquire in the
//      reader's pin), and not again before nobody can reach the slot any more.
//  W2. Chunk pointers go from null to their final value once (release; readers pair with acquire in chunk_of()).
// Threading: one writer, the graph's mutator; readers anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/ids.h"
#include "base/pages.h"
#include "holdfast/status.h"

namespace holdfast::index {

class CodeRows {
 public:
  /// `bytes` of codes for each row.
  explicit CodeRows(std::size_t bytes);

  /// Bytes from row to row, a multiple of 64.
  [[nodiscard]] std::size_t stride() const noexcept { return stride_; }
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
  /// The codes of a slot, to be written. REQUIRES reserve() beyond it.
  [[nodiscard]] std::uint8_t* codes(Slot slot) noexcept { return const_cast<std::uint8_t*>(at(slot).codes); }
  void set_norm(Slot slot, float norm) noexcept {
    std::memcpy(const_cast<std::uint8_t*>(at(slot).norm), &norm, sizeof norm);
  }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return memory_bytes_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] std::atomic_ref<std::uint8_t*> chunk_pointer(std::uint32_t chunk) const noexcept {
    return std::atomic_ref<std::uint8_t*>(directory_[chunk]);
  }
  [[nodiscard]] const std::uint8_t* chunk_of(Slot slot) const noexcept {
    return chunk_pointer(slot >> kChunkBits).load(std::memory_order_acquire);  // pairs: reserve
  }

  std::size_t stride_;
  std::size_t norm_begin_;
  std::size_t norm_stride_;
  Pages directory_memory_;
  std::uint8_t** directory_ = nullptr;
  std::vector<Pages> chunks_;
  std::atomic<std::uint64_t> memory_bytes_{0};  // a meter: relaxed
};

}  // namespace holdfast::index
