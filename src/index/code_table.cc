#include "index/code_table.h"

#include <utility>

namespace holdfast::index {

CodeTable::CodeTable(Quantizer quantizer) : quantizer_(std::move(quantizer)), rows_(quantizer_.dimension()) {
  exact_.store(quantizer_.codes_are_components(), std::memory_order_relaxed);
}

void CodeTable::assign(const VectorTable& vectors, Slot slot) {
  const Quantizer::Coded coded = quantizer_.encode(vectors, vectors.row(slot), rows_.codes(slot));
  rows_.set_norm(slot, coded.norm);
  if (coded.cut) cut_rows_.fetch_add(1, std::memory_order_relaxed);
  if (!coded.lossless) exact_.store(false, std::memory_order_relaxed);
}

}  // namespace holdfast::index
