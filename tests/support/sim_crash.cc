// How a crash is decided: for each inode a Fate says which units survive; apply_file and apply_directory then build
// the durable state from it. The rules that always hold (sim_crash.h) live in these two functions, so that no policy
// can break them.
#include "support/sim_crash.h"

#include <algorithm>
#include <set>

#include "base/random.h"

namespace holdfast::testing {
namespace {

using Kind = CrashPolicy::Kind;
using Unit = CrashPolicy::Unit;
using Fill = CrashPolicy::Fill;

constexpr std::uint64_t kNone = ~std::uint64_t{0};

/// Numbers of all unsynced operations, in order of time.
std::vector<std::uint64_t> unsynced_operations(const SimDisk& disk) {
  std::set<std::uint64_t> operations;
  for (InodeId id = kRootInode; id < disk.end_inode(); ++id) {
    if (!disk.exists(id)) continue;
    if (disk.is_directory(id)) {
      for (const DirectoryEffect& effect : disk.directory(id).pending) operations.insert(effect.operation);
    } else {
      for (const FileEffect& effect : disk.file(id).pending) operations.insert(effect.operation);
    }
  }
  return {operations.begin(), operations.end()};
}

const FileEffect* last_write(const SimDisk& disk) {
  const FileEffect* last = nullptr;
  for (InodeId id = kRootInode; id < disk.end_inode(); ++id) {
    if (!disk.exists(id) || disk.is_directory(id)) continue;
    for (const FileEffect& effect : disk.file(id).pending) {
      if (!effect.is_size && (last == nullptr || effect.operation > last->operation)) last = &effect;
    }
  }
  return last;
}

bool has_pending(const SimDisk& disk, InodeId id) {
  return disk.is_directory(id) ? !disk.directory(id).pending.empty() : !disk.file(id).pending.empty();
}

/// Which units of one inode survive.
struct Fate {
  enum class Rule : std::uint8_t {
    none,
    all,
    sizes,    ///< sizes only
    prefix,   ///< everything before operation `limit`
    coin,     ///< each unit with probability `keep`
    all_but,  ///< all but `chosen`
    only,     ///< only `chosen`
    torn,     ///< all, but operation `chosen` is cut
  };
  Rule rule = Rule::all;
  Unit unit = Unit::operation;
  std::uint64_t chosen = kNone;  ///< operation number or running unit number
  double keep = 0.5;
  CrashPolicy::Boundary boundary = CrashPolicy::Boundary::sector;
  Fill fill = Fill::zeros;
};

class Crash {
 public:
  Crash(const SimDisk& disk, const CrashPolicy& policy, std::uint64_t seed)
      : before_(disk), after_(disk), policy_(policy), random_(mix64(seed)) {}

  SimDisk run() {
    const Fate common = common_fate();
    for (InodeId id = kRootInode; id < before_.end_inode(); ++id) {
      if (!before_.exists(id)) continue;
      if (before_.is_directory(id)) {
        crash_directory(id, common);
      } else {
        crash_file(id, common);
      }
      if (has_pending(before_, id)) ++next_inode_;
    }
    after_.collect_garbage({});
    return std::move(after_);
  }

 private:
  Fate common_fate() {
    Fate fate;
    fate.fill = policy_.fill;
    fate.unit = policy_.unit;
    fate.boundary = policy_.boundary;
    switch (policy_.kind) {
      case Kind::lose_all: fate.rule = Fate::Rule::none; break;
      case Kind::drop_one:
      case Kind::keep_one: {
        fate.rule = policy_.kind == Kind::drop_one ? Fate::Rule::all_but : Fate::Rule::only;
        const auto operations = unsynced_operations(before_);
        fate.chosen = policy_.n;
        if (fate.unit == Unit::operation) fate.chosen = policy_.n < operations.size() ? operations[policy_.n] : kNone;
        break;
      }
      case Kind::random_subset: fate.rule = Fate::Rule::coin; break;
      case Kind::torn_write:
        fate.rule = Fate::Rule::torn;
        if (const FileEffect* last = last_write(before_)) fate.chosen = last->operation;
        break;
      case Kind::size_without_data: fate.rule = Fate::Rule::sizes; break;
      case Kind::keep_all:
      case Kind::directory_suffix:
      case Kind::directory_subset:
      case Kind::anything: break;
    }
    return fate;
  }

  Fate file_fate(const FileInode& inode, Fate fate) {
    if (fate.rule == Fate::Rule::coin) fate.keep = draw_probability();
    if (policy_.kind != Kind::anything || inode.pending.empty()) return fate;
    constexpr Fate::Rule kRules[] = {Fate::Rule::none,   Fate::Rule::all,  Fate::Rule::sizes,
                                     Fate::Rule::prefix, Fate::Rule::coin, Fate::Rule::torn};
    fate.rule = kRules[random_.below(std::size(kRules))];
    fate.keep = draw_probability();
    fate.fill = static_cast<Fill>(random_.below(3));
    fate.boundary = static_cast<CrashPolicy::Boundary>(random_.below(2));
    fate.chosen = inode.pending[random_.below(inode.pending.size())].operation;
    return fate;
  }

