#include "index/vector_table.h"

#include <cmath>
#include <cstring>

#include "base/pages.h"
#include "base/random.h"
#include "index/fixture.h"

namespace holdfast::index {
namespace {

const float* floats_of(const VectorTable& table, Slot slot) { return static_cast<const float*>(table.row(slot)); }

TEST(Pages, AreZeroedAndAlignedAndMoveTheirMemory) {
  Pages pages = Pages::map((std::size_t{2} << 20) + 5, Pages::Size::huge);
  ASSERT_FALSE(pages.empty());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages.data()) % (std::size_t{2} << 20), 0U);
  EXPECT_EQ(pages.data()[pages.size() - 1], std::byte{0});
  pages.data()[pages.size() - 1] = std::byte{7};
  const std::byte* const at = pages.data();
  const Pages moved = std::move(pages);
  EXPECT_EQ(moved.data(), at);
  EXPECT_TRUE(Pages::map(0, Pages::Size::normal).empty());
  EXPECT_TRUE(Pages::map(SIZE_MAX, Pages::Size::normal).empty());
}

TEST(VectorTable, KeepsRowsAsWrittenAndNeverMovesThem) {
  VectorTable table(5, Metric::l2);
  EXPECT_EQ(table.stride(), 64U);
  ASSERT_TRUE(table.reserve(1).ok());
  table.assign(0, std::vector<float>{1, 2, 3, 4, 5});
  const void* const first = table.row(0);
  ASSERT_TRUE(table.reserve(3 * kChunkSlots + 1).ok());
  table.assign(kChunkSlots - 1, std::vector<float>{1, 1, 1, 1, 1});
  table.assign(kChunkSlots, std::vector<float>{2, 2, 2, 2, 2});
  table.assign(3 * kChunkSlots, std::vector<float>{3, 3, 3, 3, 3});
  EXPECT_EQ(table.row(0), first);
  EXPECT_EQ(floats_of(table, 0)[4], 5.0F);
  EXPECT_EQ(floats_of(table, kChunkSlots - 1)[0], 1.0F);
  EXPECT_EQ(floats_of(table, kChunkSlots)[0], 2.0F);
  EXPECT_EQ(floats_of(table, 3 * kChunkSlots)[4], 3.0F);
  EXPECT_EQ(table.private_bytes(), 4 * 64U);
}

TEST(VectorTable, RefusesMoreSlotsThanKeysCanName) {
  VectorTable table(1, Metric::l2);
  EXPECT_EQ(table.reserve(kNoSlot).code(), StatusCode::resource_exhausted);
}

TEST(VectorTable, AttachUsesChunksWhereTheyAreAndCopiesThoseWithoutRoom) {
  VectorTable table(16, Metric::l2);
  auto mapped = std::make_shared<std::vector<float>>(std::size_t{kChunkSlots} * 16, 1.5F);
  std::uint64_t checked = 0;
  const auto check = [&](std::uint64_t offset, std::uint64_t) {
    checked = offset;
    return Status();
  };
  const VectorTable::MappedRows rows{std::as_writable_bytes(std::span(*mapped)), check, mapped};
  ASSERT_TRUE(table.attach(0, kChunkSlots, rows).ok());
  VectorTable::MappedRows short_of_room = rows;
  short_of_room.bytes = rows.bytes.first(640);
  ASSERT_TRUE(table.attach(1, 10, short_of_room).ok());
  ASSERT_TRUE(table.prepare_row(3).ok());
  EXPECT_EQ(checked, 3 * 64U);
  ASSERT_TRUE(table.prepare_row(kChunkSlots + 9).ok());
  EXPECT_EQ(checked, 3 * 64U) << "copied rows have no page to check";
  EXPECT_EQ(table.row(7), mapped->data() + 7 * 16);
  EXPECT_EQ(floats_of(table, kChunkSlots + 9)[15], 1.5F);
  EXPECT_EQ(table.mapped_bytes(), std::uint64_t{kChunkSlots} * 64);
  EXPECT_EQ(table.private_bytes(), 640U);
  ASSERT_TRUE(table.reserve(kChunkSlots + 11).ok());
  table.assign(kChunkSlots + 10, std::vector<float>(16, 2.0F));
  EXPECT_EQ(floats_of(table, kChunkSlots + 10)[0], 2.0F);
  const std::weak_ptr<std::vector<float>> alive = mapped;
  table.assign(5, std::vector<float>(16, 4.0F));
  EXPECT_EQ((*mapped)[5 * 16], 4.0F) << "a row that is used again is written in place";
  mapped.reset();
  EXPECT_FALSE(alive.expired());
}

