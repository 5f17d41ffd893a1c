// Chains of immutable versions, newest first: how a reader of one point in time finds the version that holds there.
//
// A Version has a `prev` (the one it replaced, or null) and a `since()` (the number from which it holds: an epoch, an
// lsn). The head is an atomic pointer that only one writer swings. The pointer `prev` of the version that a reader
// uses may dangle (what it replaced was freed once nobody could read that far back), and is never followed.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>

namespace holdfast::index {

template <class T>
concept Version = requires(const T& version) {
  { version.prev } -> std::convertible_to<const T*>;
  { version.since() } -> std::convertible_to<std::uint64_t>;
};

/// The newest version that holds at `at`; null if there was none yet.
template <Version V>
[[nodiscard]] const V* version_at(const V* head, std::uint64_t at) noexcept {
  while (head != nullptr && head->since() > at) head = head->prev;
  return head;
}

/// Reads a head. Pairs with swing_head().
template <Version V>
[[nodiscard]] V* read_head(V* const& head) noexcept {
  return std::atomic_ref<V*>(const_cast<V*&>(head)).load(std::memory_order_acquire);  // C++20 has no atomic_ref<const>
}

/// Makes `version` the newest one. Pairs with read_head().
template <Version V>
void swing_head(V*& head, V* version) noexcept {
  std::atomic_ref<V*>(head).store(version, std::memory_order_release);
}

}  // namespace holdfast::index