  Fate directory_fate(const DirectoryInode& inode, Fate fate) {
    if (inode.pending.empty()) return fate;
    const auto suffix = [&] {
      const std::uint64_t first_lost = random_.below(inode.pending.size() + 1);
      fate.rule = Fate::Rule::prefix;
      fate.chosen = first_lost == inode.pending.size() ? kNone : inode.pending[first_lost].operation;
    };
    const auto subset = [&] {
      fate.rule = Fate::Rule::coin;
      fate.keep = draw_probability();
    };
    switch (policy_.kind) {
      case Kind::directory_suffix: suffix(); break;
      case Kind::directory_subset:
      case Kind::random_subset: subset(); break;
      case Kind::anything:
        switch (random_.below(4)) {
          case 0: fate.rule = Fate::Rule::none; break;
          case 1: fate.rule = Fate::Rule::all; break;
          case 2: suffix(); break;
          default: subset(); break;
        }
        break;
      default: break;
    }
    return fate;
  }

  /// From "nearly nothing" to "nearly everything": a fair coin alone would rarely lose exactly one sector of many.
  double draw_probability() {
    constexpr double kProbabilities[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    return kProbabilities[random_.below(std::size(kProbabilities))];
  }

  /// Asked once per unit, in order: units, and inodes with unsynced effects, are numbered as they are asked for.
  bool survives(const Fate& fate, std::uint64_t operation, bool is_data) {
    const std::uint64_t number = fate.unit == Unit::operation ? operation
                                 : fate.unit == Unit::sector  ? next_unit_
                                                              : next_inode_;
    ++next_unit_;
    switch (fate.rule) {
      case Fate::Rule::none: return false;
      case Fate::Rule::all: return true;
      case Fate::Rule::sizes: return !is_data;
      case Fate::Rule::prefix: return operation < fate.chosen;
      case Fate::Rule::coin: return random_.unit() < fate.keep;
      case Fate::Rule::all_but: return number != fate.chosen;
      case Fate::Rule::only: return number == fate.chosen;
      case Fate::Rule::torn: return true;
    }
    return true;
  }

  void crash_directory(InodeId id, const Fate& common) {
    const DirectoryInode& before = before_.directory(id);
    if (before.pending.empty() && !before.diverged) return;
    DirectoryInode& after = after_.edit_directory(id);
    const Fate fate = directory_fate(before, common);
    for (const DirectoryEffect& effect : before.pending) {
      if (survives(fate, effect.operation, false)) apply_effect(effect, after.durable.edit());
    }
    after.cached = after.durable;
    after.pending.clear();
    after.diverged = false;
  }

  void crash_file(InodeId id, const Fate& common) {
    const FileInode& before = before_.file(id);
    if (before.pending.empty() && !before.diverged) return;
    FileInode& after = after_.edit_file(id);
    const Fate fate = file_fate(before, common);
    if (fate.rule == Fate::Rule::all && !before.diverged) {
      after.durable = before.cached;
    } else {
      apply_file(before, fate, after.durable);
    }
    after.cached = after.durable;
    after.pending.clear();
    after.diverged = false;
  }

  void apply_file(const FileInode& before, const Fate& fate, SimContent& durable) {
    // Units are numbered effect by effect, a write's sectors in order.
    std::vector<std::vector<bool>> kept(before.pending.size());
    std::size_t sizes_end = 0;  // sizes before this effect survive
    for (std::size_t i = 0; i < before.pending.size(); ++i) {
      const FileEffect& effect = before.pending[i];
      const std::uint64_t units = effect.is_size ? 1 : effect.end_sector() - effect.first_sector();
      for (std::uint64_t unit = 0; unit < units; ++unit) {
        kept[i].push_back(survives(fate, effect.operation, !effect.is_size));
      }
      if (effect.is_size && kept[i][0]) sizes_end = i + 1;
    }
    for (std::size_t i = 0; i < before.pending.size(); ++i) {
      const FileEffect& effect = before.pending[i];
      if (effect.is_size) {
        if (i < sizes_end) set_size(durable, effect.end, fate.fill);
      } else if (fate.rule == Fate::Rule::torn && effect.operation == fate.chosen) {
        tear(durable, effect, fate.boundary);
      } else {
        copy_sectors(durable, effect, kept[i]);
      }
    }
  }

  static void copy_sectors(SimContent& durable, const FileEffect& effect, const std::vector<bool>& kept) {
    for (std::size_t begin = 0; begin < kept.size();) {
      if (!kept[begin]) {
        ++begin;
        continue;
      }
      std::size_t end = begin + 1;
      while (end < kept.size() && kept[end]) ++end;
      durable.copy_range(effect.first_page(), effect.pages, (effect.first_sector() + begin) * kSectorSize,
                         (effect.first_sector() + end) * kSectorSize);
      begin = end;
    }
  }

  /// Either the head or the tail of the write arrives: a disk need not write front to back.
  void tear(SimContent& durable, const FileEffect& effect, CrashPolicy::Boundary boundary) {
    std::uint64_t begin = effect.begin;
    std::uint64_t end = effect.end;
    std::uint64_t cut = 0;
    if (boundary == CrashPolicy::Boundary::byte) {
      cut = begin + random_.below(end - begin);
    } else {
      begin = effect.first_sector() * kSectorSize;
      end = effect.end_sector() * kSectorSize;
      const std::uint64_t sectors = effect.end_sector() - effect.first_sector();
      cut = begin + (policy_.n == 0 ? random_.below(sectors) : (policy_.n - 1) / 2 % sectors) * kSectorSize;
    }
    const bool head = policy_.n == 0 ? random_.below(2) == 0 : policy_.n % 2 == 0;
    durable.copy_range(effect.first_page(), effect.pages, head ? begin : cut, head ? cut : end);
  }

  void set_size(SimContent& durable, std::uint64_t size, Fill fill) {
    const std::uint64_t old = durable.size();
    durable.resize(size);
    if (fill == Fill::zeros || size <= old) return;
    Bytes page(kPageSize);
    for (std::uint64_t at = old; at < size;) {
      const std::uint64_t in_page = at % kPageSize;
      const std::uint64_t count = std::min(kPageSize - in_page, size - at);
      if (fill == Fill::garbage || !stale_page(page)) {
        for (std::size_t i = 0; i < kPageSize; i += 8) store(page.data() + i, random_.next());
      }
      durable.write(at, ByteSpan(page).subspan(in_page, count));
      at += count;
    }
  }

  /// A page of a random file as it is on this disk.
  bool stale_page(Bytes& out) {
    constexpr int kAttempts = 8;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const auto id = static_cast<InodeId>(random_.below(before_.end_inode()));
      if (!before_.exists(id) || before_.is_directory(id)) continue;
      const SimContent& content = before_.file(id).cached;
      if (content.size() < kPageSize) continue;
      content.read(random_.below(content.size() / kPageSize) * kPageSize, out);
      return true;
    }
    return false;
  }

