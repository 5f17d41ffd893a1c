// How long a distance takes: every kernel in every instruction set of this machine, over rows that lie in L1, in L2 and
// in memory, one after the other (as exact search reads them) and in random order (as graph search does), beside the
// machine's limit: plain loads of the same rows in the same order.
//
//   kernels_bench                     everything, about five minutes
//   kernels_bench --filter codes --dim 128 --dim 784     part of it
//   kernels_bench --quick             a few dimensions, short turns
//
// Figures are processor time, the best of several turns, which kernels and limit take one after the other: other
// programs only ever make it worse. A turn in memory reads another part of the rows each time, so that nothing comes
// from the cache because it was just there. Prefetching is left to the processor, for the limit as well.
#include <sys/mman.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "base/random.h"
#include "bench/kernel_list.h"
#include "bench/machine.h"
#include "bench/report.h"

namespace holdfast::bench {

namespace {

struct Arguments {
  std::string filter;
  std::vector<std::size_t> dims = {25, 128, 300, 784, 960};
  std::filesystem::path out;
  std::uint32_t turns = 5;
  double turn_ms = 4;
  std::size_t memory_mb = 512;
  bool huge_pages = false;
  bool quick = false;
};

struct Level {
  const char* name;
  std::size_t bytes;
};

/// Bytes to read from. Whether they are read as f32, as f16 or as bf16, every component lies in [1, 2): subnormal ones
/// would take the processor many times as long.
class Room {
 public:
  Room(std::size_t bytes, bool huge_pages) : bytes_(bytes + kReadSlack) {
    void* const at = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) fail("no memory for the rows");
    if (huge_pages && ::madvise(at, bytes_, MADV_HUGEPAGE) != 0) fail("no huge pages here");
    begin_ = static_cast<std::byte*>(at);
    SeededRandom random(1);
    for (std::size_t i = 0; i + 8 <= bytes_; i += 8) {
      const std::uint64_t word = (random.next() & 0x007f007f'007f007fu) | 0x3f803f80'3f803f80u;
      std::memcpy(begin_ + i, &word, 8);
    }
  }
  ~Room() { ::munmap(begin_, bytes_); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  /// Where the rows of a working set begin.
  [[nodiscard]] std::vector<const std::byte*> rows(std::size_t set_bytes, std::size_t stride, bool random) const {
    std::vector<const std::byte*> all(std::max<std::size_t>(8, set_bytes / stride / 8 * 8));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = begin_ + i * stride;
    if (random) {
      SeededRandom shuffle(3);
      for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[shuffle.below(i)]);
    }
    return all;
  }

 private:
  std::size_t bytes_;
  std::byte* begin_ = nullptr;
};

/// Turns over the rows of one working set.
class Turns {
 public:
  Turns(std::vector<const std::byte*> rows, double turn_ms) : rows_(std::move(rows)), turn_s_(turn_ms / 1e3) {}

  /// Nanoseconds per row in one turn; `part` of the rows at a time, beginning where the last turn ended.
  double take(const ScoreRows& score) {
    constexpr std::size_t kPart = 4'096;
    const double begin = thread_processor_seconds();
    double now = begin;
    std::size_t scored = 0;
    while (now - begin < turn_s_) {
      if (at_ == rows_.size()) at_ = 0;
      const std::size_t count = std::min(kPart, rows_.size() - at_);
      const auto part = std::span(rows_).subspan(at_, count);
      // Where the working set is small the clock would weigh more than the distances.
      const std::size_t passes = std::max<std::size_t>(1, kPart / count);
      for (std::size_t pass = 0; pass < passes; ++pass) score(part);
      at_ += count;
      scored += count * passes;
      now = thread_processor_seconds();
    }
    return (now - begin) * 1e9 / static_cast<double>(scored);
  }

