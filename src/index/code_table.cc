#include "index/code_table.h"

#include <cstring>

namespace holdfast::index {

CodeTable::CodeTable(Quantizer quantizer, Training training)
    : quantizer_(std::move(quantizer)), training_(training), rows_(quantizer_.dimension()) {
  exact_.store(quantizer_.codes_are_components(), std::memory_order_relaxed);
}

void CodeTable::assign(const VectorTable& vectors, Slot slot) {
  const Quantizer::Coded coded = quantizer_.encode(vectors, vectors.row(slot), rows_.codes(slot));
  rows_.set_norm(slot, coded.norm);
  if (coded.cut) cut_rows_.fetch_add(1, std::memory_order_relaxed);
  if (!coded.lossless) exact_.store(false, std::memory_order_relaxed);
}

void CodeTable::restore(Slot slot, const std::uint8_t* codes, float norm) noexcept {
  std::memcpy(rows_.codes(slot), codes, quantizer_.dimension());
  rows_.set_norm(slot, norm);
}

}  // namespace holdfast::index