  const SimDisk before_;
  SimDisk after_;
  const CrashPolicy policy_;
  SeededRandom random_;
  std::uint64_t next_unit_ = 0;
  std::uint64_t next_inode_ = 0;
};

}  // namespace

std::string CrashPolicy::to_string() const {
  constexpr const char* kKinds[] = {"lose_all",         "keep_all",   "drop_one",          "keep_one",
                                    "random_subset",    "torn_write", "size_without_data", "directory_suffix",
                                    "directory_subset", "anything"};
  constexpr const char* kFills[] = {"zeros", "garbage", "stale"};
  std::string text = kKinds[static_cast<std::size_t>(kind)];
  if (kind == Kind::drop_one || kind == Kind::keep_one) {
    constexpr const char* kUnits[] = {" (operations)", " (sectors)", " (inodes)"};
    text += " " + std::to_string(n) + kUnits[static_cast<std::size_t>(unit)];
  }
  if (kind == Kind::torn_write) {
    text += boundary == Boundary::sector ? " at a sector" : " at a byte";
    if (n != 0) text += " (" + std::to_string((n - 1) / 2) + (n % 2 == 0 ? ", head kept)" : ", tail kept)");
  }
  if (kind == Kind::size_without_data || kind == Kind::random_subset) {
    text += std::string(" filled with ") + kFills[static_cast<std::size_t>(fill)];
  }
  return text;
}

SimDisk crash_disk(const SimDisk& disk, const CrashPolicy& policy, std::uint64_t seed) {
  return Crash(disk, policy, seed).run();
}

std::uint64_t count_effects(const SimDisk& disk, CrashPolicy::Unit unit) {
  if (unit == Unit::operation) return unsynced_operations(disk).size();
  std::uint64_t count = 0;
  for (InodeId id = kRootInode; id < disk.end_inode(); ++id) {
    if (!disk.exists(id)) continue;
    if (unit == CrashPolicy::Unit::inode) {
      count += has_pending(disk, id) ? 1 : 0;
      continue;
    }
    if (disk.is_directory(id)) {
      count += disk.directory(id).pending.size();
      continue;
    }
    for (const FileEffect& effect : disk.file(id).pending) {
      count += effect.is_size ? 1 : effect.end_sector() - effect.first_sector();
    }
  }
  return count;
}

std::uint64_t count_last_write_sectors(const SimDisk& disk) {
  const FileEffect* last = last_write(disk);
  return last == nullptr ? 0 : last->end_sector() - last->first_sector();
}

}  // namespace holdfast::testing
