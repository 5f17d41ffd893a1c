#include "index/graph.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "index/graph_impl.h"

namespace holdfast::index {

int level_for(std::uint64_t id_hash, std::uint32_t m) noexcept {
  // floor(-ln(u) / ln(m)) for u uniform in (0, 1]: P(level >= l) = m^-l (Malkov, Yashunin, section 4.1). Counted with
  // a product of integers instead of logarithms, so that every machine draws the same level.
  const std::uint64_t drawn = mix64(id_hash) >> 11;  // 53 bits
  const std::uint64_t ratio = std::max<std::uint32_t>(m, 2);
  std::uint64_t bound = (std::uint64_t{1} << 53) / ratio;
  int level = 0;
  while (level < kMaxLevels - 1 && drawn < bound) {
    bound /= ratio;
    ++level;
  }
  return level;
}

const GraphStore& store_of(const Graph& graph) noexcept { return graph.impl_->store; }

Graph::Graph(const VectorTable& vectors, GraphParams params) : impl_(std::make_unique<Impl>(vectors, params)) {}
Graph::~Graph() = default;

const GraphParams& Graph::params() const noexcept { return impl_->store.params(); }
const VectorTable& Graph::vectors() const noexcept { return impl_->store.vectors(); }

std::span<const Slot> Graph::neighbors(Slot slot, int level, GraphEpoch epoch) const noexcept {
  if (slot >= impl_->store.slot_limit() || level < 0) return {};
  if (level > 0 && !contains(slot, epoch)) return {};
  return impl_->store.neighbors(slot, level, epoch);
}

bool Graph::contains(Slot slot, GraphEpoch epoch) const noexcept {
  if (slot >= impl_->store.slot_limit()) return false;
  bool is_node = false;
  (void)impl_->store.level0(slot, epoch, is_node);
  return is_node;
}

int Graph::level(Slot slot, GraphEpoch epoch) const noexcept {
  if (!contains(slot, epoch)) return -1;
  const UpperNode* const node = impl_->store.upper_node(slot);
  return node == nullptr ? 0 : static_cast<int>(node->level);
}

bool Graph::mapped_as_node(Slot slot) const noexcept {
  return slot < impl_->store.slot_limit() && impl_->store.mapped_as_node(slot);
}

void Graph::release_node(Slot slot) noexcept { impl_->store.release_node(slot); }
Status Graph::reserve(Slot end) { return impl_->store.reserve(end); }
GraphEpoch Graph::changed_epoch(std::uint32_t chunk) const noexcept { return impl_->store.changed_epoch(chunk); }
GraphEpoch Graph::changed_upper_epoch(std::uint32_t chunk) const noexcept {
  return impl_->store.changed_upper_epoch(chunk);
}
bool Graph::changed_since(Slot slot, GraphEpoch since, GraphEpoch epoch) const noexcept {
  return slot < impl_->store.slot_limit() && impl_->store.changed_since(slot, since, epoch);
}
GraphWriter Graph::writer() { return GraphWriter(*impl_); }
std::uint64_t Graph::memory_bytes() const noexcept { return impl_->store.memory_bytes(); }

}  // namespace holdfast::index
