// Recall against speed: the points of a curve, and what lies between them.
//
// Two libraries need different beam widths for the same recall, so they are compared at equal recall: between the two
// measured points that enclose it, log QPS is taken as linear in recall. Nothing is extrapolated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace holdfast::bench {

struct CurvePoint {
  std::uint32_t ef = 0;
  double recall = 0;
  double qps_best = 0;
  double qps_median = 0;
  double qps_processor = 0;  ///< per second of processor time: what other programs disturb least
  double qps_batch = 0;      ///< all queries in one call, best turn; 0: the library has no such call
  double qps_top = 0;        ///< the better of qps_best and qps_batch
  double p50_us = 0;         ///< of single calls, as the others
  double p95_us = 0;
  double p99_us = 0;
  double p999_us = 0;
};

/// How a value at a given recall came about.
enum class Reading : std::uint8_t {
  interpolated,  ///< between two measured points
  above,         ///< even the smallest ef has a higher recall: its QPS is the answer, no faster setting was measured
  unreached,     ///< no ef reached the recall: there is no answer
};

struct QpsAtRecall {
  Reading reading = Reading::unreached;
  double qps = 0;
};

/// QPS at `recall`. `points` are in order of ef; where recall wobbles, the last crossing upwards counts, so that every
/// larger ef holds the recall as well. `qps` picks the figure, e.g. &CurvePoint::qps_best.
[[nodiscard]] QpsAtRecall qps_at_recall(std::span<const CurvePoint> points, double recall, double CurvePoint::*qps);

/// The value below which `part` of the sample lies (nearest rank); part in [0, 1]. REQUIRES a sample that is not empty.
[[nodiscard]] double quantile(std::vector<double> sample, double part);
/// Mean of the two middle values if the size is even. REQUIRES a sample that is not empty.
[[nodiscard]] double median(std::vector<double> sample);

}  // namespace holdfast::bench
