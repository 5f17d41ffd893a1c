#include "storage/extent_patch.h"

#include <algorithm>

#include "base/random.h"
#include "storage/extent_format.h"
#include "storage/storage_test_util.h"

namespace holdfast::storage {
namespace {

constexpr std::uint32_t kWidth = 100;  // rows stand across pages
constexpr std::uint32_t kRows = 3'000;

class ExtentPatchTest : public ::testing::Test {
 protected:
  ExtentPatchTest() { EXPECT_OK(fs_.create_directory("/ext")); }

  ExtentInfo write(ByteSpan data, std::uint64_t number, std::uint32_t rows) {
    ExtentInfo info;
    info.number = number;
    info.kind = 2;
    info.slot_count = rows;
    auto writer = ExtentWriter::create(fs_, "/ext", kCollection, info);
    EXPECT_OK(writer.status());
    EXPECT_OK((*writer)->append(data));
    auto finished = (*writer)->finish();
    EXPECT_OK(finished.status());
    return *finished;
  }

  /// A patch of columns; every byte of a patched row is `mark` of the row.
  static std::byte mark(std::uint32_t row) { return static_cast<std::byte>(row * 7 + 1); }
  ExtentInfo write_patch(const ExtentInfo& base, const std::vector<std::uint32_t>& rows, const PatchShape& shape,
                         std::uint32_t rows_end, std::uint64_t number = 2) {
    Bytes data = encode_patch_head(base, rows, shape);
    for (const std::uint32_t width : shape.widths) {
      for (const std::uint32_t row : rows) data.resize(data.size() + width, mark(row));
    }
    return write(data, number, rows_end);
  }

  Result<std::shared_ptr<const Extent>> open(const ExtentInfo& base, const ExtentInfo& patch, const PatchShape& shape) {
    return Extent::open_patched(fs_, "/ext", kCollection, base, patch, shape,
                                [this](const DamagedPage& page) { damaged_.push_back(page.extent.number); });
  }
  void flip(std::uint64_t number, std::uint64_t offset) {
    EXPECT_OK(fs_.corrupt("/ext/" + extent_name(number), offset, std::byte{1}));
  }

  testing::SimFileSystem fs_;
  std::vector<std::uint64_t> damaged_;
};

/// What the patched data must be: column by column, the base's rows but for those of the patch.
Bytes expected(ByteSpan base, std::uint32_t base_rows, const PatchShape& shape, const std::vector<std::uint32_t>& rows,
               std::uint32_t rows_end, std::byte (*mark)(std::uint32_t)) {
  Bytes made;
  std::size_t from = 0;
  for (const std::uint32_t width : shape.widths) {
    for (std::uint32_t row = 0; row < rows_end; ++row) {
      const bool patched = std::binary_search(rows.begin(), rows.end(), row);
      for (std::uint32_t i = 0; i < width; ++i) {
        made.push_back(patched ? mark(row) : base[from + std::size_t{row} * width + i]);
      }
    }
    from += std::size_t{width} * base_rows;
  }
  return made;
}

TEST_F(ExtentPatchTest, RowsAreLaidOverTheBase) {
  SeededRandom random(7);
  std::uint64_t number = 1;
  for (const PatchShape shape : {PatchShape{{kWidth, 0}}, PatchShape{{kWidth, 1}}, PatchShape{{64, 4}}}) {
    for (const std::uint32_t grown : {0U, 1U, 700U}) {
      SCOPED_TRACE(std::to_string(shape.widths[0]) + " + " + std::to_string(shape.widths[1]) + ", grown by " +
                   std::to_string(grown));
      const Bytes data = pattern(shape.row_bytes() * kRows, number);
      const ExtentInfo base = write(data, number++, kRows);
      std::vector<std::uint32_t> rows;
      for (std::uint32_t row = 0; row < kRows + grown; ++row) {
        if (row >= kRows || row == 0 || random.below(10) == 0) rows.push_back(row);
      }
      const auto extent = open(base, write_patch(base, rows, shape, kRows + grown, number++), shape);
      ASSERT_TRUE(extent.ok()) << extent.status().to_string();
      ASSERT_TRUE((*extent)->verify_all().ok());
      const Bytes wanted = expected(data, kRows, shape, rows, kRows + grown, mark);
      ASSERT_EQ((*extent)->data().size(), wanted.size());
      EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), (*extent)->data().begin()));
      EXPECT_EQ((*extent)->info().slot_count, kRows + grown);
      EXPECT_EQ((*extent)->in_memory(), grown != 0);
    }
  }
  EXPECT_TRUE(damaged_.empty());
}