// The last chunk of a collection goes on growing where it is mapped.
TEST(VectorTable, RowsBehindTheMappedOnesOfAChunkAreWrittenBesideThem) {
  VectorTable table(16, Metric::l2);
  std::vector<float> mapped(std::size_t{kChunkSlots} * 16);
  std::fill_n(mapped.begin(), 10 * 16, 1.5F);
  std::uint64_t checked_end = 0;
  const auto check = [&](std::uint64_t offset, std::uint64_t length) {
    checked_end = offset + length;
    return Status();
  };
  ASSERT_TRUE(table.attach(0, 10, {std::as_writable_bytes(std::span(mapped)), check, nullptr}).ok());
  EXPECT_EQ(table.mapped_bytes(), 640U);
  ASSERT_TRUE(table.reserve(11).ok());
  EXPECT_EQ(table.row(7), mapped.data() + 7 * 16);
  checked_end = 0;
  ASSERT_TRUE(table.prepare_row(10).ok());
  EXPECT_EQ(checked_end, 0U) << "nothing of the file stands there";
  table.assign(10, std::vector<float>(16, 2.0F));
  EXPECT_EQ(table.row(10), mapped.data() + 10 * 16);
  EXPECT_EQ(floats_of(table, 10)[15], 2.0F);
  EXPECT_EQ(table.private_bytes(), 64U);
  ASSERT_TRUE(table.verify_rows(5, 11).ok());
  EXPECT_EQ(checked_end, 640U) << "no further than the file goes";
}

TEST(VectorTable, AttachRefusesDataThatIsTooShort) {
  VectorTable table(16, Metric::l2);
  std::vector<std::byte> bytes(640);
  EXPECT_EQ(table.attach(0, 11, {bytes, nullptr, nullptr}).code(), StatusCode::data_damaged);
  EXPECT_EQ(table.attach(0, kChunkSlots + 1, {bytes, nullptr, nullptr}).code(), StatusCode::data_damaged);
}

TEST(Query, CosineDistanceStaysBetweenZeroAndTwo) {
  constexpr std::uint32_t kDimension = 37;
  VectorTable table(kDimension, Metric::cosine);
  ASSERT_TRUE(table.reserve(400).ok());
  SeededRandom random(5);
  for (Slot slot = 0; slot < 400; slot += 2) {
    std::vector<float> vector(kDimension);
    for (float& x : vector) x = static_cast<float>(random.unit() * 2 - 1);
    table.assign(slot, vector);
    for (float& x : vector) x *= -3.0F;
    table.assign(slot + 1, vector);
    for (const Slot from : {slot, slot + 1}) {
      const RowQuery query(table, from);
      for (const Slot to : {slot, slot + 1}) {
        const float distance = query->distance(table.row(to));
        EXPECT_GE(distance, 0.0F);
        EXPECT_LE(distance, 2.0F);
        EXPECT_NEAR(distance, from == to ? 0.0F : 2.0F, 1e-5);
      }
    }
  }
}

TEST(Query, MeasuresWhatTheMetricSays) {
  const std::vector<float> a{1, 2, 3};
  const std::vector<float> b{4, -1, 0.5F};
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    VectorTable table(3, metric);
    ASSERT_TRUE(table.reserve(2).ok());
    table.assign(0, a);
    table.assign(1, b);
    const float distance = Query(table, a.data()).distance(table.row(1));
    const double dot = 4 - 2 + 1.5;
    const double expected = metric == Metric::l2              ? 9 + 9 + 6.25
                            : metric == Metric::inner_product ? -dot
                                                              : 1 - dot / std::sqrt(14.0 * 17.25);
    EXPECT_NEAR(distance, expected, 1e-6);
    // The same in both directions, for a row as for a copy, alone or among four.
    EXPECT_EQ(distance, RowQuery(table, Slot{0})->distance(table.row(1)));
    EXPECT_EQ(distance, RowQuery(table, Slot{1})->distance(table.row(0)));
    const void* const rows[4] = {table.row(0), table.row(1), table.row(0), table.row(1)};
    float four[4];
    Query(table, a.data()).distance_x4(rows, four);
    EXPECT_EQ(four[1], distance);
    EXPECT_EQ(four[3], distance);
  }
}

