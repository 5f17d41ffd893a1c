#include "bench/series.h"

#include <algorithm>
#include <cassert>

namespace holdfast::bench {

namespace {

constexpr std::uint32_t kBeams[] = {10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 160, 200, 300, 400};

}  // namespace

std::span<const std::uint32_t> beams() { return kBeams; }

Series::Series(std::string name) : name_(std::move(name)), points_(std::size(kBeams)), turns_(std::size(kBeams)) {}

void Series::add(std::size_t beam, const Turn& turn, const Neighbors& nearest) {
  CurvePoint& point = points_[beam];
  point.ef = kBeams[beam];
  point.recall = recall(nearest, turn.found, kNearest);
  point.qps_batch = std::max(point.qps_batch, turn.batch_qps);
  Turns& all = turns_[beam];
  all.qps.push_back(static_cast<double>(turn.latency_us.size()) / turn.seconds);
  all.latency_us.insert(all.latency_us.end(), turn.latency_us.begin(), turn.latency_us.end());
  all.processor_s += turn.processor_s;
  all.counts += turn.counts;
}

void Series::summarise() {
  for (std::size_t beam = 0; beam < points_.size(); ++beam) {
    CurvePoint& point = points_[beam];
    const Turns& all = turns_[beam];
    point.qps_best = *std::max_element(all.qps.begin(), all.qps.end());
    point.qps_median = median(all.qps);
    point.qps_processor = static_cast<double>(all.latency_us.size()) / all.processor_s;
    point.qps_top = std::max(point.qps_best, point.qps_batch);
    point.p50_us = quantile(all.latency_us, 0.50);
    point.p95_us = quantile(all.latency_us, 0.95);
    point.p99_us = quantile(all.latency_us, 0.99);
    point.p999_us = quantile(all.latency_us, 0.999);
  }
}

Counts Series::counts_per_query(std::size_t beam) const {
  Counts counts = turns_[beam].counts;
  for (double& value : counts.values) value /= static_cast<double>(turns_[beam].latency_us.size());
  return counts;
}

const CurvePoint* Series::first_with(double recall) const {
  const CurvePoint* first = nullptr;
  for (auto point = points_.rbegin(); point != points_.rend() && point->recall >= recall; ++point) first = &*point;
  return first;
}

const CurvePoint& Series::at_ef(std::uint32_t ef) const {
  const auto found = std::find(std::begin(kBeams), std::end(kBeams), ef);
  assert(found != std::end(kBeams));
  return points_[static_cast<std::size_t>(found - std::begin(kBeams))];
}

nlohmann::json Series::json() const {
  nlohmann::json all;
  for (const CurvePoint& point : points_) {
    all.push_back({{"ef", point.ef},
                   {"recall", point.recall},
                   {"qps_best", point.qps_best},
                   {"qps_median", point.qps_median},
                   {"qps_processor", point.qps_processor},
                   {"qps_batch", point.qps_batch},
                   {"p50_us", point.p50_us},
                   {"p95_us", point.p95_us},
                   {"p99_us", point.p99_us},
                   {"p999_us", point.p999_us}});
  }
  return all;
}

}  // namespace holdfast::bench
