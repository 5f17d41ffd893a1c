#include "bench/load_support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <limits>

namespace holdfast::bench {
namespace {

Hits two_hits() { return {{.id = 1, .distance = 0.5F, .payload = "{}"}, {.id = 2, .distance = 1.5F}}; }

TEST(Identical, SeesEveryKindOfChange) {
  EXPECT_TRUE(identical(two_hits(), two_hits()));
  Hits other = two_hits();
  other[1].id = 3;
  EXPECT_FALSE(identical(two_hits(), other));
  other = two_hits();
  other[0].distance = std::nextafter(0.5F, 1.0F);
  EXPECT_FALSE(identical(two_hits(), other));
  other = two_hits();
  other[0].payload = "{ }";
  EXPECT_FALSE(identical(two_hits(), other));
  other = two_hits();
  other[1].value = 1;
  EXPECT_FALSE(identical(two_hits(), other));
  other = two_hits();
  std::swap(other[0], other[1]);
  EXPECT_FALSE(identical(two_hits(), other));
  other = two_hits();
  other.pop_back();
  EXPECT_FALSE(identical(two_hits(), other));
  other = two_hits();
  other.stopped = Stopped::deadline;
  EXPECT_FALSE(identical(two_hits(), other));
}

TEST(Identical, ComparesBitsOfDistances) {
  Hits zero{{.id = 1, .distance = 0.0F}};
  Hits minus_zero{{.id = 1, .distance = -0.0F}};
  EXPECT_FALSE(identical(zero, minus_zero));
  zero[0].distance = minus_zero[0].distance = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(identical(zero, minus_zero));
}

TEST(Names, FindsIdsOfUpsertsAndErasures) {
  WriteBatch batch;
  EXPECT_FALSE(names(batch, 1));
  batch.upsert(1, std::vector<float>{1, 2});
  batch.erase(2);
  EXPECT_TRUE(names(batch, 1));
  EXPECT_TRUE(names(batch, 2));
  EXPECT_FALSE(names(batch, 3));
}

TEST(LatencyFigures, AreTheNearestRanks) {
  std::vector<double> sample;
  for (int i = 1; i <= 1'000; ++i) sample.push_back(i);
  const LatencyFigures figures = latency_figures(sample);
  EXPECT_EQ(figures.count, 1'000U);
  EXPECT_EQ(figures.p50_us, 500);
  EXPECT_EQ(figures.p99_us, 990);
  EXPECT_EQ(figures.p999_us, 999);
  EXPECT_EQ(figures.max_us, 1'000);
}

TEST(Jitter, StaysWithinItsAmplitudeAndRepeatsBySeed) {
  const std::vector<float> row(64, 10.0F);
  std::vector<float> first;
  std::vector<float> second;
  SeededRandom one(7);
  SeededRandom same(7);
  jitter(row, 0.5F, one, first);
  jitter(row, 0.5F, same, second);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, row);
  for (const float component : first) EXPECT_LE(std::abs(component - 10.0F), 0.5F);
}

TEST(Ticker, CallsUntilItGoes) {
  std::atomic<int> calls{0};
  {
    const Ticker ticker(std::chrono::milliseconds(1), [&] { ++calls; });
    EXPECT_TRUE(wait_until(30, [&] { return calls.load() >= 3; }));
  }
  const int after = calls.load();
  EXPECT_FALSE(wait_until(0.02, [&] { return calls.load() != after; }));
}

}  // namespace
}  // namespace holdfast::bench
