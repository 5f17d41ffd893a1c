#include "bench/curve.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace holdfast::bench {

QpsAtRecall qps_at_recall(std::span<const CurvePoint> points, double recall, double CurvePoint::*qps) {
  if (points.empty() || points.back().recall < recall) return {};
  std::size_t above = points.size() - 1;  // first of the points that end the curve at or above the recall
  while (above > 0 && points[above - 1].recall >= recall) --above;
  const CurvePoint& high = points[above];
  if (above == 0) return {high.recall == recall ? Reading::interpolated : Reading::above, high.*qps};
  const CurvePoint& low = points[above - 1];
  const double part = (recall - low.recall) / (high.recall - low.recall);  // low.recall < recall <= high.recall
  return {Reading::interpolated, std::exp(std::log(low.*qps) + part * (std::log(high.*qps) - std::log(low.*qps)))};
}

double quantile(std::vector<double> sample, double part) {
  assert(!sample.empty());
  const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(sample.size())));
  const std::size_t index = std::clamp<std::size_t>(rank, 1, sample.size()) - 1;
  std::nth_element(sample.begin(), sample.begin() + static_cast<std::ptrdiff_t>(index), sample.end());
  return sample[index];
}

double median(std::vector<double> sample) {
  assert(!sample.empty());
  std::sort(sample.begin(), sample.end());
  const std::size_t half = sample.size() / 2;
  return sample.size() % 2 == 1 ? sample[half] : (sample[half - 1] + sample[half]) / 2;
}

}  // namespace holdfast::bench
