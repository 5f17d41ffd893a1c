// Bits of every file of a small store, one after the other. HOLDFAST_ROT_EVERY_BIT says how many:
//   2  every bit
//   1  every bit of every byte that is not zero or stands near one: all structures. Of the bytes in long runs of zeros
//      (the rest of header sectors and of log segments) one bit of a few, drawn by HOLDFAST_ROT_SEED
//   0  one bit of every HOLDFAST_ROT_STRIDE-th byte, and of yet fewer in runs of zeros (the default)
// Two threads, each with a copy of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/mutex.h"
#include "base/random.h"
#include "rot/rot_lab.h"
#include "storage/extent_format.h"

namespace holdfast::testing {
namespace {

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

#ifdef HOLDFAST_SANITIZED
constexpr std::uint64_t kDefaultStride = 200;
#else
constexpr std::uint64_t kDefaultStride = 8;
#endif

struct Place {
  std::string path;
  std::uint64_t offset;
  unsigned bit;
};

/// How many bits there are, and how many of them are chosen: in all, and outside long runs of zeros.
struct Coverage {
  std::uint64_t all = 0;
  std::uint64_t structure = 0;
  std::uint64_t structure_chosen = 0;
};

/// What is flipped.
std::vector<Place> choose_places(const SimFileSystem& disk, std::uint64_t seed, Coverage& coverage) {
  const std::uint64_t every = number_of("HOLDFAST_ROT_EVERY_BIT", 0);
  const std::uint64_t stride = std::max<std::uint64_t>(1, number_of("HOLDFAST_ROT_STRIDE", kDefaultStride));
  SeededRandom random(seed);
  std::vector<Place> places;
  for (const std::string& path : rot_files(disk)) {
    const Bytes bytes = disk.read_whole(path).value();
    coverage.all += bytes.size() * 8;
    std::uint64_t quiet = 0;  // zeros in a row before this byte
    for (std::uint64_t at = 0; at < bytes.size(); ++at) {
      quiet = bytes[at] == std::byte{0} ? quiet + 1 : 0;
      const bool structure = quiet < 12;
      const std::size_t before = places.size();
      if (every > 1 || (every == 1 && structure)) {
        for (unsigned bit = 0; bit < 8; ++bit) places.push_back({path, at, bit});
      } else if ((structure && random.below(stride) == 0) || random.below(199 * stride) == 0) {
        places.push_back({path, at, static_cast<unsigned>(random.below(8))});
      }
      if (!structure) continue;
      coverage.structure += 8;
      coverage.structure_chosen += places.size() - before;
    }
  }
  return places;
}

/// Bytes that carry nothing: zeros in a log segment outside its frames (padding of groups, and what stands behind the
/// last frame of a segment that has a successor); the up to seven zeros between the data and the page table of an
/// extent.
bool is_dead(const SimFileSystem& disk, const Place& place) {
  const Bytes bytes = disk.read_whole(place.path).value();
  if (bytes[place.offset] != std::byte{0}) return false;
  if (place.path.ends_with(".log")) return true;
  if (!place.path.ends_with(".ext")) return false;
  const auto data = load<std::uint64_t>(bytes.data() + bytes.size() - storage::kExtentFooterBytes + 8);
  return place.offset >= storage::kExtentDataOffset + data && place.offset < storage::extent_table_offset(data);
}

TEST(BitRot, EveryFlippedBitIsNamedOrChangesNothing) {
  const std::uint64_t seed = number_of("HOLDFAST_ROT_SEED", 1);
  const auto disk = make_rot_store();
  const RotJudge judge(*disk);
  Coverage coverage;
  const std::vector<Place> places = choose_places(*disk, seed, coverage);
  std::atomic<std::size_t> next{0};  // relaxed: shares out numbers
  Mutex mutex;
  Verdicts total;
  std::vector<std::string> problems;
  const auto work = [&] {
    Verdicts own;
    const auto copy = disk->clone();
    for (std::size_t i = 0; (i = next.fetch_add(1, std::memory_order_relaxed)) < places.size();) {
      const Place& place = places[i];
      const auto mask = static_cast<std::byte>(1U << place.bit);
      const std::uint64_t unseen_before = own.unseen;
      if (!copy->corrupt(place.path, place.offset, mask).ok()) break;
      std::string problem = judge.judge(*copy, {place.path}, own);
      if (!copy->corrupt(place.path, place.offset, mask).ok()) break;
      MutexLock lock(mutex);
      if (own.unseen != unseen_before && problem.empty() && !is_dead(*disk, place)) problem = "nobody notices";
      if (problem.empty()) continue;
      problems.push_back(place.path + " byte " + std::to_string(place.offset) + " bit " + std::to_string(place.bit) +
                         " (seed " + std::to_string(seed) + "): " + problem);
    }
    MutexLock lock(mutex);
    total.add(own);
  };
  std::thread other(work);
  work();
  other.join();
  for (std::size_t i = 0; i < std::min<std::size_t>(problems.size(), 20); ++i) ADD_FAILURE() << problems[i];
  std::printf(
      "bit rot: bits flipped %zu of %lu, outside runs of zeros %lu of %lu: identical %lu (of these without a word from "
      "verify %lu), typed errors %lu, silent %zu\n",
      places.size(), coverage.all, coverage.structure_chosen, coverage.structure, total.identical, total.unseen,
      total.typed_errors, problems.size());
  EXPECT_EQ(places.size(), total.identical + total.typed_errors + problems.size());
}

}  // namespace
}  // namespace holdfast::testing
