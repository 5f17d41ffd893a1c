// K2: nothing outside of the `dim` components is read. Three ways to notice: pages that may not be read before and
// behind the vectors (works in every build), heap blocks of the exact size (for AddressSanitizer), and neighbors whose
// value would show.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "simd/guarded_room.h"
#include "simd/kernel_cases.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 7;

class KernelBoundsTest : public ::testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& table_ = *GetParam();
};

std::string table_name(const ::testing::TestParamInfo<const Kernels*>& table) { return table.param->name; }

INSTANTIATE_TEST_SUITE_P(Tables, KernelBoundsTest,
                         ::testing::ValuesIn(available_kernels().begin(), available_kernels().end()), table_name);

TEST_P(KernelBoundsTest, ReadsNothingBeyondGuardPages) {
  constexpr std::size_t kBytes = 1280 * sizeof(float);
  GuardedRoom rooms[5] = {GuardedRoom(kBytes), GuardedRoom(kBytes), GuardedRoom(kBytes), GuardedRoom(kBytes),
                          GuardedRoom(kBytes)};
  for (const auto& room : rooms) ASSERT_TRUE(room.usable());
  for (const std::size_t dim : dimensions()) {
    SeededRandom random(kSeed + dim);
    std::vector<float> vectors[5];
    for (auto& vector : vectors) {
      vector.resize(dim);
      fill(vector, Pattern::uniform, random);
    }
    for (const bool at_end : {false, true}) {
      const float* placed[5];
      for (std::size_t i = 0; i < 5; ++i) placed[i] = rooms[i].put<float>(vectors[i], at_end);
      float l2[4];
      float dot[4];
      table_.l2_x4(placed[4], placed, dim, l2);
      table_.dot_x4(placed[4], placed, dim, dot);
      for (std::size_t i = 0; i < 4; ++i) {
        ASSERT_EQ(bits(table_.l2(placed[4], placed[i], dim)), bits(l2[i])) << "dim " << dim;
        ASSERT_EQ(bits(table_.dot(placed[4], placed[i], dim)), bits(dot[i])) << "dim " << dim;
        ASSERT_EQ(bits(table_.l2(vectors[4].data(), vectors[i].data(), dim)), bits(l2[i])) << "dim " << dim;
      }
    }
  }
}

TEST_P(KernelBoundsTest, ReadsNothingBeyondHeapBlocks) {
  for (const std::size_t dim : dimensions()) {
    SeededRandom random(kSeed + dim);
    std::unique_ptr<float[]> blocks[5];
    for (auto& block : blocks) {
      block = std::make_unique<float[]>(dim);
      fill({block.get(), dim}, Pattern::uniform, random);
    }
    const float* const vectors[4] = {blocks[0].get(), blocks[1].get(), blocks[2].get(), blocks[3].get()};
    float l2[4];
    float dot[4];
    table_.l2_x4(blocks[4].get(), vectors, dim, l2);
    table_.dot_x4(blocks[4].get(), vectors, dim, dot);
    for (std::size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(bits(table_.l2(blocks[4].get(), vectors[i], dim)), bits(l2[i])) << "dim " << dim;
      ASSERT_EQ(bits(table_.dot(blocks[4].get(), vectors[i], dim)), bits(dot[i])) << "dim " << dim;
    }
  }
}

TEST_P(KernelBoundsTest, IsNotTouchedByNeighbors) {
  constexpr std::size_t kMargin = 64;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t dim : dimensions()) {
    SeededRandom random(kSeed + dim);
    std::vector<float> a(dim + 2 * kMargin, nan);
    std::vector<float> b(dim + 2 * kMargin, nan);
    fill({a.data() + kMargin, dim}, Pattern::uniform, random);
    fill({b.data() + kMargin, dim}, Pattern::uniform, random);
    const float* const x = b.data() + kMargin;
    const float* const vectors[4] = {x, x, x, x};
    float out[4];
    table_.dot_x4(a.data() + kMargin, vectors, dim, out);
    ASSERT_FALSE(std::isnan(table_.l2(a.data() + kMargin, x, dim))) << "dim " << dim;
    ASSERT_FALSE(std::isnan(table_.dot(a.data() + kMargin, x, dim))) << "dim " << dim;
    for (const float value : out) ASSERT_FALSE(std::isnan(value)) << "dim " << dim;
  }
}

TEST_P(KernelBoundsTest, WritesFourResultsOnly) {
  const std::vector<float> vector(37, 1.0f);
  const float* const vectors[4] = {vector.data(), vector.data(), vector.data(), vector.data()};
  float out[6] = {-7, 0, 0, 0, 0, -7};
  table_.l2_x4(vector.data(), vectors, vector.size(), out + 1);
  table_.dot_x4(vector.data(), vectors, vector.size(), out + 1);
  EXPECT_EQ(out[0], -7.0f);
  EXPECT_EQ(out[5], -7.0f);
}

}  // namespace
}  // namespace holdfast::simd::testing
