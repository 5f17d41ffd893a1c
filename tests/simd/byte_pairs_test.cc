// T4: distances of two rows of bytes are the exact integers, in every table.
#include <gtest/gtest.h>

#include "base/random.h"
#include "simd/kernel_cases.h"
#include "simd/typed_kernels.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 20240603;

class BytePairsTest : public ::testing::TestWithParam<const BytePairKernels*> {
 protected:
  const BytePairKernels& table_ = *GetParam();

  template <class Byte>
  void check(const BytePairs& pairs, std::span<const Byte> a, const Byte* const rows[4]) {
    float l2[4];
    float dot[4];
    const void* const places[4] = {rows[0], rows[1], rows[2], rows[3]};
    pairs.l2_x4(a.data(), places, a.size(), l2);
    pairs.dot_x4(a.data(), places, a.size(), dot);
    for (std::size_t j = 0; j < 4; ++j) {
      std::int64_t squares = 0;
      std::int64_t products = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        squares += (a[i] - rows[j][i]) * (a[i] - rows[j][i]);
        products += a[i] * rows[j][i];
      }
      ASSERT_EQ(l2[j], static_cast<float>(squares)) << "row " << j;
      ASSERT_EQ(dot[j], static_cast<float>(products)) << "row " << j;
      ASSERT_EQ(pairs.l2(a.data(), rows[j], a.size()), static_cast<float>(squares)) << "row " << j;
      ASSERT_EQ(pairs.dot(a.data(), rows[j], a.size()), static_cast<float>(products)) << "row " << j;
    }
  }

  /// Five rows of random bytes, each at another alignment.
  template <class Byte>
  void check_random(const BytePairs& pairs, std::size_t dim, std::size_t alignment) {
    SCOPED_TRACE("dim " + std::to_string(dim) + ", alignment " + std::to_string(alignment) + ", seed " +
                 std::to_string(kSeed + dim));
    SeededRandom random(kSeed + dim);
    std::vector<Byte> memory(5 * (dim + 65));
    for (auto& byte : memory) byte = static_cast<Byte>(random.below(256));
    const Byte* rows[4];
    for (std::size_t j = 0; j < 4; ++j) rows[j] = memory.data() + (j + 1) * (dim + 65) + (alignment * (j + 1)) % 64;
    check<Byte>(pairs, {memory.data() + alignment, dim}, rows);
  }

  template <class Byte>
  void check_extremes(const BytePairs& pairs, std::size_t dim, Byte least, Byte most) {
    SCOPED_TRACE("dim " + std::to_string(dim));
    const std::vector<Byte> low(dim, least);
    const std::vector<Byte> high(dim, most);
    std::vector<Byte> mixed(dim, least);
    for (std::size_t i = 0; i < dim; i += 2) mixed[i] = most;
    const Byte* const rows[4] = {low.data(), high.data(), mixed.data(), low.data()};
    for (const Byte* row : rows) check<Byte>(pairs, {row, dim}, rows);
  }
};

INSTANTIATE_TEST_SUITE_P(Tables, BytePairsTest,
                         ::testing::ValuesIn(available_byte_pair_kernels().begin(),
                                             available_byte_pair_kernels().end()),
                         [](const auto& table) { return std::string(table.param->name); });

TEST_P(BytePairsTest, IsExactForEveryDimension) {
  std::vector<std::size_t> all = dimensions();
  all.insert(all.end(), {4095, 65'536, kBytePairDimensionMax});
  for (const std::size_t dim : all) {
    check_random<std::int8_t>(table_.i8, dim, 0);
    check_random<std::uint8_t>(table_.u8, dim, 0);
    if (HasFatalFailure()) return;
  }
}

TEST_P(BytePairsTest, IsExactForEveryAlignment) {
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    for (const std::size_t dim : {1, 15, 17, 31, 33, 63, 64, 65, 100, 128}) {
      check_random<std::int8_t>(table_.i8, dim, alignment);
      check_random<std::uint8_t>(table_.u8, dim, alignment);
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(BytePairsTest, IsExactAtTheBounds) {
  static_assert(kBytePairDimensionMax * 255 * 255 <= 0xffff'ffff);
  static_assert((kBytePairDimensionMax + 1) * 255 * 255 > 0xffff'ffff);
  for (const std::size_t dim : {std::size_t{1}, std::size_t{63}, std::size_t{200}, kBytePairDimensionMax}) {
    check_extremes<std::int8_t>(table_.i8, dim, -128, 127);
    check_extremes<std::uint8_t>(table_.u8, dim, 0, 255);
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
