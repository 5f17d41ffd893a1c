// The graph under churn: points are replaced at random many times over, dead ones are vacuumed, and what is left is
// compared with a graph that was built afresh.
#pragma once

#include <cstdint>

namespace holdfast::bench {

struct ChurnPlan {
  std::uint32_t live = 80'000;           ///< points at any time
  std::uint32_t replacements = 300'000;  ///< in all
  double vacuum_at = 0.08;               ///< share of dead nodes at which a vacuum runs
  unsigned threads = 2;
  bool synthetic = false;  ///< even if sift-100k is there
};

/// Prints recall@10 at several ef and the costs. The exit code of the program.
int run_churn(const ChurnPlan& plan);

}  // namespace holdfast::bench