 private:
  std::vector<const std::byte*> rows_;
  double turn_s_;
  std::size_t at_ = 0;
};

class Bench {
 public:
  explicit Bench(const Arguments& arguments)
      : arguments_(arguments),
        levels_{{"L1", 24u << 10}, {"L2", 1u << 20}, {"memory", arguments.memory_mb << 20}},
        room_(levels_[2].bytes, arguments.huge_pages),
        cases_(kernel_cases(arguments.dims)) {
    std::erase_if(cases_, [&](const KernelCase& one) { return one.kind.find(arguments.filter) == std::string::npos; });
    if (arguments.out.empty()) return;
    std::filesystem::create_directories(arguments.out);
    csv_.open(arguments.out / "kernels.csv");
    csv_ << "level,order,kind,dim,row_bytes,table,ns,gb_per_s,limit_ns,limit_gb_per_s,percent_of_limit\n";
  }

  void run() {
    std::printf(
        "ns per distance by instruction set; GB/s of the last one; the limit: plain loads of the same rows;"
        " per cent of the limit\n");
    for (const Level& level : levels_) {
      for (const bool random : {false, true}) run_level(level, random);
    }
    if (!arguments_.out.empty() && !csv_.flush()) fail("cannot write kernels.csv");
  }

 private:
  void run_level(const Level& level, bool random) {
    const char* const order = random ? "random order" : "sequential";
    std::string kind;
    for (const KernelCase& one : cases_) {
      if (one.kind != kind) {
        kind = one.kind;
        std::printf("\n%s, %s: %s\n%6s %6s |", level.name, order, kind.c_str(), "dim", "bytes");
        for (const auto& table : one.tables) std::printf(" %10s", table.name.c_str());
        std::printf(" | %7s | %7s %7s | %s\n", "GB/s", "limit", "GB/s", "per cent");
      }
      measure(level, order, one, random);
    }
  }

  void measure(const Level& level, const char* order, const KernelCase& one, bool random) {
    Turns turns(room_.rows(level.bytes, one.stride, random), arguments_.turn_ms);
    const ScoreRows read = plain_read(one.row_bytes);
    std::vector<double> best(one.tables.size(), 1e300);
    double limit = 1e300;
    for (std::uint32_t turn = 0; turn < arguments_.turns; ++turn) {
      limit = std::min(limit, turns.take(read));
      for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], turns.take(one.tables[i].score));
    }
    const auto bytes = static_cast<double>(one.row_bytes);
    std::printf("%6zu %6zu |", one.dim, one.row_bytes);
    for (std::size_t i = 0; i < best.size(); ++i) {
      std::printf(" %10.1f", best[i]);
      csv_ << level.name << ',' << order << ',' << '"' << one.kind << '"' << ',' << one.dim << ',' << one.row_bytes
           << ',' << one.tables[i].name << ',' << best[i] << ',' << bytes / best[i] << ',' << limit << ','
           << bytes / limit << ',' << 100 * limit / best[i] << '\n';
    }
    std::printf(" | %7.1f | %7.1f %7.1f | %4.0f %%\n", bytes / best.back(), limit, bytes / limit,
                100 * limit / best.back());
    std::fflush(stdout);
  }

  const Arguments& arguments_;
  Level levels_[3];
  Room room_;
  std::vector<KernelCase> cases_;
  std::ofstream csv_;
};

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  holdfast::bench::Arguments arguments;
  CLI::App app("Nanoseconds per distance beside the machine's limit");
  app.add_option("--filter", arguments.filter, "only kinds whose name contains this, e.g. codes");
  app.add_option("--dim", arguments.dims, "dimensions")->capture_default_str();
  app.add_option("--out", arguments.out, "folder for kernels.csv");
  app.add_option("--turns", arguments.turns)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--turn-ms", arguments.turn_ms)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--memory-mb", arguments.memory_mb, "working set that no cache holds")->capture_default_str();
  app.add_flag("--huge-pages", arguments.huge_pages, "ask for them (madvise)");
  app.add_flag("--quick", arguments.quick, "dimensions 128 and 784, short turns");
  try {
    CLI11_PARSE(app, argc, argv);
    if (arguments.quick) {
      arguments.dims = {128, 784};
      arguments.turns = 2;
      arguments.turn_ms = 1;
    }
    std::printf("%s\n", holdfast::bench::machine_text(holdfast::bench::describe_machine(".")).c_str());
    holdfast::bench::Bench(arguments).run();
  } catch (const std::exception& error) {  // std::filesystem, std::bad_alloc
    holdfast::bench::fail(error.what());
  }
  return 0;
}
