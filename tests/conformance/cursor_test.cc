// Cursors: the next best n, again and again, over one snapshot.
#include <algorithm>
#include <set>
#include <thread>

#include "conformance/conformance.h"

namespace holdfast::testing {
namespace {

class Cursors : public OnSetting {
 protected:
  /// Points in both tiers, dead ones among them.
  void SetUp() override {
    create_here();
    fill(0, 150);
    bring();
    fill(150, 50);
    for (std::uint64_t id = 0; id < 200; id += 5) erase(id);
  }
  /// Everything, in pieces of `n`.
  static Hits drain(Cursor& cursor, std::uint32_t n, std::size_t* answers = nullptr) {
    Hits all;
    for (;;) {
      const auto piece = cursor.next(n);
      if (!piece.ok()) {
        ADD_FAILURE() << piece.status().to_string();
        return all;
      }
      EXPECT_LE(piece->size(), n);
      EXPECT_EQ(Stopped::no, piece->stopped);
      if (answers != nullptr) ++*answers;
      if (piece->empty()) break;
      for (std::size_t i = 1; i < piece->size(); ++i) EXPECT_LE((*piece)[i - 1].distance, (*piece)[i].distance);
      all.insert(all.end(), piece->begin(), piece->end());
      if (all.size() > 10'000) {
        ADD_FAILURE() << "the cursor does not end";
        return all;
      }
    }
    EXPECT_TRUE(cursor.exhausted());
    return all;
  }
  /// No duplicates, no gaps, true distances.
  void expect_everything(const Hits& all, const Vector& query) {
    Hits sorted = all;
    std::stable_sort(sorted.begin(), sorted.end(), [](const Hit& a, const Hit& b) { return a.distance < b.distance; });
    EXPECT_TRUE(nearest(sorted, query, truth().size()));
  }
};
HF_ON_SETTINGS(Cursors, every_setting);

TEST_P(Cursors, HandOutEverythingOnceInTheOrderOfOneLargeSearch) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(777);
  const auto large = snapshot.search(query, {.k = 200, .ef = 400, .with_payload = true, .exact = true});
  EXPECT_TRUE(nearest(large, query, 200));
  for (const std::uint32_t n : {1U, 2U, 7U, 50U, 160U, 1'000U}) {
    SCOPED_TRACE("pieces of " + std::to_string(n));
    auto exact = snapshot.cursor(query, {.with_payload = true, .exact = true});
    HF_OK(exact);
    EXPECT_TRUE(identical(*large, drain(*exact, n)));
    auto wide = snapshot.cursor(query, {.ef = 400, .with_payload = true});
    HF_OK(wide);
    EXPECT_TRUE(identical(*large, drain(*wide, n))) << "a walk as wide as the graph";
    for (const std::uint32_t ef : {0U, 1U, 10U}) {
      auto narrow = snapshot.cursor(query, {.ef = ef});
      HF_OK(narrow);
      expect_everything(drain(*narrow, n), query);
    }
  }
}

TEST_P(Cursors, FirstAnswersAreThoseOfASearch) {
  const Snapshot snapshot = collection().snapshot();
  for (std::uint64_t q = 0; q < 10; ++q) {
    const Vector query = vector_of(8'000 + q);
    auto cursor = snapshot.cursor(query);
    HF_OK(cursor);
    EXPECT_TRUE(nearest(cursor->next(10), query, 10));
  }
}

TEST_P(Cursors, MixedSizesZeroAndLeftovers) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(778);
  auto cursor = snapshot.cursor(query, {.ef = 400});
  HF_OK(cursor);
  const Hits large = *snapshot.search(query, {.k = 200, .exact = true});
  Hits all;
  EXPECT_FALSE(cursor->exhausted());
  for (const std::uint32_t n : {0U, 1U, 0U, 3U, 40U, 1U, 0U, 100U}) {
    const auto piece = cursor->next(n);
    HF_OK(piece);
    EXPECT_EQ(n, piece->size()) << "there are more";
    all.insert(all.end(), piece->begin(), piece->end());
  }
  EXPECT_FALSE(cursor->exhausted());
  const auto leftovers = cursor->next(1'000);
  HF_OK(leftovers);
  EXPECT_EQ(truth().size() - 145, leftovers->size()) << "fewer than asked for: the end is near";
  all.insert(all.end(), leftovers->begin(), leftovers->end());
  EXPECT_TRUE(identical(large, all));
  for (const std::uint32_t n : {1U, 0U, 1'000U}) {
    EXPECT_TRUE(cursor->next(n)->empty()) << "the end stays the end";
    EXPECT_TRUE(cursor->exhausted());
  }
}

TEST_P(Cursors, ResetBeginsAgain) {
  const Snapshot snapshot = collection().snapshot();
  const Vector query = vector_of(779);
  for (const bool exact : {false, true}) {
    auto cursor = snapshot.cursor(query, {.exact = exact});
    HF_OK(cursor);
    const Hits first = *cursor->next(25);
    cursor->reset();
    EXPECT_FALSE(cursor->exhausted());
    EXPECT_TRUE(identical(first, *cursor->next(25)));
    expect_everything(
        [&] {
          Hits all = first;
          const Hits rest = drain(*cursor, 40);
          all.insert(all.end(), rest.begin(), rest.end());
          return all;
        }(),
        query);
    cursor->reset();
    expect_everything(drain(*cursor, 1), query);
    cursor->reset();
    EXPECT_EQ(25u, cursor->next(25)->size());
  }
}

TEST_P(Cursors, SeeOneInstantWhileEverythingMoves) {
  const Vector query = vector_of(780);
  const auto old_truth = truth();
  Snapshot snapshot = collection().snapshot();
  auto cursor = snapshot.cursor(query, {.ef = 400, .with_payload = true});
  auto lazy = snapshot.cursor(query, {.ef = 1});
  HF_OK(cursor);
  HF_OK(lazy);
  const Hits expected = *snapshot.search(query, {.k = 200, .with_payload = true, .exact = true});
  snapshot = collection().snapshot();  // the cursors hold the old one
  Hits all, all_lazy;
  std::uint64_t next_id = 2'000;
  for (int i = 0; !cursor->exhausted() || !lazy->exhausted(); ++i) {
    const Hits piece = *cursor->next(9);
    all.insert(all.end(), piece.begin(), piece.end());
    const Hits lazy_piece = *lazy->next(9);
    all_lazy.insert(all_lazy.end(), lazy_piece.begin(), lazy_piece.end());
    // Points arrive, die, move from the growing tier to the graph, leave it, and their rows are used again.
    put(next_id++, query);
    if (i < 15) {
      for (std::uint64_t id = 1; id < 5; ++id) erase(static_cast<std::uint64_t>(i) * 10 + id);
    }
    if (i % 3 == 0) HF_OK(collection().wait_until_indexed());
    if (i % 4 == 1) HF_OK(collection().vacuum());
    if (i % 5 == 2) HF_OK(collection().checkpoint());
    ASSERT_LT(i, 1'000);
  }
  EXPECT_TRUE(identical(expected, all));
  std::set<PointId> lazy_ids;
  for (const Hit& hit : all_lazy) EXPECT_TRUE(lazy_ids.insert(hit.id).second) << "twice: " << hit.id.to_string();
  EXPECT_EQ(old_truth.size(), lazy_ids.size());
  for (const auto& [id, point] : old_truth) EXPECT_TRUE(lazy_ids.contains(id)) << id.to_string();
}

TEST_P(Cursors, OutliveTheirHandlesAndChangeThreads) {
  const Vector query = vector_of(781);
  const Hits expected = *collection().snapshot().search(query, {.k = 200, .exact = true});
  auto made = collection().snapshot().cursor(query, {.ef = 400});
  HF_OK(made);
  Cursor cursor = std::move(made).value();
  Hits all = *cursor.next(20);
  HF_OK(database().close());
  let_go();
  std::jthread([&] {
    const Hits piece = *cursor.next(30);
    all.insert(all.end(), piece.begin(), piece.end());
  }).join();
  Cursor moved = std::move(cursor);
  const Hits rest = drain(moved, 33);
  all.insert(all.end(), rest.begin(), rest.end());
  EXPECT_TRUE(identical(expected, all));
}

TEST_P(Cursors, ManyAbandonedOnesLeaveNothing) {
  const Vector query = vector_of(782);
  for (int i = 0; i < 500; ++i) {
    auto cursor = collection().snapshot().cursor(query);
    HF_OK(cursor);
    if (i % 2 == 0) EXPECT_EQ(1u, cursor->next(1)->size());
  }
  EXPECT_EQ(0u, collection().stats().pinned_snapshots);
}

TEST_P(Cursors, ADeadlineEndsAnAnswerAndTheNextCallGoesOn) {
  const Vector query = vector_of(783);
  const Snapshot snapshot = collection().snapshot();
  for (const bool exact : {false, true}) {
    auto cursor = snapshot.cursor(query, {.exact = exact});
    HF_OK(cursor);
    std::stop_source stopped;
    stopped.request_stop();
    const auto past = cursor->next(50, {.deadline = Deadline::clock::now() - std::chrono::seconds(1)});
    HF_OK(past);
    EXPECT_EQ(Stopped::deadline, past->stopped);
    EXPECT_LT(past->size(), 50u) << "nothing was looked at before";
    const auto cancelled = cursor->next(50, {.cancel = stopped.get_token()});
    HF_OK(cancelled);
    EXPECT_EQ(Stopped::cancelled, cancelled->stopped);
    EXPECT_FALSE(cursor->exhausted());
    Hits all(past->begin(), past->end());
    all.insert(all.end(), cancelled->begin(), cancelled->end());
    const Hits rest = drain(*cursor, 64);
    all.insert(all.end(), rest.begin(), rest.end());
    expect_everything(all, query);
  }
}

}  // namespace
}  // namespace holdfast::testing
