// Short codes beside those of 8 bits, for walks that may miss a little (Preset::fast). What such a walk finds is ranked
// by the codes of 8 bits, and of that the nearest are compared exactly. Two kinds, of which a collection has one:
//
//   principal   8 bits for each of the first 124 principal components (principal_axes.h): two cache lines for a vector
//               of any length, with the norm. Where these components hold most of the variance, and vectors are long.
//   nibbles     4 bits for each component: half of what is read else.
//
// Principal:  |x - q|^2 ~ |Px - Pq|^2 + |rx|^2 + |rq|^2,  P: the coordinates on the axes, r: what they leave out. The
// rests of two vectors are almost at right angles, as anything is in so many dimensions; those of neighbors a little
// less, which makes their distances a little too large. (Walking in a space of fewer dimensions: Tepper, Bhati,
// Aguerrebere, Hildebrand, Willke: "LeanVec: Searching vectors faster by making them fit", 2023; the sum with the rests
// is what lets few axes do.)
//
// Nibbles: each component has a step of its own, from its spread among some nodes: 16 codes over 5.4 standard
// deviations (the best uniform quantizer of 16 levels for a normal distribution: Max, "Quantizing for minimum
// distortion", 1960), or its range if that is narrower.
//
// Both are made from the codes of 8 bits, no vector is read.
//
// Invariants: those of CodeRows. Every slot that has a code here has one in the table that it was made from.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "index/code_rows.h"
#include "index/code_table.h"
#include "index/principal_axes.h"
#include "index/quantizer.h"
#include "simd/code_kernels.h"

namespace holdfast::index {

class ShortCodes {
 public:
  enum class Kind : std::uint8_t { principal, nibbles };

  /// Learns from the codes of some slots which kind suits them. Null if walks by codes of 8 bits are as fast: vectors
  /// have few components, or are bytes, for which 8 bits are exact. REQUIRES at least one slot; they have codes. Throws
  /// bad_alloc.
  [[nodiscard]] static std::unique_ptr<ShortCodes> learn(const CodeTable& codes, std::span<const Slot> sample);
  /// Of this kind, whether it suits or not. Principal: REQUIRES another metric than the inner product.
  [[nodiscard]] static std::unique_ptr<ShortCodes> make(Kind kind, const CodeTable& codes,
                                                        std::span<const Slot> sample);

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] CodeRows::Row at(Slot slot) const noexcept { return rows_.at(slot); }
  /// Bytes from row to row, and weights of a query (zeros behind those that count), multiples of 64.
  [[nodiscard]] std::size_t stride() const noexcept { return rows_.stride(); }
  [[nodiscard]] std::size_t components() const noexcept { return components_; }
  [[nodiscard]] bool norms_apart() const noexcept { return rows_.norms_apart(); }
  [[nodiscard]] auto dot() const noexcept {
    const simd::CodeKernels& kernels = simd::code_kernels();
    return kind_ == Kind::principal ? kernels.dot_u8 : kernels.dot_u4;
  }

  /// What a query is made ready in. Lives as long as the query is used.
  struct QueryRoom {
    std::vector<std::int8_t> weights;
    std::vector<float> coordinates;
    std::vector<float> unit;
  };
  /// Its `spread` and `excess` are not known.
  [[nodiscard]] CodeQuery prepare(const float* query, QueryRoom& room) const;

  /// Makes room for rows below `end`. resource_exhausted if memory is short.
  Status reserve(Slot end) { return rows_.reserve(end); }
  /// Encodes the row of a slot from its code in `codes`, the table that this was learned from. REQUIRES reserve()
  /// beyond it. Throws bad_alloc if the thread has encoded none before.
  void assign(const CodeTable& codes, Slot slot);
  /// Rows that reach far beyond the sample along its axes, of all that were assigned: of many of them distances say
  /// less. None for nibbles, whose ranges are those of the codes of 8 bits.
  [[nodiscard]] std::uint64_t cut_rows() const noexcept { return cut_rows_.load(std::memory_order_relaxed); }
  void set_cut_rows(std::uint64_t rows) noexcept { cut_rows_.store(rows, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return rows_.memory_bytes() + axes_.memory_bytes(); }

 private:
  ShortCodes(const CodeTable& codes, PrincipalAxes axes);
  ShortCodes(const CodeTable& codes, std::span<const Slot> sample);
  [[nodiscard]] CodeQuery prepare_principal(const float* query, QueryRoom& room) const;
  void assign_principal(const float* vector, Slot slot);
  void assign_nibbles(const float* vector, Slot slot);

  Kind kind_;
  Metric metric_;
  PrincipalAxes axes_;                  ///< only for principal codes
  float step_ = 1;                      ///< of coordinates; code 128 is the mean
  std::optional<Quantizer> quantizer_;  ///< of 4 bits; only for nibbles
  std::size_t components_;
  CodeRows rows_;
  std::atomic<std::uint64_t> cut_rows_{0};  // a meter: relaxed
};

}  // namespace holdfast::index