TEST_F(ExtentPatchTest, APageIsPatchedWhenItIsChecked) {
  const Bytes data = pattern(std::size_t{kWidth} * kRows, 1);
  const ExtentInfo base = write(data, 1, kRows);
  const auto last = kRows - 1;
  const auto extent = open(base, write_patch(base, {0, last}, {{kWidth, 0}}, kRows), {{kWidth, 0}});
  ASSERT_TRUE(extent.ok()) << extent.status().to_string();
  ASSERT_TRUE((*extent)->verify(0, kWidth).ok());
  EXPECT_EQ((*extent)->data()[0], mark(0));
  EXPECT_FALSE((*extent)->all_verified());
  const std::uint64_t at = std::uint64_t{last} * kWidth;
  EXPECT_EQ((*extent)->data()[at], data[at]) << "nobody has looked at that page";
  ASSERT_TRUE((*extent)->verify(at, kWidth).ok());
  EXPECT_EQ((*extent)->data()[at], mark(last));
}

TEST_F(ExtentPatchTest, DamageOfThePatchCostsThePagesThatItIsLaidOver) {
  const ExtentInfo base = write(pattern(std::size_t{kWidth} * kRows, 1), 1, kRows);
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < kRows; row += 2) rows.push_back(row);
  const ExtentInfo patch = write_patch(base, rows, {{kWidth, 0}}, kRows);
  ASSERT_GT(patch.data_bytes, kExtentPageBytes);
  flip(2, kExtentDataOffset + kExtentPageBytes + 100);  // its second page: the rows behind
  const auto extent = open(base, patch, {{kWidth, 0}});
  ASSERT_TRUE(extent.ok()) << extent.status().to_string();
  EXPECT_OK((*extent)->verify(0, kWidth));
  const std::uint64_t at = std::uint64_t{1'500} * kWidth;
  EXPECT_CODE(data_damaged, (*extent)->verify(at, kWidth));
  EXPECT_CODE(data_damaged, (*extent)->verify(at, kWidth)) << "it stays so";
  EXPECT_EQ(damaged_, std::vector<std::uint64_t>{2}) << "once, and of the patch";
}

TEST_F(ExtentPatchTest, DamageOfTheBaseIsTheBases) {
  const ExtentInfo base = write(pattern(std::size_t{kWidth} * kRows, 1), 1, kRows);
  const ExtentInfo patch = write_patch(base, {5}, {{kWidth, 0}}, kRows);
  flip(1, kExtentDataOffset + 5 * kWidth);  // under the patch, but nobody knows what else is wrong with the page
  const auto extent = open(base, patch, {{kWidth, 0}});
  ASSERT_TRUE(extent.ok()) << extent.status().to_string();
  EXPECT_CODE(data_damaged, (*extent)->verify(0, 1));
  EXPECT_OK((*extent)->verify(kExtentPageBytes, 1));
  EXPECT_EQ(damaged_, std::vector<std::uint64_t>{1});
}

