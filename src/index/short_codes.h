// Codes of 4 bits beside those of 8 bits, for walks that may miss a little (Preset::fast): half of what such a walk
// reads, which on vectors of many components is most of what it costs. What it finds is ranked by the codes of 8 bits,
// and of that the nearest are compared exactly.
//
// Each component has a step of its own, from its spread among some nodes: 16 codes over 5.4 standard deviations (the
// best uniform quantizer of 16 levels for a normal distribution: Max, "Quantizing for minimum distortion", 1960), or
// its range if that is narrower. They are made from the codes of 8 bits, no vector is read.
//
// Invariants: those of CodeRows. Every slot that has a code here has one in the table that it was made from.
#pragma once

#include <cstdint>
#include <span>

#include "index/code_rows.h"
#include "index/code_table.h"
#include "index/quantizer.h"

namespace holdfast::index {

class ShortCodes {
 public:
  /// Learns from the codes of some slots. REQUIRES at least one; they have codes.
  ShortCodes(const CodeTable& codes, std::span<const Slot> sample);

  [[nodiscard]] const Quantizer& quantizer() const noexcept { return quantizer_; }
  [[nodiscard]] CodeRows::Row at(Slot slot) const noexcept { return rows_.at(slot); }
  /// Bytes from row to row, and components of a query (zeros behind the dimension), a multiple of 64.
  [[nodiscard]] std::size_t stride() const noexcept { return rows_.stride(); }
  [[nodiscard]] std::size_t components() const noexcept { return components_; }
  [[nodiscard]] bool norms_apart() const noexcept { return rows_.norms_apart(); }

  /// Makes room for rows below `end`. resource_exhausted if memory is short.
  Status reserve(Slot end) { return rows_.reserve(end); }
  /// Encodes the row of a slot from its code in `codes`, the table of the constructor. REQUIRES reserve() beyond it.
  void assign(const CodeTable& codes, Slot slot);
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return rows_.memory_bytes(); }

 private:
  Quantizer quantizer_;
  std::size_t components_;
  CodeRows rows_;
};

}  // namespace holdfast::index
