#include "bench/series.h"

#include <gtest/gtest.h>

namespace holdfast::bench {
namespace {

/// Two queries, of whose ten nearest each turn finds `hits` and ten.
Turn turn_with(std::uint32_t hits, double seconds, double batch_qps) {
  Turn turn;
  for (std::uint32_t i = 0; i < kNearest; ++i) turn.found.push_back(i < hits ? i : 99);
  for (std::uint32_t i = 0; i < kNearest; ++i) turn.found.push_back(10 + i);
  turn.latency_us = {1, 2, 3, 10};
  turn.seconds = seconds;
  turn.processor_s = 2;
  turn.batch_qps = batch_qps;
  return turn;
}

Neighbors two_queries() {
  Neighbors nearest{2, kNearest, {}};
  for (std::uint32_t i = 0; i < 2 * kNearest; ++i) nearest.rows.push_back(i);
  return nearest;
}

TEST(Series, KeepsTheBestAndTheMedianOfItsTurns) {
  Series series("some");
  for (std::size_t beam = 0; beam < beams().size(); ++beam) {
    series.add(beam, turn_with(8, 1.0, 5), two_queries());
    series.add(beam, turn_with(8, 0.5, 3), two_queries());
  }
  series.summarise();
  const CurvePoint& point = series.at_ef(100);
  EXPECT_EQ(point.ef, 100u);
  EXPECT_DOUBLE_EQ(point.recall, 0.9);
  EXPECT_DOUBLE_EQ(point.qps_best, 8);
  EXPECT_DOUBLE_EQ(point.qps_median, 6);
  EXPECT_DOUBLE_EQ(point.qps_processor, 2);
  EXPECT_DOUBLE_EQ(point.qps_batch, 5);
  EXPECT_DOUBLE_EQ(point.qps_top, 8);
  EXPECT_DOUBLE_EQ(point.p50_us, 2);
  EXPECT_DOUBLE_EQ(point.p999_us, 10);
}

TEST(Series, FindsTheBeamFromWhichOnARecallHolds) {
  Series series("some");
  for (std::size_t beam = 0; beam < beams().size(); ++beam) {
    const bool high = beam == 1 || beam >= 5;  // a lucky one does not count
    series.add(beam, turn_with(high ? 10 : 6, 1.0, 0), two_queries());
  }
  series.summarise();
  ASSERT_NE(series.first_with(0.95), nullptr);
  EXPECT_EQ(series.first_with(0.95)->ef, beams()[5]);
  EXPECT_EQ(series.first_with(0.5)->ef, beams()[0]);
  EXPECT_EQ(series.first_with(1.01), nullptr);
}

}  // namespace
}  // namespace holdfast::bench
