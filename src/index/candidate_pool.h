// The beam of a search: the best candidates seen so far, sorted, each marked once it was expanded.
//
// A candidate is one 64-bit key, so that comparing, moving and marking are single instructions:
//   bits 63..32  distance, its bits arranged so that unsigned order is numeric order
//   bits 31..1   slot, or its complement where ties must prefer the younger slot
//   bit 0        expanded (no order: slots differ)
// A sorted array beats a pair of heaps up to widths of a few hundred: an insertion moves some hundred bytes, the next
// candidate is found by looking forward from a cursor, and nothing is popped (measured; see also Fu et al., "Fast
// Approximate Nearest Neighbor Search With The Navigating Spreading-out Graph", VLDB 2019, whose search keeps one).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/ids.h"
#include "index/read_check.h"
#include "simd/beam_kernels.h"

namespace holdfast::index {

enum class Ties : std::uint32_t {
  older_first = 0,            ///< results: equal distances by slot
  younger_first = 0x7FFFFFFF  ///< building: a run of identical vectors is followed to its newest end (hnsw_select.h)
};

using CandidateKey = std::uint64_t;
inline constexpr CandidateKey kExpanded = 1;

/// Unsigned order of the results is the order of the distances; -0 counts as 0.
[[nodiscard]] inline std::uint32_t ordered_bits(float distance) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);
  return bits ^ (static_cast<std::uint32_t>(static_cast<std::int32_t>(bits) >> 31) | 0x80000000U);
}
[[nodiscard]] inline float distance_of_bits(std::uint32_t ordered) noexcept {
  return std::bit_cast<float>((ordered & 0x80000000U) != 0 ? ordered ^ 0x80000000U : ~ordered);
}
[[nodiscard]] inline CandidateKey make_key(float distance, Slot slot, Ties ties) noexcept {
  return (CandidateKey{ordered_bits(distance)} << 32) | (CandidateKey{slot ^ static_cast<std::uint32_t>(ties)} << 1);
}
[[nodiscard]] inline float distance_of(CandidateKey key) noexcept {
  return distance_of_bits(static_cast<std::uint32_t>(key >> 32));
}
[[nodiscard]] inline Slot slot_of(CandidateKey key, Ties ties) noexcept {
  return (static_cast<std::uint32_t>(key) >> 1) ^ static_cast<std::uint32_t>(ties);
}

class CandidatePool {
 public:
  /// Empties the pool and bounds it to `capacity` > 0 candidates.
  void reset(std::size_t capacity) {
    if (keys_.size() < capacity + simd::kBeamRoom) keys_.resize(capacity + simd::kBeamRoom);
    beam_ = {keys_.data(), capacity, 0, 0};
  }
  [[nodiscard]] std::size_t size() const noexcept { return beam_.size; }
  [[nodiscard]] CandidateKey operator[](std::size_t i) const noexcept { return beam_.keys[i]; }

  /// Takes those of the candidates that are near enough, and writes their slots to `entered` (room for all of them);
  /// returns how many.
  std::size_t offer(const float* distances, const Slot* slots, std::size_t count, Ties ties, Slot* entered) noexcept {
    return simd::beam_kernels().offer(beam_, distances, slots, count, static_cast<std::uint32_t>(ties), entered);
  }
  void offer(float distance, Slot slot, Ties ties) noexcept {
    Slot entered = 0;
    (void)offer(&distance, &slot, 1, ties, &entered);
  }
  /// Marks the best candidate that was not expanded yet and gives it; false if there is none.
  [[nodiscard]] bool take(CandidateKey& key) noexcept {
    if (!peek(key)) return false;
    beam_.keys[beam_.cursor++] |= kExpanded;
    return true;
  }
  /// The candidate that take() would give if nothing were offered; false if there is none.
  [[nodiscard]] bool peek(CandidateKey& key) noexcept {
    while (beam_.cursor < beam_.size && (beam_.keys[beam_.cursor] & kExpanded) != 0) ++beam_.cursor;
    if (beam_.cursor == beam_.size) return false;
    key = beam_.keys[beam_.cursor];
    return true;
  }

 private:
  std::vector<CandidateKey> keys_;
  simd::Beam beam_;  ///< in keys_; its cursor: everything before was expanded
};

/// A set of slots: a byte for each, which holds the number of the last round in which the slot was put in. Emptying it
/// is counting on; the bytes are cleared once in 255 rounds.
class VisitedSet {
 public:
  /// Empties the set and makes room for slots below `limit`.
  void reset(Slot limit) {
    if (++round_ == 0) {
      std::fill(rounds_.begin(), rounds_.end(), std::uint8_t{0});
      round_ = 1;
    }
    limit_ = limit;
    if (rounds_.size() < limit) rounds_.resize(limit);
  }
  /// True if the slot was not in the set. A slot beyond the limit comes from a list that rotted after it was checked at
  /// open: false, and the thread's ReadCheck is told.
  [[nodiscard]] bool insert(Slot slot) noexcept {
    Slot fresh = 0;
    return insert_new({&slot, 1}, &fresh) == 1;
  }
  /// Inserts all, and writes those that were not in the set to `fresh`, which has room for all; returns how many. No
  /// branch depends on the data: of the neighbors of a node some are known, in no order.
  std::size_t insert_new(std::span<const Slot> slots, Slot* fresh) noexcept {
    std::uint8_t* const rounds = rounds_.data();
    const std::uint8_t round = round_;
    const Slot limit = limit_;
    std::size_t count = 0;
    for (const Slot slot : slots) {
      if (slot >= limit) [[unlikely]] {
        (void)refuse_unknown_row(slot);
        continue;
      }
      fresh[count] = slot;
      count += rounds[slot] != round ? 1 : 0;
      rounds[slot] = round;
    }
    return count;
  }
  /// REQUIRES a slot below the limit.
  [[nodiscard]] bool contains(Slot slot) const noexcept { return rounds_[slot] == round_; }

 private:
  std::vector<std::uint8_t> rounds_;
  Slot limit_ = 0;
  std::uint8_t round_ = 0;
};

/// The neighbors of one node that were not visited before.
struct FreshNeighbors {
  std::vector<Slot> fresh;
  std::vector<float> distances;
  std::vector<Slot> entered;  ///< those of them that the beam took

  /// For a list of so many links.
  void make_room(std::size_t links) {
    if (fresh.size() >= links) return;
    fresh.resize(links);
    distances.resize(links);
    entered.resize(links);
  }
};

}  // namespace holdfast::index
