#include "index/epoch_lists.h"

#include <new>
#include <utility>

namespace holdfast::index {

namespace {

/// The table is made when one in so many slots was met. A search meets its nearest nodes here and walks through ten
/// times as many, each a miss or more of some 50 ns; a page of the table serves 512 slots and costs 500 ns.
constexpr Slot kSlotsForOneMet = 512;

}  // namespace

EpochLists::Table::Table(Pages pages, Slot end, std::atomic<std::uint64_t>& meter) noexcept
    : pages_(std::move(pages)), entries_(reinterpret_cast<std::uintptr_t*>(pages_.data())), end_(end), meter_(meter) {
  meter_.fetch_add(pages_.size(), std::memory_order_relaxed);
}

EpochLists::Table::~Table() { meter_.fetch_sub(pages_.size(), std::memory_order_relaxed); }

void EpochLists::met_old(std::uint32_t met, Slot end, std::atomic<std::uint64_t>& meter) const noexcept {
  if (met == 0 || met_.fetch_add(met, std::memory_order_relaxed) + met < end / kSlotsForOneMet) return;
  if (table() != nullptr) return;
  Pages pages = Pages::map(std::size_t{end} * sizeof(std::uintptr_t), Pages::Size::normal);
  if (pages.empty()) return;
  const auto* const made = new (std::nothrow) Table(std::move(pages), end, meter);
  const Table* none = nullptr;
  // Release pairs with table(). Another reader may have been first.
  if (made != nullptr &&
      !table_.compare_exchange_strong(none, made, std::memory_order_release, std::memory_order_relaxed)) {
    delete made;
  }
}

void EpochLists::forget() noexcept {
  delete table_.exchange(nullptr, std::memory_order_acquire);  // pairs: met_old
  met_.store(0, std::memory_order_relaxed);
}

}  // namespace holdfast::index