/// Whole numbers that every type holds.
std::vector<float> small_numbers(std::uint64_t seed, std::uint32_t dimension) {
  SeededRandom random(seed);
  std::vector<float> vector(dimension);
  for (float& x : vector) x = static_cast<float>(random.below(100));
  return vector;
}

TEST(VectorTable, RowsOfEveryTypeMeasureAsFloatsDo) {
  for (const Metric metric : {Metric::l2, Metric::inner_product, Metric::cosine}) {
    for (const ComponentType type :
         {ComponentType::f32, ComponentType::f16, ComponentType::bf16, ComponentType::i8, ComponentType::u8}) {
      for (const std::uint32_t dimension : {1U, 3U, 31U, 64U, 257U, 600U}) {
        SCOPED_TRACE(std::string(to_string(type)) + ", " + std::string(to_string(metric)) + ", dimension " +
                     std::to_string(dimension));
        VectorTable floats(dimension, metric);
        VectorTable typed(dimension, metric, type);
        EXPECT_EQ(typed.vector_bytes(), dimension * component_bytes(type));
        EXPECT_EQ(typed.stride() % 64, 0U);
        EXPECT_GE(typed.stride(), typed.norm_offset() + (metric == Metric::cosine ? 4 : 0));
        ASSERT_TRUE(floats.reserve(4).ok());
        ASSERT_TRUE(typed.reserve(4).ok());
        for (Slot slot = 0; slot < 4; ++slot) {
          std::vector<float> vector = small_numbers(slot + 1, dimension);
          vector[0] += 1;  // not zero
          floats.assign(slot, vector);
          if (slot % 2 == 0) {
            typed.assign(slot, vector);
          } else {
            std::vector<std::byte> components(typed.vector_bytes());
            EXPECT_EQ(simd::Conversion::exact, encode_components(type, vector, components.data()));
            typed.assign_components(slot, components.data());
          }
          std::vector<float> room;
          const float* const back = typed.floats(typed.row(slot), room);
          EXPECT_TRUE(std::equal(vector.begin(), vector.end(), back));
          EXPECT_EQ(floats.inverse_norm_of(floats.row(slot)), typed.inverse_norm_of(typed.row(slot)));
        }
        EXPECT_TRUE(typed.identical(2, 2));
        if (dimension > 3) EXPECT_FALSE(typed.identical(2, 3));
        for (Slot from = 0; from < 4; ++from) {
          const RowQuery query(typed, from);
          const RowQuery within(typed, (from + 1) % 4);  // does not disturb the one before
          const void* const rows[4] = {typed.row(0), typed.row(1), typed.row(2), typed.row(3)};
          float four[4];
          query->distance_x4(rows, four);
          for (Slot to = 0; to < 4; ++to) {
            const float expected = RowQuery(floats, from)->distance(floats.row(to));
            EXPECT_EQ(expected, query->distance(typed.row(to)));
            EXPECT_EQ(expected, four[to]);
            EXPECT_EQ(expected, Query(typed, static_cast<const float*>(floats.row(from))).distance(typed.row(to)));
          }
        }
      }
    }
  }
}

TEST(Query, OverflowIsFarAndNeverNaN) {
  VectorTable table(2, Metric::inner_product);
  ASSERT_TRUE(table.reserve(1).ok());
  const std::vector<float> huge{3e38F, 3e38F};
  table.assign(0, huge);
  const std::vector<float> mixed{3e38F, -3e38F};
  EXPECT_FALSE(std::isnan(Query(table, mixed.data()).distance(table.row(0))));
}

}  // namespace
}  // namespace holdfast::index
