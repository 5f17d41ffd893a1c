// A set of slots as a bitmap, for sets that are dense or that are asked often: the nodes that a vacuum takes out, the
// nodes that a walk reached.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"

namespace holdfast::index {

class SlotSet {
 public:
  SlotSet() = default;
  /// Has room for slots below `end`; more is taken when it is needed.
  explicit SlotSet(Slot end) : words_((std::size_t{end} + 63) / 64) {}

  /// True if the slot was not in the set.
  bool insert(Slot slot) {
    if (slot / 64 >= words_.size()) words_.resize(slot / 64 + std::size_t{1});
    std::uint64_t& word = words_[slot / 64];
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    const bool fresh = (word & bit) == 0;
    word |= bit;
    size_ += fresh ? 1 : 0;
    return fresh;
  }
  [[nodiscard]] bool contains(Slot slot) const noexcept {
    return slot / 64 < words_.size() && (words_[slot / 64] >> (slot % 64) & 1) != 0;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Empties the set; keeps its memory.
  void clear() noexcept {
    for (std::uint64_t& word : words_) word = 0;
    size_ = 0;
  }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept { return words_.capacity() * sizeof(std::uint64_t); }

  /// use(slot) for every slot of the set, ascending.
  template <class Use>
  void for_each(Use use) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1) {
        use(static_cast<Slot>(i * 64 + static_cast<unsigned>(std::countr_zero(word))));
      }
    }
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_ = 0;
};

}  // namespace holdfast::index
