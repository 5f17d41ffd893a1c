#include "bench/curve.h"

#include <gtest/gtest.h>

#include <cmath>

namespace holdfast::bench {
namespace {

CurvePoint point(std::uint32_t ef, double recall, double qps) {
  CurvePoint made;
  made.ef = ef;
  made.recall = recall;
  made.qps_best = qps;
  made.qps_median = qps / 2;
  return made;
}

TEST(QpsAtRecall, IsLogLinearBetweenTheEnclosingPoints) {
  const std::vector<CurvePoint> curve = {point(10, 0.90, 16'000), point(20, 0.94, 8'000), point(40, 0.98, 2'000)};
  const QpsAtRecall middle = qps_at_recall(curve, 0.96, &CurvePoint::qps_best);
  EXPECT_EQ(middle.reading, Reading::interpolated);
  EXPECT_NEAR(middle.qps, 4'000, 1e-6);  // half-way in recall: the geometric mean
  EXPECT_NEAR(qps_at_recall(curve, 0.96, &CurvePoint::qps_median).qps, 2'000, 1e-6);
  EXPECT_NEAR(qps_at_recall(curve, 0.95, &CurvePoint::qps_best).qps, 8'000 * std::pow(0.25, 0.25), 1e-6);
}

TEST(QpsAtRecall, IsTheMeasurementAtAMeasuredRecall) {
  const std::vector<CurvePoint> curve = {point(10, 0.90, 16'000), point(20, 0.94, 8'000), point(40, 0.98, 2'000)};
  for (const CurvePoint& each : curve) {
    const QpsAtRecall at = qps_at_recall(curve, each.recall, &CurvePoint::qps_best);
    EXPECT_EQ(at.reading, Reading::interpolated);
    EXPECT_NEAR(at.qps, each.qps_best, 1e-6);
  }
}

TEST(QpsAtRecall, DoesNotExtrapolate) {
  const std::vector<CurvePoint> curve = {point(10, 0.96, 9'000), point(20, 0.98, 5'000)};
  EXPECT_EQ(qps_at_recall(curve, 0.99, &CurvePoint::qps_best).reading, Reading::unreached);
  const QpsAtRecall below = qps_at_recall(curve, 0.95, &CurvePoint::qps_best);
  EXPECT_EQ(below.reading, Reading::above);
  EXPECT_EQ(below.qps, 9'000);
  EXPECT_EQ(qps_at_recall({}, 0.5, &CurvePoint::qps_best).reading, Reading::unreached);
}

TEST(QpsAtRecall, TakesTheLastCrossingWhereRecallWobbles) {
  const std::vector<CurvePoint> curve = {point(10, 0.95, 9'000), point(12, 0.94, 8'000), point(20, 0.96, 2'000)};
  EXPECT_NEAR(qps_at_recall(curve, 0.95, &CurvePoint::qps_best).qps, 4'000, 1e-6);
}

TEST(Quantile, IsTheNearestRank) {
  const std::vector<double> sample = {5, 1, 4, 2, 3};
  EXPECT_EQ(quantile(sample, 0), 1);
  EXPECT_EQ(quantile(sample, 0.5), 3);
  EXPECT_EQ(quantile(sample, 0.8), 4);
  EXPECT_EQ(quantile(sample, 0.99), 5);
  EXPECT_EQ(quantile(sample, 1), 5);
  EXPECT_EQ(quantile({7}, 0.99), 7);
}

TEST(Median, IsTheMiddleOrTheMeanOfBoth) {
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({9, 1, 5, 2}), 3.5);
}

}  // namespace
}  // namespace holdfast::bench
