// npy, fvecs, bvecs and the bin formats: what is written is read, what is broken is named.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "cli/import/row_layout.h"
#include "cli/source_reading.h"

namespace holdfast::cli::test {
namespace {

constexpr std::uint64_t kSeed = 7;

struct Sample {
  const char* name;
  std::string bytes;
  bool counts_rows;  ///< the header says how many rows there are
};

std::vector<Sample> samples(const Rows& rows) {
  const std::string shape = shape_of(rows);
  return {
      {"f4.npy", npy_bytes("<f4", shape, packed<float>(rows)), true},
      {"f8.npy", npy_bytes("<f8", shape, packed<double>(rows), 2), true},
      {"u1.npy", npy_bytes("|u1", shape, packed<std::uint8_t>(rows), 3), true},
      {"i1.npy", npy_bytes("|i1", shape, packed<std::int8_t>(rows)), true},
      {"x.fvecs", packed<float>(rows, true), false},
      {"x.bvecs", packed<std::uint8_t>(rows, true), false},
      {"x.fbin", bin_bytes<float>(rows), true},
      {"x.u8bin", bin_bytes<std::uint8_t>(rows), true},
      {"x.i8bin", bin_bytes<std::int8_t>(rows), true},
  };
}

TEST(RowFileSource, ReadsEveryFormat) {
  const TempDir folder;
  const Rows rows = random_rows(57, 13, kSeed);
  for (const Sample& sample : samples(rows)) {
    SCOPED_TRACE(sample.name);
    const std::string path = write_file(folder / sample.name, sample.bytes);
    const Result<Rows> read = read_all(path);
    ASSERT_TRUE(read.ok()) << read.status().to_string();
    EXPECT_EQ(*read, rows);
    expect_seekable(path, rows);
  }
}

TEST(RowFileSource, ReadsMoreThanOneBlock) {
  const TempDir folder;
  const Rows rows = random_rows(3000, 500, kSeed);  // 6 MB, blocks are 4 MiB
  const std::string path = write_file(folder / "x.fbin", bin_bytes<float>(rows));
  const Result<Rows> read = read_all(path);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, rows);
  expect_seekable(path, rows);
}

TEST(RowFileSource, NoticesTruncationAtEveryLength) {
  const TempDir folder;
  const Rows rows = random_rows(20, 7, kSeed);
  for (const Sample& sample : samples(rows)) {
    SCOPED_TRACE(sample.name);
    expect_truncation_is_noticed(sample.bytes, folder / sample.name, rows, sample.counts_rows);
  }
}

TEST(RowFileSource, NoticesBytesTooMany) {
  const TempDir folder;
  const Rows rows = random_rows(5, 4, kSeed);
  for (const Sample& sample : samples(rows)) {
    SCOPED_TRACE(sample.name);
    const std::string message = read_error(write_file(folder / sample.name, sample.bytes + "x"));
    expect_message(message, sample.name);
  }
}

TEST(RowFileSource, WidensHalfFloats) {
  const struct {
    std::uint16_t bits;
    float value;
  } cases[] = {{0x0000, 0.0F},          {0x8000, -0.0F},    {0x3C00, 1.0F},
               {0xC000, -2.0F},         {0x7BFF, 65504.0F}, {0x0001, 0x1p-24F},
               {0x83FF, -0x1.FF8p-15F}, {0x0400, 0x1p-14F}, {0x3555, 0.33325195F}};
  for (const auto& test : cases) {
    float value = 99;
    widen(ComponentType::f16, std::as_bytes(std::span(&test.bits, 1)), std::span(&value, 1));
    EXPECT_EQ(value, test.value) << std::hex << test.bits;
    EXPECT_EQ(std::signbit(value), std::signbit(test.value));
  }
  for (const std::uint16_t bits : {std::uint16_t{0x7C00}, std::uint16_t{0x7E00}}) {
    float value = 0;
    widen(ComponentType::f16, std::as_bytes(std::span(&bits, 1)), std::span(&value, 1));
    EXPECT_FALSE(std::isfinite(value));
  }
}

TEST(RowFileSource, NamesTheRowOfNaNAndInfinity) {
  const TempDir folder;
  Rows rows = random_rows(30, 4, kSeed);
  rows[17][2] = std::numeric_limits<float>::quiet_NaN();
  expect_message(read_error(write_file(folder / "x.fvecs", packed<float>(rows, true))),
                 "row 17 holds NaN in component 2");
  rows[17][2] = -std::numeric_limits<float>::infinity();
  expect_message(read_error(write_file(folder / "x.npy", npy_bytes("<f4", shape_of(rows), packed<float>(rows)))),
                 "row 17 holds an infinite");
  // Finite as a double, beyond the range of a float.
  std::string big = packed<double>({{1, 2}, {3, 4}});
  const double huge = 1e300;
  std::memcpy(big.data() + 16, &huge, sizeof huge);
  expect_message(read_error(write_file(folder / "d.npy", npy_bytes("<f8", "(2, 2)", big))), "row 1");
}

TEST(RowFileSource, RefusesAbsurdHeaders) {
  const TempDir folder;
  std::string huge_rows;
  append(huge_rows, 0xFFFFFFFFU);
  append(huge_rows, 65'536U);
  expect_message(read_error(write_file(folder / "rows.fbin", huge_rows + "data")), "4294967295 rows");
  std::string huge_dimension;
  append(huge_dimension, 1U);
  append(huge_dimension, 0x7FFFFFFFU);
  expect_message(read_error(write_file(folder / "dim.u8bin", huge_dimension + "data")), "2147483647 components");
  std::string zero;
  append(zero, 0U);
  expect_message(read_error(write_file(folder / "zero.fvecs", zero + zero)), "0 components");
  const std::string all = "(18446744073709551615, 65536)";
  expect_message(read_error(write_file(folder / "rows.npy", npy_bytes("<f8", all, "0123456789abcdef"))), "truncated");
  std::string long_header = "\x93NUMPY";
  long_header += std::string("\x02\x00", 2);
  append(long_header, 0xFFFFFFF0U);
  expect_message(read_error(write_file(folder / "header.npy", long_header + "{}")), "4294967280 bytes");
}

TEST(RowFileSource, RefusesOtherArrays) {
  const TempDir folder;
  const auto error = [&](const std::string& bytes) { return read_error(write_file(folder / "x.npy", bytes)); };
  expect_message(error("NUMPY is not this"), "does not begin like an npy file");
  expect_message(error(npy_bytes(">f4", "(1, 2)", "01234567")), "astype('<f4')");
  expect_message(error(npy_bytes("<f4", "(1, 2)", "01234567", 1, "True")), "Fortran");
  expect_message(error(npy_bytes("<f4", "(2,)", "01234567")), "reshape");
  expect_message(error(npy_bytes("<f4", "(1, 1, 2)", "01234567")), "3 dimensions");
  expect_message(error(npy_bytes("<f4", "()", "0123")), "0 dimensions");
  expect_message(error(npy_bytes("<f4", "(1, -2)", "01234567")), "malformed");
  expect_message(error(npy_bytes("<f4", "(1, 0)", "")), "0 components");
  expect_message(error(npy_bytes("<f4", "(1, 2)", "01234567", 9)), "version 9");
}

TEST(RowFileSource, RefusesRowsOfOtherLengths) {
  const TempDir folder;
  std::string bytes = packed<float>({{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, true);
  bytes[2 * 16] = 5;
  expect_message(read_error(write_file(folder / "x.fvecs", bytes)), "row 2 says 5 components");
}

TEST(RowFileSource, RefusesWhatIsNoFile) {
  const TempDir folder;
  expect_message(read_error(folder / "missing.npy"), "cannot open");
  std::filesystem::create_directory(folder / "folder.npy");
  expect_message(read_error(folder / "folder.npy"), "no regular file");
  ASSERT_EQ(mkfifo((folder / "pipe.npy").c_str(), 0600), 0);
  expect_message(read_error(folder / "pipe.npy"), "no regular file");
  expect_message(read_error(write_file(folder / "x.csv", "1,2")), "--format");
  SourceOptions options;
  options.format = "csv";
  expect_message(read_error(folder / "x.csv", options), "'csv' is no format");
}

TEST(NpyHeader, ReadsWhatNumpyWrites) {
  const Result<NpyHeader> header =
      parse_npy_header("{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }          \n");
  ASSERT_TRUE(header.ok()) << header.status().to_string();
  EXPECT_EQ(header->descr, "<f4");
  EXPECT_FALSE(header->fortran_order);
  EXPECT_EQ(header->shape[0], 60000U);
  EXPECT_EQ(header->shape[1], 784U);
}

TEST(NpyHeader, RefusesEveryPrefix) {
  const std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 784), }";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse_npy_header(std::string_view(text).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(parse_npy_header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}").ok());
  EXPECT_FALSE(parse_npy_header("{'descr': '<f4', 'shape': (2, 2)}").ok());
}

}  // namespace
}  // namespace holdfast::cli::test
