#include "index/list_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "base/random.h"

namespace holdfast::index {
namespace {

/// Makes and frees blocks at random; every block must keep what was written into it until it is freed.
void exercise(std::uint64_t seed, int steps) {
  SeededRandom random(seed);
  struct Block {
    unsigned char* at;
    std::size_t bytes;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  const auto check_and_free = [](const Block& block) {
    for (std::size_t i = 0; i < block.bytes; ++i) ASSERT_EQ(block.at[i], block.mark);
    free_list(block.at);
  };
  for (int step = 0; step < steps; ++step) {
    // Grows and shrinks in turns, so that spans fill up and become empty.
    const bool grow = (step / 2'000) % 2 == 0 ? random.below(4) != 0 : random.below(4) == 0;
    if (grow || blocks.empty()) {
      const std::size_t bytes = 24 + 4 * random.below(random.below(8) == 0 ? 257 : 33);
      const auto mark = static_cast<unsigned char>(random.next());
      auto* const at = static_cast<unsigned char*>(allocate_list(bytes));
      ASSERT_NE(at, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(at) % 8, 0U);
      std::memset(at, mark, bytes);
      blocks.push_back({at, bytes, mark});
    } else {
      const std::size_t i = random.below(blocks.size());
      check_and_free(blocks[i]);
      blocks[i] = blocks.back();
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) check_and_free(block);
}

TEST(ListMemory, BlocksKeepTheirContentsUntilTheyAreFreed) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    exercise(seed, 20'000);
  }
}

TEST(ListMemory, ServesSeveralThreads) {
  std::vector<std::jthread> threads;
  for (std::uint64_t seed = 11; seed <= 13; ++seed) threads.emplace_back([seed] { exercise(seed, 10'000); });
}

TEST(ListMemory, FreedInAnotherThread) {
  std::vector<void*> blocks;
  for (int i = 0; i < 5'000; ++i) blocks.push_back(allocate_list(152));
  std::jthread([&] {
    for (void* block : blocks) free_list(block);
  }).join();
  void* const again = allocate_list(152);
  EXPECT_NE(again, nullptr);
  free_list(again);
}

}  // namespace
}  // namespace holdfast::index
