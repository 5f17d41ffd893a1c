#include "engine/arrivals.h"

#include <new>

namespace holdfast::engine {

Arrivals::Arrivals() : directory_(Pages::map(kBlocks * sizeof(Block*), Pages::Size::normal)) {}

Arrivals::~Arrivals() {
  if (directory_.empty()) return;
  for (Arrival at = begin_; at < end_; at += kBlock) delete entry(at).load(std::memory_order_relaxed);
}

Status Arrivals::reserve(Arrival end) {
  if (directory_.empty()) return {StatusCode::resource_exhausted, "no memory for the directory of the growing tier"};
  while (end_ < end) {
    auto* const fresh = new (std::nothrow) Block;
    if (fresh == nullptr) return {StatusCode::resource_exhausted, "no memory for the growing tier: free some"};
    entry(end_).store(fresh, std::memory_order_release);  // pairs with block()
    end_ += kBlock;
  }
  return {};
}

void Arrivals::free_before(Arrival begin) noexcept {
  for (; begin_ + kBlock <= begin; begin_ += kBlock) {
    delete entry(begin_).exchange(nullptr, std::memory_order_acq_rel);  // nobody reads below (A3)
  }
}

}  // namespace holdfast::engine
