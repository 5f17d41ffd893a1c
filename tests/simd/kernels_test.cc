// Every table of this machine: against a reference in double precision, and against itself (K1).
#include <gtest/gtest.h>

#include <string>

#include "simd/kernel_cases.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 20240229;

std::string table_name(const ::testing::TestParamInfo<const Kernels*>& table) { return table.param->name; }

class KernelsTest : public ::testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& table_ = *GetParam();
};

INSTANTIATE_TEST_SUITE_P(Tables, KernelsTest,
                         ::testing::ValuesIn(available_kernels().begin(), available_kernels().end()), table_name);

/// A query and four vectors of one pattern.
struct Five {
  Five(std::size_t dim, Pattern pattern, std::uint64_t seed) : query(dim) {
    SeededRandom random(seed);
    fill(query, pattern, random);
    for (auto& vector : vectors) {
      vector.resize(dim);
      fill(vector, pattern, random);
    }
  }
  std::vector<float> query;
  std::array<std::vector<float>, 4> vectors;
};

std::string describe(std::size_t dim, Pattern pattern, std::uint64_t seed) {
  return "dim " + std::to_string(dim) + ", pattern " + std::string(to_string(pattern)) + ", seed " +
         std::to_string(seed);
}

TEST_P(KernelsTest, IsWithinTheErrorBoundOfDoublePrecision) {
  for (const Pattern pattern : kPatterns) {
    if (pattern == Pattern::huge) continue;  // see OverflowsToInfinity
    for (const std::size_t dim : dimensions()) {
      SCOPED_TRACE(describe(dim, pattern, kSeed + dim));
      const Five five(dim, pattern, kSeed + dim);
      for (const auto& vector : five.vectors) {
        const Reference l2 = reference(five.query, vector, true);
        ASSERT_NEAR(table_.l2(five.query.data(), vector.data(), dim), l2.exact, l2.tolerance);
        const Reference dot = reference(five.query, vector, false);
        ASSERT_NEAR(table_.dot(five.query.data(), vector.data(), dim), dot.exact, dot.tolerance);
      }
    }
  }
}

TEST_P(KernelsTest, IsExactForBytes) {
  // Sums of whole numbers below 2^24 have no rounding: every table gives the same bits as scalar.
  for (const std::size_t dim : dimensions()) {
    if (dim > 256) continue;  // 256 * 255^2 < 2^24
    const Five five(dim, Pattern::bytes, kSeed + dim);
    const float* const a = five.query.data();
    const float* const b = five.vectors[0].data();
    ASSERT_EQ(bits(table_.l2(a, b, dim)), bits(available_kernels()[0]->l2(a, b, dim))) << "dim " << dim;
    ASSERT_EQ(bits(table_.dot(a, b, dim)), bits(available_kernels()[0]->dot(a, b, dim))) << "dim " << dim;
  }
}

TEST_P(KernelsTest, CountsEveryComponentOnce) {
  // A rounding bound can hide a tail that is dropped; a unit vector cannot.
  for (const std::size_t dim : dimensions()) {
    std::vector<float> unit(dim);
    std::vector<float> zero(dim);
    std::vector<float> ramp(dim);
    for (std::size_t i = 0; i < dim; ++i) ramp[i] = static_cast<float>(i + 1);
    for (std::size_t i = 0; i < dim; ++i) {
      unit[i] = 2;
      const float* const vectors[4] = {zero.data(), unit.data(), zero.data(), ramp.data()};
      float out[4] = {};
      ASSERT_EQ(table_.l2(unit.data(), zero.data(), dim), 4.0f) << "dim " << dim << ", component " << i;
      ASSERT_EQ(table_.dot(unit.data(), ramp.data(), dim), 2 * ramp[i]) << "dim " << dim << ", component " << i;
      table_.l2_x4(unit.data(), vectors, dim, out);
      ASSERT_EQ(out[0], 4.0f) << "dim " << dim << ", component " << i;
      ASSERT_EQ(out[1], 0.0f) << "dim " << dim << ", component " << i;
      table_.dot_x4(unit.data(), vectors, dim, out);
      ASSERT_EQ(out[1], 4.0f) << "dim " << dim << ", component " << i;
      ASSERT_EQ(out[3], 2 * ramp[i]) << "dim " << dim << ", component " << i;
      unit[i] = 0;
    }
  }
}

