// A world whose points die and whose slots are used again, as the engine does it.
#pragma once

#include <functional>
#include <span>
#include <utility>

#include "index/fixture.h"

namespace holdfast::index {

struct MortalWorld : World {
  using World::World;

  [[nodiscard]] Visibility linkable() const {
    return {
        [](const void* set, Slot slot) noexcept { return !static_cast<const SlotSet*>(set)->contains(slot); },
        &dead,
    };
  }
  /// Living nodes of the newest root.
  [[nodiscard]] Visibility alive() const {
    return {[](const void* at, Slot slot) noexcept {
              const auto& world = *static_cast<const MortalWorld*>(at);
              return world.graph->contains(slot, world.root.epoch) && !world.dead.contains(slot);
            },
            this};
  }
  /// Slots that are not free.
  [[nodiscard]] Visibility in_use() const {
    return {[](const void* at, Slot slot) noexcept {
              const auto& slots = static_cast<const MortalWorld*>(at)->free;
              return std::find(slots.begin(), slots.end(), slot) == slots.end();
            },
            this};
  }

  void kill(Slot slot) { dead.insert(slot); }
  void kill_if(const std::function<bool(Slot)>& chosen) {
    for (Slot slot = 0; slot < end; ++slot) {
      if (graph->contains(slot, root.epoch) && chosen(slot)) dead.insert(slot);
    }
  }

  /// Writes the rows of new points, lowest free slots first, and inserts them.
  std::vector<Slot> put(std::span<const std::vector<float>> vectors, unsigned threads = 2) {
    std::vector<NewNode> nodes;
    std::vector<Slot> slots;
    for (const auto& vector : vectors) {
      if (free.empty()) {
        EXPECT_TRUE(table->reserve(end + 1).ok());
        EXPECT_TRUE(graph->reserve(end + 1).ok());
        free.push_back(end++);
      }
      const Slot slot = free.front();
      free.erase(free.begin());
      table->assign(slot, vector);
      nodes.push_back({slot, level_for(mix64(++drawn), graph->params().m)});
      slots.push_back(slot);
    }
    for (std::size_t done = 0; done < nodes.size();) {
      const std::size_t count = GraphWriter::batch_size(root.nodes, nodes.size() - done);
      step(graph->writer().insert(root, std::span(nodes).subspan(done, count), linkable(), threads, retired));
      done += count;
    }
    return slots;
  }

  void repair(unsigned threads = 2, Slot step_slots = 300) {
    for (Slot begin = 0; begin < end; begin += step_slots) {
      step(graph->writer().repair(root, dead, linkable(), begin, begin + step_slots, threads, retired));
    }
  }
  void connect() { step(graph->writer().connect(root, end, linkable(), retired)); }
  /// Takes all dead nodes out of the graph. Their slots are not free yet.
  void vacuum(unsigned threads = 2, Slot step_slots = 300) {
    repair(threads, step_slots);
    step(graph->writer().remove(root, dead, end, retired));
    dead.for_each([&](Slot slot) { removed.push_back(slot); });
    dead.clear();
    connect();
  }
  /// What the reclaimer does once nobody reads the past.
  void forget_the_past() {
    release_retired();
    for (const Slot slot : removed) {
      graph->release_node(slot);
      free.push_back(slot);
    }
    removed.clear();
    std::sort(free.begin(), free.end());
  }
  void expect_alright() const {
    const GraphCheck check = check_graph(*graph, root, end, linkable(), in_use());
    for (const std::string& violation : check.violations) ADD_FAILURE() << violation;
    EXPECT_EQ(check.unreachable, 0U) << "of " << check.nodes;
    EXPECT_EQ(check.stranded, 0U) << "of " << check.nodes;
  }
  [[nodiscard]] std::vector<Slot> nodes() const {
    std::vector<Slot> slots;
    for (Slot slot = 0; slot < end; ++slot) {
      if (graph->contains(slot, root.epoch)) slots.push_back(slot);
    }
    return slots;
  }
  /// Links from nodes that are not in `set` to nodes that are.
  [[nodiscard]] std::size_t links_into(const SlotSet& set) const {
    std::size_t count = 0;
    for (const Slot slot : nodes()) {
      for (int level = 0; level <= graph->level(slot, root.epoch) && !set.contains(slot); ++level) {
        for (const Slot link : graph->neighbors(slot, level, root.epoch)) count += set.contains(link) ? 1 : 0;
      }
    }
    return count;
  }

  void step(Result<GraphRoot> result) {
    ASSERT_TRUE(result.ok()) << result.status().to_string();
    root = *result;
  }

  SlotSet dead;
  std::vector<Slot> removed;
  std::vector<Slot> free;  ///< ascending
  std::uint64_t drawn = 0;
};

}  // namespace holdfast::index
