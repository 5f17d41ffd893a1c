#include "index/candidate_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/random.h"

namespace holdfast::index {
namespace {

TEST(CandidateKey, OrdersAsDistancesThenSlots) {
  const float inf = std::numeric_limits<float>::infinity();
  const float distances[] = {-inf, -2.5F, -1e-40F, 0.0F, 1e-40F, 1.0F, 3e38F, inf};
  for (std::size_t i = 0; i + 1 < std::size(distances); ++i) {
    EXPECT_LT(make_key(distances[i], 9, Ties::older_first), make_key(distances[i + 1], 3, Ties::older_first));
    EXPECT_EQ(distance_of(make_key(distances[i], 9, Ties::older_first)), distances[i]);
  }
  EXPECT_EQ(make_key(-0.0F, 5, Ties::older_first), make_key(0.0F, 5, Ties::older_first));
  EXPECT_LT(make_key(1, 5, Ties::older_first), make_key(1, 6, Ties::older_first));
  EXPECT_GT(make_key(1, 5, Ties::younger_first), make_key(1, 6, Ties::younger_first));
  for (const Slot slot : {Slot{0}, Slot{77}, Slot{0x7FFFFFFE}}) {
    EXPECT_EQ(slot_of(make_key(1, slot, Ties::older_first), Ties::older_first), slot);
    EXPECT_EQ(slot_of(make_key(1, slot, Ties::younger_first), Ties::younger_first), slot);
  }
}

TEST(CandidatePool, KeepsTheBestAndHandsThemOutInOrder) {
  SeededRandom random(3);
  for (int round = 0; round < 50; ++round) {
    SCOPED_TRACE(round);
    const std::size_t capacity = 1 + random.below(20);
    CandidatePool pool;
    pool.reset(capacity);
    std::vector<CandidateKey> all;
    std::vector<CandidateKey> taken;
    for (Slot slot = 0; slot < 60; ++slot) {
      const auto distance = static_cast<float>(random.below(10));
      all.push_back(make_key(distance, slot, Ties::older_first));
      pool.offer(distance, slot, Ties::older_first);
      CandidateKey next = 0;
      CandidateKey peeked = 0;
      const bool peek = pool.peek(peeked);
      if (random.below(4) == 0 && pool.take(next)) {
        ASSERT_TRUE(peek);
        ASSERT_EQ(peeked, next);
        taken.push_back(next);
      }
    }
    std::sort(all.begin(), all.end());
    all.resize(std::min(all.size(), capacity));
    ASSERT_EQ(pool.size(), all.size());
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(pool[i] & ~kExpanded, all[i]);
    // Whatever is left and was not taken comes out once, nearest first.
    CandidateKey last = 0;
    for (CandidateKey next = 0; pool.take(next);) {
      EXPECT_GE(next, last);
      EXPECT_EQ(std::count(taken.begin(), taken.end(), next), 0);
      last = next;
      taken.push_back(next);
    }
    for (const CandidateKey key : all) EXPECT_EQ(std::count(taken.begin(), taken.end(), key), 1);
  }
}

TEST(VisitedSet, IsEmptyAfterReset) {
  VisitedSet visited;
  visited.reset(1000);
  EXPECT_TRUE(visited.insert(0));
  EXPECT_TRUE(visited.insert(999));
  EXPECT_TRUE(visited.insert(998));
  EXPECT_FALSE(visited.insert(999));
  visited.reset(5000);
  EXPECT_TRUE(visited.insert(999));
  EXPECT_TRUE(visited.insert(4999));
  visited.reset(10);
  EXPECT_TRUE(visited.insert(0));
}

TEST(VisitedSet, ARowThatDoesNotExistIsRefusedAndNoted) {
  VisitedSet visited;
  visited.reset(100);
  ReadCheck check;
  EXPECT_TRUE(visited.insert(99));
  EXPECT_TRUE(check.ok());
  EXPECT_FALSE(visited.insert(100));
  EXPECT_FALSE(visited.insert(kNoSlot));
  EXPECT_EQ(StatusCode::data_damaged, check.status().code());
}

}  // namespace
}  // namespace holdfast::index