TEST_P(KernelsTest, SingleAndFourAtOnceAgreeBitForBit) {
  for (const Pattern pattern : kPatterns) {
    for (const std::size_t dim : dimensions()) {
      for (std::uint64_t round = 0; round < 4; ++round) {
        const std::uint64_t seed = kSeed + dim * 1000 + round;
        SCOPED_TRACE(describe(dim, pattern, seed));
        const Five five(dim, pattern, seed);
        const float* const query = five.query.data();
        // Each vector visits each lane; in the last turn one vector is in all of them.
        for (std::size_t turn = 0; turn < 5; ++turn) {
          const float* vectors[4];
          for (std::size_t lane = 0; lane < 4; ++lane) {
            vectors[lane] = five.vectors[turn == 4 ? 0 : (lane + turn) % 4].data();
          }
          float l2[4];
          float dot[4];
          table_.l2_x4(query, vectors, dim, l2);
          table_.dot_x4(query, vectors, dim, dot);
          for (std::size_t lane = 0; lane < 4; ++lane) {
            ASSERT_EQ(bits(l2[lane]), bits(table_.l2(query, vectors[lane], dim))) << "lane " << lane;
            ASSERT_EQ(bits(dot[lane]), bits(table_.dot(query, vectors[lane], dim))) << "lane " << lane;
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, IsSymmetric) {
  for (const Pattern pattern : kPatterns) {
    for (const std::size_t dim : dimensions()) {
      SCOPED_TRACE(describe(dim, pattern, kSeed + dim));
      const Five five(dim, pattern, kSeed + dim);
      const float* const a = five.query.data();
      const float* const b = five.vectors[0].data();
      ASSERT_EQ(bits(table_.l2(a, b, dim)), bits(table_.l2(b, a, dim)));
      ASSERT_EQ(bits(table_.dot(a, b, dim)), bits(table_.dot(b, a, dim)));
    }
  }
}

TEST_P(KernelsTest, DoesNotDependOnAlignment) {
  constexpr std::size_t kOffsets = 16;
  for (const std::size_t dim : dimensions()) {
    SCOPED_TRACE(describe(dim, Pattern::magnitudes, kSeed + dim));
    const Five five(dim, Pattern::magnitudes, kSeed + dim);
    const float l2 = table_.l2(five.query.data(), five.vectors[0].data(), dim);
    const float dot = table_.dot(five.query.data(), five.vectors[0].data(), dim);
    std::vector<float> a_room(dim + kOffsets);
    std::vector<float> b_room(dim + kOffsets);
    for (std::size_t offset = 0; offset < kOffsets; ++offset) {
      float* const a = a_room.data() + offset;
      float* const b = b_room.data() + (offset * 7 + 3) % kOffsets;
      std::ranges::copy(five.query, a);
      std::ranges::copy(five.vectors[0], b);
      ASSERT_EQ(bits(table_.l2(a, b, dim)), bits(l2)) << "offset " << offset;
      ASSERT_EQ(bits(table_.dot(a, b, dim)), bits(dot)) << "offset " << offset;
      const float* const vectors[4] = {b, b, b, b};
      float out[4];
      table_.l2_x4(a, vectors, dim, out);
      ASSERT_EQ(bits(out[offset % 4]), bits(l2)) << "offset " << offset;
    }
  }
}

TEST_P(KernelsTest, DistanceToItselfIsZero) {
  for (const Pattern pattern : kPatterns) {
    for (const std::size_t dim : dimensions()) {
      const Five five(dim, pattern, kSeed + dim);
      const float* const q = five.query.data();
      const float* const vectors[4] = {q, q, q, q};
      float out[4];
      table_.l2_x4(q, vectors, dim, out);
      ASSERT_EQ(table_.l2(q, q, dim), 0.0f) << describe(dim, pattern, kSeed + dim);
      for (const float distance : out) ASSERT_EQ(distance, 0.0f) << describe(dim, pattern, kSeed + dim);
    }
  }
}

TEST_P(KernelsTest, OverflowsToInfinity) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::size_t dim : dimensions()) {
    if (dim == 0) continue;
    const std::vector<float> a(dim, std::numeric_limits<float>::max());
    const std::vector<float> b(dim, std::numeric_limits<float>::lowest());
    ASSERT_EQ(table_.l2(a.data(), b.data(), dim), kInfinity) << "dim " << dim;
    ASSERT_EQ(table_.dot(a.data(), a.data(), dim), kInfinity) << "dim " << dim;
    ASSERT_EQ(table_.dot(a.data(), b.data(), dim), -kInfinity) << "dim " << dim;
  }
}

TEST_P(KernelsTest, KeepsDenormalNumbers) {
  // Flushing them to zero would make the result depend on a mode of the calling thread.
  const float tiny = std::numeric_limits<float>::denorm_min();
  for (const std::size_t dim : {1, 16, 17, 131}) {
    const std::vector<float> a(dim, tiny);
    const std::vector<float> one(dim, 1.0f);
    ASSERT_EQ(table_.dot(a.data(), one.data(), dim), static_cast<float>(dim) * tiny) << "dim " << dim;
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
