#include "bench/datasets.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "support/temp_dir.h"

namespace holdfast::bench {
namespace {

/// A header and items, as they stand in a file.
template <class Item>
std::vector<std::byte> file_of(std::uint32_t rows, std::uint32_t columns, const std::vector<Item>& items) {
  std::vector<std::byte> bytes(8 + items.size() * sizeof(Item));
  std::memcpy(bytes.data(), &rows, 4);
  std::memcpy(bytes.data() + 4, &columns, 4);
  std::memcpy(bytes.data() + 8, items.data(), items.size() * sizeof(Item));
  return bytes;
}

void write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good());
}

std::vector<std::byte> compressed(std::span<const std::byte> bytes) {
  std::vector<std::byte> packed(ZSTD_compressBound(bytes.size()));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), 1));
  return packed;
}

TEST(ParseMatrix, ReadsFloatsBytesAndHalves) {
  const auto floats = parse_matrix(file_of<float>(2, 3, {1, 2.5f, -3, 4, 5, 6}), Encoding::f32);
  ASSERT_TRUE(floats.ok());
  EXPECT_EQ(floats.value().rows, 2u);
  EXPECT_EQ(floats.value().dim, 3u);
  EXPECT_EQ(floats.value().row(0)[1], 2.5f);
  EXPECT_EQ(floats.value().row(1)[2], 6.0f);

  const auto bytes = parse_matrix(file_of<std::uint8_t>(1, 3, {0, 128, 255}), Encoding::u8);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes.value().values, (std::vector<float>{0, 128, 255}));

  const auto halves =
      parse_matrix(file_of<std::uint16_t>(1, 6, {0x0000, 0x3C00, 0xC000, 0x3555, 0x0001, 0x7BFF}), Encoding::f16);
  ASSERT_TRUE(halves.ok());
  EXPECT_EQ(halves.value().values, (std::vector<float>{0, 1, -2, 1365.0f / 4096, 0x1.0p-24f, 65504}));
  const auto infinity = parse_matrix(file_of<std::uint16_t>(1, 1, {0x7C00}), Encoding::f16);
  EXPECT_EQ(infinity.value().values[0], std::numeric_limits<float>::infinity());
}

TEST(ParseMatrix, RefusesAFileThatDisagreesWithItsHeader) {
  auto bytes = file_of<float>(2, 3, {1, 2, 3, 4, 5, 6});
  const std::span<const std::byte> whole = bytes;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(parse_matrix(whole.first(length), Encoding::f32).status().code(), StatusCode::data_damaged) << length;
  }
  EXPECT_EQ(parse_matrix(whole, Encoding::u8).status().code(), StatusCode::data_damaged);
  const std::uint32_t huge = ~std::uint32_t{0};
  std::memcpy(bytes.data(), &huge, 4);
  std::memcpy(bytes.data() + 4, &huge, 4);
  EXPECT_EQ(parse_matrix(bytes, Encoding::f32).status().code(), StatusCode::data_damaged);
}

TEST(ParseNeighbors, RefusesRowsThatTheBaseDoesNotHave) {
  const auto good = parse_neighbors(file_of<std::int32_t>(2, 2, {0, 4, 3, 1}), 5);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good.value().of(1)[0], 3u);
  EXPECT_FALSE(parse_neighbors(file_of<std::int32_t>(1, 2, {0, 5}), 5).ok());
  EXPECT_FALSE(parse_neighbors(file_of<std::int32_t>(1, 2, {0, -1}), 5).ok());
}

TEST(LoadDataset, ReadsPlainAndCompressedFiles) {
  const testing::TempDir root;
  const std::filesystem::path folder = root / "tiny-2-l2";
  std::filesystem::create_directory(folder);
  write(folder / "base.fbin", file_of<float>(3, 2, {0, 0, 1, 0, 5, 5}));
  write(folder / "query.u8bin.zst", compressed(file_of<std::uint8_t>(1, 2, {4, 4})));
  write(folder / "gt100.ibin.zst", compressed(file_of<std::int32_t>(1, 3, {2, 1, 0})));
  const auto set = load_dataset(root.path(), "tiny-2-l2");
  ASSERT_TRUE(set.ok()) << set.status().to_string();
  EXPECT_EQ(set.value().metric, Metric::l2);
  EXPECT_EQ(set.value().queries.row(0)[0], 4.0f);
  const Dataset& loaded = set.value();
  EXPECT_EQ(nearest_rows(loaded.base, loaded.queries, loaded.metric, 3).rows, loaded.nearest.rows);
  EXPECT_EQ(load_dataset(root.path(), "absent-2-l2").status().code(), StatusCode::not_found);

  auto damaged = compressed(file_of<std::uint8_t>(1, 2, {4, 4}));
  damaged.resize(damaged.size() / 2);
  write(folder / "query.u8bin.zst", damaged);
  EXPECT_EQ(load_dataset(root.path(), "tiny-2-l2").status().code(), StatusCode::data_damaged);
}

TEST(Recall, CountsRowsAmongTheExactNearest) {
  const Neighbors nearest{2, 3, {7, 8, 9, 1, 2, 3}};
  EXPECT_DOUBLE_EQ(recall(nearest, std::vector<std::uint32_t>{8, 7, 2, 9}, 2), 0.75 - 0.0);  // 9 is no neighbor of 1
  EXPECT_DOUBLE_EQ(recall(nearest, std::vector<std::uint32_t>{7, 8, 1, 2}, 2), 1);
  EXPECT_DOUBLE_EQ(recall(nearest, std::vector<std::uint32_t>{9, ~0u, 3, 3}, 2), 0);  // 9 and 3 come third
}

TEST(SyntheticDataset, IsRepeatableAndKnowsItsNeighbors) {
  const Shape shape{300, 5, 16, Metric::cosine};
  const Dataset a = synthetic_dataset("a", shape, 3);
  const Dataset b = synthetic_dataset("b", shape, 3);
  EXPECT_EQ(a.base.values, b.base.values);
  EXPECT_EQ(a.nearest.rows, b.nearest.rows);
  EXPECT_NE(a.base.values, synthetic_dataset("c", shape, 4).base.values);
  for (const float component : a.base.values) ASSERT_TRUE(std::isfinite(component));
}

TEST(Shorten, ComputesTheNeighborsOfWhatIsLeft) {
  Dataset set = synthetic_dataset("s", {300, 5, 8, Metric::l2}, 3);
  shorten(set, 120, 2);
  EXPECT_EQ(set.base.rows, 120u);
  EXPECT_EQ(set.nearest.queries, 2u);
  for (const std::uint32_t row : set.nearest.rows) EXPECT_LT(row, 120u);
}

}  // namespace
}  // namespace holdfast::bench
