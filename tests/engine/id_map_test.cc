#include "engine/id_map.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace holdfast::engine {
namespace {

void add(SlotTable& slots, IdMap& map, Slot slot, PointId id, std::vector<std::unique_ptr<IdMap::Table>>* outgrown) {
  ASSERT_TRUE(slots.reserve(slot + 1).ok());
  if (auto old = map.reserve(1)) outgrown->push_back(std::move(old));
  const Slot previous = map.find(id);
  slots.assign(slot, {id, slot + 1, {previous, slot + 1}, true, nullptr});
  map.insert(slot);
}

TEST(IdMap, finds_the_newest_slot_of_each_id_across_growth) {
  SlotTable slots;
  IdMap map(slots);
  std::vector<std::unique_ptr<IdMap::Table>> outgrown;
  EXPECT_EQ(map.find(1), kNoSlot);
  for (Slot slot = 0; slot < 5000; ++slot) add(slots, map, slot, PointId(slot % 3000), &outgrown);
  EXPECT_EQ(map.size(), 3000u);
  EXPECT_GT(outgrown.size(), 3u);
  for (std::uint64_t id = 0; id < 3000; ++id) {
    const Slot newest = map.find(id);
    EXPECT_EQ(newest, id < 2000 ? id + 3000 : id);
    EXPECT_EQ(slots.previous(newest).slot, id < 2000 ? id : kNoSlot);
  }
  EXPECT_EQ(map.find(3000), kNoSlot);
  EXPECT_EQ(map.find(PointId::from_parts(PointId::Kind::uuid, 0, 5)), kNoSlot) << "kinds are part of the id";
}

TEST(IdMap, readers_run_beside_the_committer) {
  SlotTable slots;
  IdMap map(slots);
  std::vector<std::unique_ptr<IdMap::Table>> outgrown;
  constexpr Slot kSlots = 20'000;
  std::atomic<Slot> published{0};
  std::vector<std::jthread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (true) {
        const Slot end = published.load(std::memory_order_acquire);
        for (Slot slot = end > 50 ? end - 50 : 0; slot < end; ++slot) EXPECT_EQ(map.find(PointId(slot)), slot);
        if (end == kSlots) return;
      }
    });
  }
  for (Slot slot = 0; slot < kSlots; ++slot) {
    add(slots, map, slot, PointId(slot), &outgrown);
    published.store(slot + 1, std::memory_order_release);
  }
}

TEST(IdMap, erased_entries_are_found_no_more_and_their_places_used_again) {
  SlotTable slots;
  IdMap map(slots);
  std::vector<std::unique_ptr<IdMap::Table>> outgrown;
  for (Slot slot = 0; slot < 1000; ++slot) add(slots, map, slot, PointId(slot), &outgrown);
  const std::size_t grown = outgrown.size();
  const std::uint64_t bytes = map.memory_bytes();
  // Rows are used again for other ids, many times over: the table does not grow, and every id leads to its row.
  for (std::uint64_t round = 1; round <= 50; ++round) {
    for (Slot slot = 0; slot < 1000; ++slot) {
      map.erase(slot);
      EXPECT_EQ(map.find(PointId((round - 1) * 1000 + slot)), kNoSlot);
      add(slots, map, slot, PointId(round * 1000 + slot), &outgrown);
    }
    for (Slot slot = 0; slot < 1000; ++slot)
      ASSERT_EQ(map.find(PointId(round * 1000 + slot)), slot) << "round " << round;
  }
  EXPECT_EQ(map.size(), 1000U);
  EXPECT_LE(map.memory_bytes(), 2 * bytes);
  EXPECT_GE(outgrown.size(), grown);
}

TEST(IdMap, erasing_an_old_version_leaves_the_entry_of_the_new_one) {
  SlotTable slots;
  IdMap map(slots);
  std::vector<std::unique_ptr<IdMap::Table>> outgrown;
  add(slots, map, 0, PointId(7), &outgrown);
  add(slots, map, 1, PointId(7), &outgrown);
  map.erase(0);
  EXPECT_EQ(map.find(7), 1U);
  map.erase(1);
  EXPECT_EQ(map.find(7), kNoSlot);
  EXPECT_EQ(map.size(), 0U);
}

}  // namespace
}  // namespace holdfast::engine
