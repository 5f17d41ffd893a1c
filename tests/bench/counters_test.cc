#include "bench/counters.h"

#include <gtest/gtest.h>
#include <linux/perf_event.h>

#include <vector>

namespace holdfast::bench {
namespace {

// Most machines that run this have no hardware counters; those of the kernel take the same way.
constexpr CounterKind kKernels[kCounters] = {
    {"task clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK},
    {"page faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    {"nothing", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY},
};

TEST(Counters, CountFromStartToStop) {
  Counters counters(kKernels);
  if (!counters.available()) GTEST_SKIP() << counters.reason();
  constexpr std::size_t kPages = 1'000;
  counters.start();
  std::vector<char> fresh(kPages * 4096, 'x');
  const Counts counts = counters.stop();
  EXPECT_EQ(fresh.back(), 'x');
  ASSERT_TRUE(counts.counted);
  EXPECT_GT(counts.values[0], 0);
  EXPECT_GE(counts.values[1], 1);
  EXPECT_EQ(counts.values[2], 0);
  counters.start();
  const Counts nothing = counters.stop();
  EXPECT_LT(nothing.values[1], counts.values[1]);
}

TEST(Counters, SayWhichOneIsMissing) {
  constexpr CounterKind kImpossible[kCounters] = {
      {"task clock", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK}, {"wishes", 4'000'000, 0}, {"never asked", 0, 0}};
  Counters counters(kImpossible);
  EXPECT_FALSE(counters.available());
  counters.start();
  EXPECT_FALSE(counters.stop().counted);
}

}  // namespace
}  // namespace holdfast::bench
