// The codes of 8 bits of a collection's nodes: what the quantizer makes of each, in CodeRows beside the vectors.
//
// Invariants and threading: those of CodeRows.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/ids.h"
#include "holdfast/status.h"
#include "index/code_rows.h"
#include "index/quantizer.h"

namespace holdfast::index {

class CodeTable {
 public:
  /// Where its quantizer comes from.
  struct Training {
    std::uint64_t number = 0;  ///< of the collection's trainings; codes of different ones do not go together
    std::uint64_t nodes = 0;   ///< nodes that there were
  };
  explicit CodeTable(Quantizer quantizer, Training training);
  explicit CodeTable(Quantizer quantizer) : CodeTable(std::move(quantizer), Training()) {}

  [[nodiscard]] const Quantizer& quantizer() const noexcept { return quantizer_; }
  [[nodiscard]] const Training& training() const noexcept { return training_; }
  /// Bytes from row to row, a multiple of 64; also the number of weights of a query.
  [[nodiscard]] std::size_t stride() const noexcept { return rows_.stride(); }
  [[nodiscard]] std::size_t components() const noexcept { return rows_.stride(); }
  using Row = CodeRows::Row;
  [[nodiscard]] Row at(Slot slot) const noexcept { return rows_.at(slot); }
  [[nodiscard]] const std::uint8_t* row(Slot slot) const noexcept { return rows_.at(slot).codes; }
  [[nodiscard]] bool norms_apart() const noexcept { return rows_.norms_apart(); }

  /// Makes room for rows below `end`. resource_exhausted if memory is short.
  Status reserve(Slot end) { return rows_.reserve(end); }
  /// Encodes the row of a slot. REQUIRES reserve() beyond it. Throws bad_alloc (Quantizer::encode).
  void assign(const VectorTable& vectors, Slot slot);
  /// What assign() made of the row before. REQUIRES reserve() beyond it.
  void restore(Slot slot, const std::uint8_t* codes, float norm) noexcept;
  /// Whether the codes of all rows are the components themselves, so that exact distances may be taken from them.
  /// Becomes false before a row of which that is not so is published (W1 orders it).
  [[nodiscard]] bool exact() const noexcept { return exact_.load(std::memory_order_relaxed); }
  /// Rows were restored that are not so.
  void set_inexact() noexcept { exact_.store(false, std::memory_order_relaxed); }
  /// Rows that held components far beyond the quantizer's range, of all that were assigned since it was last set.
  [[nodiscard]] std::uint64_t cut_rows() const noexcept { return cut_rows_.load(std::memory_order_relaxed); }
  void set_cut_rows(std::uint64_t rows) noexcept { cut_rows_.store(rows, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return rows_.memory_bytes(); }

 private:
  const Quantizer quantizer_;
  const Training training_;
  CodeRows rows_;
  std::atomic<bool> exact_{false};          // relaxed: see exact()
  std::atomic<std::uint64_t> cut_rows_{0};  // a meter: relaxed
};

}  // namespace holdfast::index
