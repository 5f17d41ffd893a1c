// The lists that one change of the graph makes: owned until they are published, together, as one epoch.
//
// Every change (insertion, repair, connection) works in the same order: make all new lists from the base epoch, which
// nobody changes meanwhile; reserve what publishing needs; publish, which cannot fail any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "index/graph.h"
#include "index/graph_store.h"

namespace holdfast::index {

/// A list that takes the place of another one when the change is published.
struct Replacement {
  Slot slot;
  int level;
  NeighborList* list;
};

class GraphChange {
 public:
  GraphChange() = default;
  ~GraphChange();  ///< frees what was made and not published
  GraphChange(const GraphChange&) = delete;
  GraphChange& operator=(const GraphChange&) = delete;

  /// Parts are filled independently of each other, each by one thread at a time.
  void set_parts(std::size_t count) { parts_.resize(count); }
  /// REQUIRES that no two parts hold a list for the same slot and level.
  [[nodiscard]] std::vector<Replacement>& part(std::size_t number) noexcept { return parts_[number]; }
  [[nodiscard]] std::size_t size() const noexcept;

  /// Makes room for what publish() will append, and `more`. May throw bad_alloc.
  void make_room(std::vector<RetiredList>& retired, std::size_t more = 0) const;
  /// Swings all heads; appends what was superseded. REQUIRES make_room() before.
  void publish(GraphStore& store, GraphEpoch epoch, std::vector<RetiredList>& retired) noexcept;

 private:
  std::vector<std::vector<Replacement>> parts_;
};

}  // namespace holdfast::index
