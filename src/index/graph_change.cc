#include "index/graph_change.h"

#include <algorithm>

#include "base/plant.h"

namespace holdfast::index {

GraphChange::~GraphChange() {
  for (const auto& part : parts_) {
    for (const Replacement& replacement : part) release_list(replacement.list);
  }
}

std::size_t GraphChange::size() const noexcept {
  std::size_t count = 0;
  for (const auto& part : parts_) count += part.size();
  return count;
}

void GraphChange::make_room(std::vector<RetiredList>& retired, std::size_t more) const {
  const std::size_t count = size() + more;
  if (retired.capacity() - retired.size() < count)
    retired.reserve(std::max(retired.capacity() * 2, retired.size() + count));
}

void GraphChange::publish(GraphStore& store, GraphEpoch epoch, std::vector<RetiredList>& retired) noexcept {
  for (auto& part : parts_) {
    for (const Replacement& replacement : part) {
      if (NeighborList* const old = replacement.list->prev; old != nullptr) {
        retired.push_back({old, epoch, list_bytes(old->count)});
        const std::uint32_t both = std::min(old->count, replacement.list->count);
        if (HF_PLANTED(list_is_edited_in_place)) std::copy_n(replacement.list->ids(), both, old->ids());
      }
      store.publish_list(replacement.slot, replacement.level, replacement.list);
    }
    part.clear();
  }
}

}  // namespace holdfast::index
