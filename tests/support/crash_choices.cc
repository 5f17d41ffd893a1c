#include "support/crash_choices.h"

#include <algorithm>

namespace holdfast::testing {
namespace {

using Boundary = CrashPolicy::Boundary;
using Fill = CrashPolicy::Fill;
using Unit = CrashPolicy::Unit;

constexpr std::uint64_t kDrawnSingles = 4;
/// A write of more sectors than this (several pages) is torn at drawn ones.
constexpr std::uint64_t kTornEverywhere = 16;

class Choices {
 public:
  Choices(const SimFileSystem& disk, const CrashChoice& choice, SeededRandom& random)
      : disk_(disk), choice_(choice), random_(random) {}

  std::vector<Crash> make() {
    crashes_.push_back({true, {}, 0});
    add(CrashPolicy::lose_all());
    const std::uint64_t operations = disk_.unsynced_effects();
    if (operations == 0) return std::move(crashes_);  // nothing is at stake: every policy gives the same disk
    add(CrashPolicy::keep_all());
    const std::uint64_t singles = choice_.every_single ? operations : std::min(operations, kDrawnSingles);
    for (std::uint64_t i = 0; i < singles; ++i) {
      add_single(operations <= singles ? i : random_.below(operations), Unit::operation);
    }
    if (choice_.every_single) {
      add_inodes();
      add_tears();
    }
    for (std::uint32_t i = 0; i < choice_.drawn; ++i) add(draw(i));
    return std::move(crashes_);
  }

 private:
  void add(const CrashPolicy& policy) { crashes_.push_back({false, policy, random_.next()}); }

  void add_single(std::uint64_t n, Unit unit) {
    add(CrashPolicy::drop_one(n, unit));
    add(CrashPolicy::keep_one(n, unit));
  }

  /// The renames, creations and removals of one directory lost together, or the sizes and data of one file.
  void add_inodes() {
    const std::uint64_t inodes = disk_.unsynced_effects(Unit::inode);
    for (std::uint64_t i = 0; inodes > 1 && i < inodes; ++i) add_single(i, Unit::inode);
  }

  void add_tears() {
    const std::uint64_t sectors = disk_.last_write_sectors();
    const std::uint64_t cuts = std::min(sectors, kTornEverywhere);
    for (std::uint64_t i = 0; i < cuts; ++i) {
      const std::uint64_t sector = sectors <= kTornEverywhere ? i : random_.below(sectors);
      add(CrashPolicy::torn_at(sector, true));
      add(CrashPolicy::torn_at(sector, false));
    }
  }

  CrashPolicy draw(std::uint32_t i) {
    auto fill = static_cast<Fill>(random_.below(3));
    if (!choice_.stale_blocks && fill == Fill::stale) fill = Fill::zeros;
    switch (i % 8) {
      case 0: return CrashPolicy::random_subset(fill);
      case 1: return CrashPolicy::torn_write(Boundary::sector);
      case 3: return CrashPolicy::directory_subset();
      case 4: return CrashPolicy::torn_write(Boundary::byte);
      case 5: return CrashPolicy::size_without_data(fill);
      case 6: return CrashPolicy::directory_suffix();
      default: return choice_.stale_blocks ? CrashPolicy::anything() : CrashPolicy::random_subset(fill);
    }
  }

  const SimFileSystem& disk_;
  const CrashChoice& choice_;
  SeededRandom& random_;
  std::vector<Crash> crashes_;
};

}  // namespace

std::unique_ptr<SimFileSystem> Crash::apply_to(const SimFileSystem& disk) const {
  return kill ? disk.kill_process() : disk.crash(policy, seed);
}

std::string Crash::to_string() const {
  return kill ? "kill -9" : policy.to_string() + ", policy seed " + std::to_string(seed);
}

std::vector<Crash> crashes_of(const SimFileSystem& disk, const CrashChoice& choice, SeededRandom& random) {
  return Choices(disk, choice, random).make();
}

}  // namespace holdfast::testing
