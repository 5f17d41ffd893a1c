// How long a distance takes: every table of this machine, one vector at a time and four, from L1, L2 and memory, beside
// the time in which a loop of plain loads reads the same bytes (the machine's limit).
//
//   kernels_bench                                     the whole table
//   kernels_bench --benchmark_filter='L2/.*/(128|784)/'   part of it
//
// A pass visits all vectors of a working set in order, as exact search does. Figures are processor time, the best of
// several repetitions: other programs only ever make it worse.
#include <benchmark/benchmark.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "simd/kernels.h"

namespace {

using holdfast::simd::available_kernels;
using holdfast::simd::Kernels;

struct Level {
  const char* name;
  std::size_t bytes;
};
constexpr Level kLevels[] = {{"L1", 24u << 10}, {"L2", 1u << 20}, {"memory", 512u << 20}};
constexpr int kDimensions[] = {25, 128, 300, 784, 960};
constexpr std::size_t kDimensionMax = 960;
constexpr std::size_t kLineFloats = 16;

/// Random components for the largest working set; smaller ones are its beginning. Starts on a cache line.
const float* components() {
  static const std::vector<float> all = [] {
    std::vector<float> made(kLevels[2].bytes / sizeof(float) + kLineFloats);
    holdfast::SeededRandom random(1);
    for (float& component : made) component = static_cast<float>(random.next() >> 40) * 0x1.0p-24f;
    return made;
  }();
  const auto address = reinterpret_cast<std::uintptr_t>(all.data());
  return all.data() + (64 - address % 64) % 64 / sizeof(float);
}

/// A multiple of four.
std::size_t vectors_in(const Level& level, std::size_t dim) { return level.bytes / sizeof(float) / dim / 4 * 4; }

using Single = float (*)(const float*, const float*, std::size_t) noexcept;
using Four = void (*)(const float*, const float* const[4], std::size_t, float[4]) noexcept;

void run_single(benchmark::State& state, Single distance, const Level& level, std::size_t dim) {
  const float* const first = components();
  const std::size_t count = vectors_in(level, dim);
  alignas(64) float query[kDimensionMax];  // a search aligns its query once
  std::copy_n(first, dim, query);
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i) benchmark::DoNotOptimize(distance(query, first + i * dim, dim));
  }
  state.counters["distances"] = static_cast<double>(count);
}

void run_four(benchmark::State& state, Four distance, const Level& level, std::size_t dim) {
  const float* const first = components();
  const std::size_t count = vectors_in(level, dim);
  alignas(64) float query[kDimensionMax];  // a search aligns its query once
  std::copy_n(first, dim, query);
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; i += 4) {
      const float* const at = first + i * dim;
      const float* const vectors[4] = {at, at + dim, at + 2 * dim, at + 3 * dim};
      float out[4];
      distance(query, vectors, dim, out);
      benchmark::DoNotOptimize(out);
    }
  }
  state.counters["distances"] = static_cast<double>(count);
}

// The limit: aligned loads into the widest registers there are, four streams as in x4, nothing computed but one XOR.
#if defined(__x86_64__)
__attribute__((target("avx512f"))) void read_avx512(const char* from, std::size_t bytes) {
  __m512i sums[8] = {};
  const std::size_t quarter = bytes / 4;
  for (std::size_t i = 0; i + 128 <= quarter; i += 128) {
    for (std::size_t k = 0; k < 8; ++k) {
      sums[k] = _mm512_xor_si512(sums[k], _mm512_load_si512(from + k / 2 * quarter + i + k % 2 * 64));
    }
  }
  __m512i all = sums[0];  // the array itself must not be shown, or it would live in memory
  for (std::size_t k = 1; k < 8; ++k) all = _mm512_xor_si512(all, sums[k]);
  benchmark::DoNotOptimize(all);
}
__attribute__((target("avx2"))) void read_avx2(const char* from, std::size_t bytes) {
  __m256i sums[8] = {};
  const std::size_t quarter = bytes / 4;
  for (std::size_t i = 0; i + 64 <= quarter; i += 64) {
    for (std::size_t k = 0; k < 8; ++k) {
      const auto* at = reinterpret_cast<const __m256i*>(from + k / 2 * quarter + i + k % 2 * 32);
      sums[k] = _mm256_xor_si256(sums[k], _mm256_load_si256(at));
    }
  }
  __m256i all = sums[0];  // the array itself must not be shown, or it would live in memory
  for (std::size_t k = 1; k < 8; ++k) all = _mm256_xor_si256(all, sums[k]);
  benchmark::DoNotOptimize(all);
}
#endif
void read_plain(const char* from, std::size_t bytes) {
  const auto* const words = reinterpret_cast<const std::uint32_t*>(from);
  std::uint32_t sums[16] = {};
  for (std::size_t i = 0; i + 16 <= bytes / sizeof(std::uint32_t); i += 16) {
    for (std::size_t k = 0; k < 16; ++k) sums[k] ^= words[i + k];
  }
  std::uint32_t all = 0;
  for (const std::uint32_t sum : sums) all ^= sum;
  benchmark::DoNotOptimize(all);
}

