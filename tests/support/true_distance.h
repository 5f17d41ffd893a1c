// The distance that the engine has to give, up to rounding: in double precision, straight from the definition.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

#include "holdfast/types.h"

namespace holdfast::testing {

inline double true_distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double dot = 0, aa = 0, bb = 0, squared = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    squared += (x - y) * (x - y);
  }
  switch (metric) {
    case Metric::l2: return squared;
    case Metric::inner_product: return -dot;
    case Metric::cosine: return 1 - dot / std::sqrt(aa * bb);
  }
  return 0;
}

}  // namespace holdfast::testing
