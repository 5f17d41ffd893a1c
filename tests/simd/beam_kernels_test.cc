// B1 and B2: every table leaves the beam that plain sorting gives, and touches nothing behind it.
#include "simd/beam_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "base/random.h"

namespace holdfast::simd::testing {
namespace {

constexpr std::uint64_t kSeed = 20240701;
constexpr std::uint64_t kGuard = 0xDEADBEEFDEADBEEF;

std::uint64_t key_of(float distance, std::uint32_t slot, std::uint32_t flip) {
  const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);
  const std::uint32_t ordered = bits >> 31 != 0 ? ~bits : bits | 0x80000000U;
  return (std::uint64_t{ordered} << 32) | (std::uint64_t{slot ^ flip} << 1);
}

/// A beam as a sorted vector: one candidate after the other.
struct Reference {
  std::size_t capacity;
  std::vector<std::uint64_t> keys = {};
  std::size_t cursor = 0;
  std::vector<std::uint32_t> entered = {};

  void offer(float distance, std::uint32_t slot, std::uint32_t flip) {
    const std::uint64_t key = key_of(distance, slot, flip);
    if (keys.size() == capacity) {
      if (key >= keys.back()) return;
      keys.pop_back();
    }
    const auto at = std::lower_bound(keys.begin(), keys.end(), key);
    cursor = std::min(cursor, static_cast<std::size_t>(at - keys.begin()));
    keys.insert(at, key);
    entered.push_back(slot);
  }
};

class BeamKernelsTest : public ::testing::TestWithParam<const BeamKernels*> {};

float draw(SeededRandom& random) {
  constexpr float kRare[] = {0.0F,
                             -0.0F,
                             1e-42F,
                             -1e-42F,
                             std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::max()};
  if (random.below(20) == 0) return kRare[random.below(std::size(kRare))];
  return static_cast<float>(random.below(500)) - 100.0F;  // many are equal
}

TEST_P(BeamKernelsTest, LeavesWhatSortingLeaves) {
  SeededRandom random(kSeed);
  for (std::size_t capacity : {1, 2, 7, 8, 9, 10, 15, 16, 17, 40, 63, 64, 65, 100, 320}) {
    for (const std::uint32_t flip : {0U, 0x7FFFFFFFU}) {
      SCOPED_TRACE("capacity " + std::to_string(capacity) + ", flip " + std::to_string(flip));
      std::vector<std::uint64_t> memory(capacity + 2 * kBeamRoom, kGuard);
      Beam beam{memory.data(), capacity, 0, 0};
      Reference reference{capacity};
      for (std::uint32_t round = 0; round < 60; ++round) {
        const std::size_t count = random.below(35);
        std::vector<float> distances;  // of their exact size: what is read behind them is seen by a sanitizer
        std::vector<std::uint32_t> slots;
        for (std::uint32_t i = 0; i < count; ++i) {
          distances.push_back(draw(random));
          slots.push_back(round * 64 + i);
        }
        std::vector<std::uint32_t> entered(count);
        const std::size_t put = GetParam()->offer(beam, distances.data(), slots.data(), count, flip, entered.data());
        entered.resize(put);
        reference.entered.clear();
        for (std::size_t i = 0; i < count; ++i) reference.offer(distances[i], slots[i], flip);
        ASSERT_EQ(entered, reference.entered) << "round " << round;
        ASSERT_EQ(std::vector<std::uint64_t>(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(beam.size)),
                  reference.keys)
            << "round " << round;
        ASSERT_EQ(beam.cursor, reference.cursor) << "round " << round;
        // The owner goes on behind what it has seen.
        beam.cursor = reference.cursor = random.below(beam.size + 1);
      }
      for (std::size_t i = capacity + kBeamRoom; i < memory.size(); ++i) ASSERT_EQ(memory[i], kGuard);
    }
  }
}

TEST_P(BeamKernelsTest, MarkedKeysKeepTheirPlace) {
  std::vector<std::uint64_t> memory(4 + kBeamRoom);
  Beam beam{memory.data(), 4, 0, 0};
  const float distances[] = {4, 1, 3, 2};
  const std::uint32_t slots[] = {0, 1, 2, 3};
  std::uint32_t entered[4];
  EXPECT_EQ(GetParam()->offer(beam, distances, slots, 4, 0, entered), 4U);
  beam.keys[0] |= 1;
  const float nearer[] = {1.5F, 9};
  EXPECT_EQ(GetParam()->offer(beam, nearer, slots, 2, 0, entered), 1U);
  EXPECT_EQ(beam.keys[0], key_of(1, 1, 0) | 1);
  EXPECT_EQ(beam.keys[1], key_of(1.5F, 0, 0));
  EXPECT_EQ(beam.keys[3], key_of(3, 2, 0)) << "the farthest went";
}

INSTANTIATE_TEST_SUITE_P(Tables, BeamKernelsTest,
                         ::testing::ValuesIn(available_beam_kernels().begin(), available_beam_kernels().end()),
                         [](const auto& table) { return std::string(table.param->name); });

TEST(AvailableBeamKernels, ScalarFirstAndComplete) {
  ASSERT_FALSE(available_beam_kernels().empty());
  EXPECT_STREQ(available_beam_kernels()[0]->name, "scalar");
  for (const BeamKernels* table : available_beam_kernels()) EXPECT_NE(table->offer, nullptr);
}

}  // namespace
}  // namespace holdfast::simd::testing
