#include "engine/slot_table.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

TEST(SlotTable, visibility_follows_the_stamps) {
  SlotTable slots;
  ASSERT_TRUE(slots.reserve(2).ok());
  slots.assign(0, 5, 10, kNoSlot, make_payload("{}"));
  EXPECT_FALSE(slots.visible(0, 9));
  EXPECT_TRUE(slots.visible(0, 10));
  slots.kill(0, 20);
  EXPECT_TRUE(slots.visible(0, 19));
  EXPECT_FALSE(slots.visible(0, 20));
  EXPECT_EQ(slots.changed_lsn(0), 20u);
}

TEST(SlotTable, payloads_are_counted_and_freed_once) {
  SlotTable slots;
  ASSERT_TRUE(slots.reserve(2).ok());
  slots.assign(0, 5, 1, kNoSlot, make_payload("{\"a\":1}"));
  slots.assign(1, 6, 1, kNoSlot, make_payload(""));
  EXPECT_EQ(*slots.payload(0), "{\"a\":1}");
  EXPECT_EQ(*slots.payload(1), "");
  EXPECT_EQ(slots.payload_bytes(), 7u);
  slots.free_payload(0);
  slots.free_payload(0);
  EXPECT_EQ(slots.payload_bytes(), 0u);
}

TEST(SlotTable, images_round_trip_and_cut_later_deaths) {
  SlotTable slots;
  constexpr Slot kSlots = 100;
  ASSERT_TRUE(slots.reserve(kSlots).ok());
  for (Slot slot = 0; slot < kSlots; ++slot) {
    slots.assign(slot, PointId::from_parts(PointId::Kind(slot % 2), slot % 2 ? slot * 3 : 0, slot), slot + 1, kNoSlot,
                 nullptr);
  }
  slots.kill(3, 150);
  slots.kill(4, 250);
  Bytes ids, stamps;
  slots.encode_ids(0, kSlots, ids);
  slots.encode_stamps(0, kSlots, 200, stamps);
  SlotTable loaded;
  ASSERT_TRUE(loaded.reserve(kSlots).ok());
  ASSERT_TRUE(loaded.load_ids(0, kSlots, ids).ok());
  ASSERT_TRUE(loaded.load_stamps(0, kSlots, stamps, 200).ok());
  for (Slot slot = 0; slot < kSlots; ++slot) {
    EXPECT_EQ(loaded.id(slot), slots.id(slot));
    EXPECT_EQ(loaded.born(slot), slot + 1);
    EXPECT_EQ(loaded.died(slot), slot == 3 ? 150 : kNeverDied);
  }
}

TEST(SlotTable, impossible_images_are_refused) {
  SlotTable slots;
  ASSERT_TRUE(slots.reserve(1).ok());
  const auto stamps = [](Lsn born, Lsn died) {
    Bytes bytes;
    put(bytes, born);
    put(bytes, died);
    return bytes;
  };
  EXPECT_TRUE(slots.load_stamps(0, 1, stamps(5, kNeverDied), 10).ok());
  EXPECT_FALSE(slots.load_stamps(0, 1, stamps(0, kNeverDied), 10).ok()) << "born before the first lsn";
  EXPECT_FALSE(slots.load_stamps(0, 1, stamps(11, kNeverDied), 10).ok()) << "born after the image";
  EXPECT_FALSE(slots.load_stamps(0, 1, stamps(5, 5), 10).ok()) << "died when it was born";
  EXPECT_FALSE(slots.load_stamps(0, 1, stamps(5, 11), 10).ok()) << "died after the image";
  EXPECT_FALSE(slots.load_stamps(0, 2, stamps(5, 6), 10).ok()) << "cut short";
  Bytes ids(17);
  ids[16] = std::byte{2};
  EXPECT_FALSE(slots.load_ids(0, 1, ids).ok()) << "unknown kind of id";
}

}  // namespace
}  // namespace holdfast::engine
