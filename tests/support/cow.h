// Cow<T>: a value that is shared until somebody edits it.
//
// The simulated disk is copied at every call of a workload and again for every crash state; with Cow a copy costs one
// reference, and only what changes afterwards is duplicated.
//
// std::shared_ptr cannot do this: use_count() is a relaxed load, so "I am the only owner" would not order the edit
// after the last read of the owner that has just let go on another thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace holdfast::testing {

template <class T>
class Cow {
 public:
  Cow() noexcept = default;  ///< null
  explicit Cow(T value) : block_(new Block{{1}, std::move(value)}) {}
  /// Made in place.
  template <class... Arguments>
  explicit Cow(std::in_place_t, Arguments&&... arguments)
      : block_(new Block{{1}, T(std::forward<Arguments>(arguments)...)}) {}
  Cow(const Cow& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Cow(Cow&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Cow& operator=(Cow other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Cow() {
    // acq_rel: our reads happen before the edit or the delete of whoever is last (pairs with itself and with edit).
    if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete block_;
  }

  explicit operator bool() const noexcept { return block_ != nullptr; }
  /// REQUIRES not null.
  const T& operator*() const noexcept { return block_->value; }
  const T* operator->() const noexcept { return &block_->value; }
  /// The value, owned by this Cow alone. REQUIRES not null.
  T& edit() {
    // Acquire: pairs with the release of an owner that let go in ~Cow.
    if (block_->owners.load(std::memory_order_acquire) != 1) *this = Cow(block_->value);
    return block_->value;
  }
  [[nodiscard]] bool same_as(const Cow& other) const noexcept { return block_ == other.block_; }

 private:
  struct Block {
    std::atomic<std::uint32_t> owners;
    T value;
  };
  Block* block_ = nullptr;
};

}  // namespace holdfast::testing
