#include "engine/short_coding.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "base/try.h"
#include "engine/coding.h"
#include "engine/indexer.h"
#include "index/parallel_for.h"

namespace holdfast::engine {

namespace {

constexpr std::uint64_t kCutMin = 1'000;       ///< nodes beyond the codes' range, and
constexpr std::uint64_t kCutPerThousand = 20;  ///< of all, that are too many

bool has_drifted(const index::ShortCodes& codes, const View& view) {
  const std::uint64_t cut = codes.cut_rows();
  return cut > kCutMin && cut * 1'000 > std::uint64_t{view.graph.nodes} * kCutPerThousand;
}

/// False: short codes are of no use here, or no better than they are.
bool begin(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  ShortCodingState& coding = state.mutator.short_coding;
  coding.making = index::ShortCodes::learn(*view.codes, sample_of_nodes(state, view));
  coding.useless = coding.making == nullptr;
  coding.next = 0;
  coding.end = view.slot_end;
  return !coding.useless;
}

/// False: there is no memory.
bool encode_piece(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  ShortCodingState& coding = state.mutator.short_coding;
  const Slot first = coding.next;
  const Slot end = first + std::min<Slot>(coding.end - first, kChunkSlots);
  if (!coding.making->reserve(end).ok()) return false;
  const index::Graph& graph = state.store.graph();
  index::ShortCodes& table = *coding.making;
  constexpr Slot kRun = 256;
  const bool done =
      index::parallel_for(worker_count(state), (end - first + kRun - 1) / kRun, [&](unsigned, std::size_t run) {
        const Slot begin = first + static_cast<Slot>(run) * kRun;
        for (Slot slot = begin; slot < std::min(end, begin + kRun); ++slot) {
          if (graph.contains(slot, view.graph.epoch)) table.assign(*view.codes, slot);
        }
        return true;
      });
  coding.next = end;
  return done;
}

}  // namespace

void want_short_codes(const CollectionState& state) noexcept {
  // Asked first: a line that every reader writes to would slow all of them down.
  if (!state.short_codes_wanted.load(std::memory_order_relaxed)) {
    state.short_codes_wanted.store(true, std::memory_order_relaxed);
  }
}

bool wants_short_codes(const CollectionState& state, const View& view) {
  const ShortCodingState& coding = state.mutator.short_coding;
  if (!state.short_codes_wanted.load(std::memory_order_relaxed)) return false;
  if (view.codes == nullptr || view.codes->exact() || coding.useless || coding.given_up) return false;
  return coding.making || !coding.published || has_drifted(*coding.published, view);
}

bool short_codes_piece(CollectionState& state, const View& view, PendingGraph& made) {
  if (!wants_short_codes(state, view)) return false;
  ShortCodingState& coding = state.mutator.short_coding;
  bool worked = false;
  try {
    if (!coding.making && !begin(state, view)) return false;
    worked = encode_piece(state, view);
  } catch (const std::bad_alloc&) {
    worked = false;
  }
  if (!worked) {  // S2
    coding.making.reset();
    coding.given_up = true;
    return false;
  }
  if (coding.next < coding.end) return false;
  coding.making->set_cut_rows(0);  // what the sample did not show is no drift: another sample would show no more
  made.root = view.graph;
  ++made.root.epoch;
  made.growing_begin = view.growing_begin;
  made.short_codes = coding.making;
  return true;
}

Status shorten_nodes(CollectionState& state, std::span<const index::NewNode> nodes) {
  ShortCodingState& coding = state.mutator.short_coding;
  const index::CodeTable* const codes = state.mutator.coding.published.get();
  if (codes == nullptr) return {};
  Slot end = 0;
  for (const index::NewNode& node : nodes) end = std::max(end, node.slot + 1);
  for (index::ShortCodes* table : {coding.published.get(), coding.making.get()}) {
    if (table == nullptr) continue;
    HF_TRY(table->reserve(end));
    for (const index::NewNode& node : nodes) table->assign(*codes, node.slot);
  }
  return {};
}

void retire_short_codes(CollectionState& state, GraphEpoch epoch) {
  const ShortCodingState& coding = state.mutator.short_coding;
  if (!coding.published) return;
  state.store.reclaimer().retire({0, epoch, coding.published->memory_bytes(), [old = coding.published] {}});
}

void short_codes_were_published(CollectionState& state, std::shared_ptr<index::ShortCodes> made) noexcept {
  ShortCodingState& coding = state.mutator.short_coding;
  coding.making.reset();
  coding.useless = false;  // if the codes of 8 bits are new: asked again
  coding.published = std::move(made);
  state.short_code_bytes.store(coding.published ? coding.published->memory_bytes() : 0, std::memory_order_relaxed);
  if (coding.published) state.code_trainings.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace holdfast::engine