void run_read(benchmark::State& state, const Level& level) {
  auto* read = read_plain;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    read = read_avx512;
  } else if (__builtin_cpu_supports("avx2")) {
    read = read_avx2;
  }
#endif
  const char* const from = reinterpret_cast<const char*>(components());
  for (auto _ : state) {
    read(from, level.bytes);
    benchmark::ClobberMemory();
  }
  state.counters["distances"] = static_cast<double>(level.bytes) / sizeof(float);  // one component each
}

/// Collects the best time of each benchmark and prints one line per level, distance and dimension.
class TableReporter : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override {
    PrintBasicContext(&GetErrorStream(), context);
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const double ns = run.GetAdjustedCPUTime() / run.counters.at("distances").value;
      const auto [place, added] = best_ns_.try_emplace(run.run_name.function_name, ns);
      if (!added && ns < place->second) place->second = ns;
    }
  }
  void Finalize() override {
    std::printf("ns per distance; \"read\": plain loads of as many bytes; GB/s: the last table, four at once\n\n");
    std::printf("%-7s %-4s %5s", "from", "", "dim");
    for (const Kernels* table : available_kernels()) std::printf(" | %7s      x4", table->name);
    std::printf(" |    read |  GB/s (read)\n");
    for (const Level& level : kLevels) {
      for (const char* op : {"l2", "dot"}) {
        for (const int dim : kDimensions) print_line(level, op, dim);
      }
    }
  }

 private:
  void print_line(const Level& level, const std::string& op, int dim) const {
    const std::string prefix = std::string(level.name) + "/" + op + "/" + std::to_string(dim) + "/";
    const auto first = best_ns_.lower_bound(prefix);
    if (first == best_ns_.end() || !first->first.starts_with(prefix)) return;  // filtered out
    std::printf("%-7s %-4s %5d", level.name, op.c_str(), dim);
    for (const Kernels* table : available_kernels()) {
      std::printf(" | ");
      print_ns(best(prefix + table->name + "/single"));
      std::printf(" ");
      print_ns(best(prefix + table->name + "/x4"));
    }
    const double bytes = dim * static_cast<double>(sizeof(float));
    const double read_ns = best(std::string(level.name) + "/read") * dim;
    const double four_ns = best(prefix + available_kernels().back()->name + "/x4");
    std::printf(" | ");
    print_ns(read_ns);
    if (read_ns > 0 && four_ns > 0) std::printf(" | %5.1f (%5.1f)", bytes / four_ns, bytes / read_ns);
    std::printf("\n");
  }
  static void print_ns(double ns) {
    if (ns > 0) {
      std::printf("%7.1f", ns);
    } else {
      std::printf("%7s", "-");  // filtered out
    }
  }
  [[nodiscard]] double best(const std::string& name) const {
    const auto found = best_ns_.find(name);
    return found == best_ns_.end() ? 0 : found->second;
  }

  std::map<std::string, double> best_ns_;
};

template <class Body>
void add(const std::string& name, Body body) {
  benchmark::RegisterBenchmark(name.c_str(), body)->MinTime(0.02)->Repetitions(5);
}

void add_all() {
  for (const Level& level : kLevels) {
    const std::string level_name = level.name;
    add(level_name + "/read", [&level](benchmark::State& state) { run_read(state, level); });
    for (const int dim : kDimensions) {
      for (const Kernels* table : available_kernels()) {
        const std::string tail = "/" + std::to_string(dim) + "/" + table->name;
        const auto single = [&](const char* op, Single distance) {
          add(level_name + op + tail + "/single",
              [&level, distance, dim](benchmark::State& state) { run_single(state, distance, level, dim); });
        };
        const auto four = [&](const char* op, Four distance) {
          add(level_name + op + tail + "/x4",
              [&level, distance, dim](benchmark::State& state) { run_four(state, distance, level, dim); });
        };
        single("/l2", table->l2);
        four("/l2", table->l2_x4);
        single("/dot", table->dot);
        four("/dot", table->dot_x4);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  add_all();
  TableReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
