// Pins and reclamation: nothing that a pinned view shows is freed, everything else is.
#include "engine/view.h"
#include "engine/pins.h"
#include "engine/reclaimer.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/random.h"

namespace holdfast::engine {
namespace {

struct Stage {
  SlotTable slots;
  index::VectorTable vectors{2, Metric::l2};
  index::Graph graph{vectors, {}};
  FreeSlots free_slots;
  PinTable pins{new View{}};
  std::atomic<std::uint64_t> view_bytes{0};
  Reclaimer reclaimer{pins, slots, graph, free_slots, view_bytes, 100};

  void publish(Lsn lsn, GraphEpoch epoch) {
    auto* view = new View(*pins.current());
    view->lsn = lsn;
    view->graph.epoch = epoch;
    reclaimer.retire_view(pins.current());
    pins.publish(view);
  }
};

TEST(Reclaimer, frees_only_what_every_pinned_view_is_past) {
  int freed = 0;  // outlives the stage, whose reclaimer frees what is left
  Stage stage;
  stage.publish(1, 1);
  auto old = std::make_unique<Pin>(stage.pins);
  stage.publish(2, 1);
  stage.reclaimer.retire({2, 1, 100, [&] { ++freed; }});
  stage.reclaimer.collect();
  EXPECT_EQ(freed, 0) << "the pinned view of lsn 1 still needs it";
  EXPECT_EQ(stage.reclaimer.retained_bytes(), 100u);
  EXPECT_EQ((*old)->lsn, 1u);
  old.reset();
  stage.reclaimer.collect();
  EXPECT_EQ(freed, 1);
  EXPECT_EQ(stage.reclaimer.retained_bytes(), 0u);
}

TEST(Reclaimer, what_belongs_to_the_future_waits_for_its_publication) {
  int freed = 0;  // outlives the stage, whose reclaimer frees what is left
  Stage stage;
  stage.publish(1, 1);
  stage.reclaimer.retire({2, 0, 1, [&] { ++freed; }});
  stage.reclaimer.collect();
  EXPECT_EQ(freed, 0) << "the current view counts as pinned";
  stage.publish(2, 1);
  stage.reclaimer.collect();
  EXPECT_EQ(freed, 1);
}

TEST(Reclaimer, epochs_and_lsns_are_both_waited_for) {
  int freed = 0;  // outlives the stage, whose reclaimer frees what is left
  Stage stage;
  stage.publish(5, 1);
  Pin pin(stage.pins);
  stage.publish(6, 2);
  stage.reclaimer.retire({5, 2, 1, [&] { ++freed; }});
  stage.reclaimer.collect();
  EXPECT_EQ(freed, 0);
}

TEST(PinTable, readers_never_see_a_freed_view) {
  // Each view carries a number that must match itself; ASan and TSan watch the rest.
  Stage stage;
  constexpr Lsn kViews = 20'000;
  std::atomic<bool> done{false};
  std::vector<std::jthread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      Lsn last = 0;
      while (!done.load(std::memory_order_acquire)) {
        const Pin pin(stage.pins);
        EXPECT_EQ(pin->lsn, pin->graph.epoch);
        EXPECT_GE(pin->lsn, last) << "time went back";
        last = pin->lsn;
      }
    });
  }
  for (Lsn lsn = 1; lsn <= kViews; ++lsn) {
    stage.publish(lsn, lsn);
    stage.reclaimer.collect();
  }
  done.store(true, std::memory_order_release);
}

}  // namespace
}  // namespace holdfast::engine
