#include "engine/slot_table.h"

#include <gtest/gtest.h>

#include <numeric>

namespace holdfast::engine {
namespace {

std::vector<std::uint32_t> first_rows(std::uint32_t count) {
  std::vector<std::uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0U);
  return rows;
}

TEST(SlotTable, visibility_follows_the_stamps) {
  SlotTable slots;
  ASSERT_TRUE(slots.reserve(2).ok());
  slots.assign(0, {5, 10, {}, true, make_payload("{}")});
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
  slots.assign(0, {5, 1, {}, true, make_payload("{\"a\":1}")});
  slots.assign(1, {6, 1, {}, true, make_payload("")});
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
    const auto id = PointId::from_parts(PointId::Kind(slot % 2), slot % 2 ? slot * 3 : 0, slot);
    slots.assign(slot, {id, slot + 1, {}, true, nullptr});
  }
  slots.kill(3, 150);
  slots.kill(4, 250);
  Bytes ids, stamps;
  SlotTable::Kept kept(kChunkSlots, true);
  kept[9] = false;
  slots.encode_ids(0, first_rows(kSlots), kept, ids);
  slots.encode_stamps(0, first_rows(kSlots), kept, 200, stamps);
  SlotTable loaded;
  ASSERT_TRUE(loaded.reserve(kSlots).ok());
  ASSERT_TRUE(loaded.load_ids(0, kSlots, ids).ok());
  ASSERT_TRUE(loaded.load_stamps(0, kSlots, stamps, 200).ok());
  for (Slot slot = 0; slot < kSlots; ++slot) {
    if (slot == 9) {
      EXPECT_FALSE(loaded.visible(slot, 200)) << "rows that are not kept stand as free";
      continue;
    }
    EXPECT_EQ(loaded.id(slot), slots.id(slot));
    EXPECT_EQ(loaded.born(slot), slot + 1);
    EXPECT_EQ(loaded.died(slot), slot == 3 ? 150 : kNeverDied);
  }
}

TEST(SlotTable, a_row_that_is_used_again_shows_nothing_to_older_views) {
  SlotTable slots;
  ASSERT_TRUE(slots.reserve(1).ok());
  slots.assign(0, {5, 10, {}, true, make_payload("{\"old\":1}")});
  slots.kill(0, 20);
  slots.assign(0, {6, 30, {}, true, nullptr});
  for (const Lsn lsn : {5, 15, 20, 25, 29}) EXPECT_FALSE(slots.visible(0, lsn)) << lsn;
  EXPECT_TRUE(slots.visible(0, 30));
  EXPECT_EQ(slots.id(0), PointId(6));
  EXPECT_EQ(*slots.payload(0), "");
  EXPECT_EQ(slots.payload_bytes(), 0U);
}

TEST(SlotTable, values_of_a_point_form_a_chain_that_survives_its_image) {
  SlotTable slots;
  ASSERT_TRUE(slots.reserve(4).ok());
  slots.assign(0, {5, 1, {}, true, nullptr});
  slots.assign(3, {5, 1, {}, false, nullptr});
  slots.append_value(0, 3);
  slots.assign(1, {5, 1, {}, false, nullptr});
  slots.append_value(3, 1);
  slots.assign(2, {6, 1, {}, true, nullptr});
  const SlotTable::Kept kept(kChunkSlots, true);
  EXPECT_TRUE(slots.has_values(0, 4, kept));
  EXPECT_FALSE(slots.has_values(2, 3, kept));
  Bytes ids, values;
  slots.encode_ids(0, first_rows(4), kept, ids);
  slots.encode_values(0, first_rows(4), kept, values);
  SlotTable loaded;
  ASSERT_TRUE(loaded.reserve(4).ok());
  ASSERT_TRUE(loaded.load_ids(0, 4, ids).ok());
  EXPECT_FALSE(loaded.load_values(0, 4, values, 3).ok()) << "a next value beyond the last row";
  ASSERT_TRUE(loaded.load_values(0, 4, values, 4).ok());
  EXPECT_EQ(loaded.next_value(0), 3U);
  EXPECT_EQ(loaded.next_value(3), 1U);
  EXPECT_EQ(loaded.next_value(1), kNoSlot);
  EXPECT_TRUE(loaded.is_head(0) && loaded.is_head(2));
  EXPECT_FALSE(loaded.is_head(1) || loaded.is_head(3));
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
  ids[16] = std::byte{0};
  EXPECT_TRUE(slots.load_ids(0, 1, ids).ok());
  ids[0] = std::byte{1};
  EXPECT_FALSE(slots.load_ids(0, 1, ids).ok()) << "a number above 2^64";
}

}  // namespace
}  // namespace holdfast::engine
