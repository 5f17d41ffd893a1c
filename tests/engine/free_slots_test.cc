// The way of a dead row back into use, and the list of what the graph does not hold yet.
#include "engine/free_slots.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/arrivals.h"

namespace holdfast::engine {
namespace {

TEST(FreeSlots, rows_rest_until_no_view_can_lead_to_them) {
  FreeSlots slots;
  std::vector<Slot> erased;
  const auto erase = [&](Slot slot) { erased.push_back(slot); };
  slots.release({5, 3});
  EXPECT_EQ(slots.take(), kNoSlot) << "the id map may still lead to them";
  EXPECT_GT(slots.released(), 0U);
  slots.unname(100, erase);
  EXPECT_EQ(erased.size(), 2U);
  EXPECT_EQ(slots.released(), 0U);
  slots.rest(10);
  slots.wake(9);
  EXPECT_EQ(slots.take(), kNoSlot) << "a reader of view 9 may have found them before their entries went";
  EXPECT_EQ(slots.waiting_count(), 2U);
  slots.wake(10);
  EXPECT_EQ(slots.waiting_count(), 0U);
  EXPECT_EQ(slots.free_count(), 2U);
  EXPECT_EQ(slots.take(), 3U);
  EXPECT_EQ(slots.take(), 5U);
  EXPECT_EQ(slots.take(), kNoSlot);
}

TEST(FreeSlots, the_lowest_row_is_used_first) {
  FreeSlots slots;
  for (const Slot slot : {9U, 2U, 7U, 4U}) slots.give(slot);
  EXPECT_EQ(slots.take(), 2U);
  slots.give(1);
  for (const Slot expected : {1U, 4U, 7U, 9U, kNoSlot}) EXPECT_EQ(slots.take(), expected);
}

TEST(FreeSlots, a_bounded_number_goes_to_rest_at_a_time) {
  FreeSlots slots;
  slots.release({1, 2, 3});
  int erased = 0;
  slots.unname(2, [&](Slot) { ++erased; });
  EXPECT_EQ(erased, 2);
  slots.unname(2, [&](Slot) { ++erased; });
  EXPECT_EQ(erased, 3);
}

TEST(Arrivals, positions_keep_their_slots_while_the_begin_moves_on) {
  Arrivals arrivals;
  constexpr Arrival kEnd = 100'000;  // several blocks
  ASSERT_TRUE(arrivals.reserve(kEnd).ok());
  for (Arrival at = 0; at < kEnd; ++at) arrivals.set(at, static_cast<Slot>(at * 7 % 1'000'003));
  arrivals.free_before(50'000);
  std::vector<Slot> seen;
  arrivals.for_each_run(50'000, kEnd,
                        [&](std::span<const Slot> run) { seen.insert(seen.end(), run.begin(), run.end()); });
  ASSERT_EQ(seen.size(), kEnd - 50'000);
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], (50'000 + i) * 7 % 1'000'003);
  EXPECT_EQ(arrivals.at(99'999), 99'999 * 7 % 1'000'003);
}

}  // namespace
}  // namespace holdfast::engine