TEST_F(ExtentPatchTest, EveryBitOfAPatchCounts) {
  const Bytes data = pattern(std::size_t{16} * 40, 1);
  const ExtentInfo base = write(data, 1, 40);
  const std::vector<std::uint32_t> rows{3, 4, 39, 40};
  const ExtentInfo patch = write_patch(base, rows, {{16, 0}}, 41);
  const Bytes wanted = expected(data, 40, {{16, 0}}, rows, 41, mark);
  const std::uint64_t size = extent_file_bytes(patch.data_bytes);
  for (std::uint64_t at = 0; at < size; ++at) {
    flip(2, at);
    const auto extent = open(base, patch, {{16, 0}});
    if (extent.ok()) {
      EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), (*extent)->data().begin())) << "byte " << at;
    } else {
      EXPECT_CODE(data_damaged, extent.status()) << "byte " << at;
    }
    flip(2, at);
  }
}

TEST_F(ExtentPatchTest, APatchThatContradictsItselfIsRefused) {
  const ExtentInfo base = write(pattern(std::size_t{16} * 40, 1), 1, 40);
  ExtentInfo other = base;
  other.number = 9;
  ExtentInfo shorter = base;
  shorter.slot_count = 39;
  const std::vector<std::pair<Bytes, const char*>> bad{
      {encode_patch_head(other, {}, {{16, 0}}), "of another extent"},
      {encode_patch_head(shorter, {}, {{16, 0}}), "of a base of other length"},
      {encode_patch_head(base, {}, {{15, 1}}), "of other columns"},
      {encode_patch_head(base, std::vector<std::uint32_t>{7}, {{16, 0}}), "without the row's bytes"},
      {Bytes(kPatchHeaderBytes - 1), "cut short"},
      {Bytes(), "empty"},
  };
  std::uint64_t number = 20;
  for (const auto& [data, what] : bad) {
    const auto extent = open(base, write(data, number++, 40), {{16, 0}});
    EXPECT_CODE(data_damaged, extent.ok() ? (*extent)->verify_all() : extent.status()) << what;
  }
  for (const std::vector<std::uint32_t>& rows : std::vector<std::vector<std::uint32_t>>{{4, 4}, {4, 3}, {40}}) {
    const auto extent = open(base, write_patch(base, rows, {{16, 0}}, 40, number++), {{16, 0}});
    EXPECT_CODE(data_damaged, extent.ok() ? (*extent)->verify_all() : extent.status());
  }
  const PatchShape shape{{16, 0}};
  EXPECT_CODE(data_damaged, open(base, write_patch(base, {41}, shape, 42, number++), shape).status()) << "without 40";
  EXPECT_CODE(data_damaged, open(base, write_patch(base, {}, shape, 39, number++), shape).status()) << "fewer rows";
}

TEST_F(ExtentPatchTest, Texts) {
  const ExtentInfo base = write(pattern(100, 1), 1, 3);
  const std::vector<std::uint32_t> rows{1, 3, 4};
  Bytes data = encode_patch_head(base, rows, {});
  std::uint64_t at = data.size() + 4 * sizeof(std::uint64_t);
  for (const std::uint64_t length : {0U, 5U, 2U, 0U}) {
    put(data, at);
    at += length;
  }
  const std::size_t ends = data.size();
  store<std::uint64_t>(data.data() + ends - 8, at);
  const std::string_view texts = "abcdefg";
  put_bytes(data, std::as_bytes(std::span(texts.data(), texts.size())));
  store<std::uint64_t>(data.data() + ends - 32, ends);
  store<std::uint64_t>(data.data() + ends - 24, ends);
  store<std::uint64_t>(data.data() + ends - 16, ends + 5);
  store<std::uint64_t>(data.data() + ends - 8, ends + 7);
  const ExtentInfo info = write(data, 2, 5);
  auto extent = Extent::open(fs_, "/ext", kCollection, info);
  ASSERT_TRUE(extent.ok());
  const Patch patch(*extent, base, {});
  ASSERT_TRUE(patch.load().ok());
  EXPECT_EQ(patch.text(0).value(), std::nullopt);
  EXPECT_EQ(patch.text(1).value(), "");
  EXPECT_EQ(patch.text(3).value(), "abcde");
  EXPECT_EQ(patch.text(4).value(), "fg");
  EXPECT_EQ(patch.text(5).value(), std::nullopt);
}

}  // namespace
}  // namespace holdfast::storage
