// P1 and P2: every table makes the same of a query, bit for bit, and touches nothing behind it; and that is right.
#include "simd/query_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 20261122;
constexpr std::int8_t kGuard = 77;

/// Arrays that end where the grid does, so that the sanitizers see what is read behind it.
struct Case {
  Case(std::size_t dim, SeededRandom& random) : query(dim), center(dim), step(dim), inverse_step(dim), zero(dim) {
    for (std::size_t i = 0; i < dim; ++i) {
      query[i] = static_cast<float>(random.unit() * 8 - 4);
      center[i] = static_cast<float>(random.unit() - 0.5);
      step[i] = static_cast<float>(0.01 + random.unit());
      inverse_step[i] = 1 / step[i];
      zero[i] = static_cast<float>(random.below(256));
    }
    scale = static_cast<float>(0.1 + random.unit());
    shift = random.below(2) == 0 ? 0.0F : 1.0F;
  }
  [[nodiscard]] QueryGrid grid() const {
    return {query.data(), center.data(), step.data(), inverse_step.data(), zero.data(), query.size(), scale, shift};
  }
  std::vector<float> query, center, step, inverse_step, zero;
  float scale = 1;
  float shift = 1;
};

struct Made {
  Made(const QueryKernels& kernels, const Case& of) : weights(of.query.size() + 1, kGuard) {
    widest = kernels.widest(of.grid());
    t = widest > 0 ? widest / 127.0F : 1.0F;
    kernels.round(of.grid(), t, weights.data(), sums);
  }
  float widest = 0;
  float t = 1;
  std::vector<std::int8_t> weights;
  QuerySums sums = {};
};

TEST(QueryKernels, EveryTableMakesTheSameBitForBit) {
  SeededRandom random(kSeed);
  for (std::size_t dim = 1; dim <= 200; ++dim) {
    Case one(dim, random);
    if (dim % 10 == 3) one.query[dim / 2] = std::numeric_limits<float>::quiet_NaN();
    if (dim % 10 == 4) one.query[dim / 2] = 1e38F;  // the square overflows
    if (dim % 10 == 5) one.query.assign(dim, 0.0F);
    const Made expected(*available_query_kernels().front(), one);
    for (const QueryKernels* kernels : available_query_kernels()) {
      SCOPED_TRACE(std::string(kernels->name) + ", dimension " + std::to_string(dim));
      const Made made(*kernels, one);
      EXPECT_EQ(expected.widest, made.widest);
      EXPECT_EQ(expected.weights, made.weights);
      if (dim % 10 == 3) continue;  // sums that are no numbers may be so in different ways
      EXPECT_EQ(0, std::memcmp(&expected.sums, &made.sums, sizeof made.sums));
      EXPECT_EQ(kGuard, made.weights.back());
    }
  }
}

TEST(QueryKernels, WeightsAndSumsAreWhatTheyShouldBe) {
  SeededRandom random(kSeed);
  for (const std::size_t dim : {1U, 15U, 16U, 17U, 64U, 100U, 960U}) {
    const Case one(dim, random);
    const Made made(query_kernels(), one);
    double zeros = 0;
    double norm = 0;
    double error = 0;
    double offset = 0;
    double widest = 0;
    for (std::size_t i = 0; i < dim; ++i) {
      const auto as_double = [](float x) { return static_cast<double>(x); };
      const double component =
          as_double(one.query[i]) * as_double(one.scale) - as_double(one.center[i]) * as_double(one.shift);
      const double wanted = component * as_double(one.step[i]);
      widest = std::max(widest, std::abs(wanted));
      EXPECT_NEAR(wanted / as_double(made.t), made.weights[i], 0.51) << "component " << i << " of " << dim;
      const double stands_for = made.weights[i] * as_double(made.t) / as_double(one.step[i]);
      zeros += as_double(one.zero[i]) * made.weights[i];
      norm += stands_for * stands_for;
      error += (stands_for - component) * (stands_for - component);
      offset += as_double(one.center[i]) * as_double(one.query[i]);
    }
    const auto sum_of = [](const float(&lanes)[kQueryLanes]) {
      double sum = 0;
      for (const float lane : lanes) sum += static_cast<double>(lane);
      return sum;
    };
    EXPECT_NEAR(widest, static_cast<double>(made.widest), widest * 1e-5);
    EXPECT_EQ(zeros, sum_of(made.sums.zeros));
    EXPECT_NEAR(norm, sum_of(made.sums.norms), norm * 1e-4);
    EXPECT_NEAR(error, sum_of(made.sums.errors), error * 1e-3 + 1e-4);
    EXPECT_NEAR(offset, sum_of(made.sums.offsets), 1e-3 * static_cast<double>(dim));
  }
}

}  // namespace
}  // namespace holdfast::simd::testing
