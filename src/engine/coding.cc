#include "engine/coding.h"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "base/try.h"
#include "engine/code_loading.h"
#include "engine/indexer.h"
#include "index/code_table.h"
#include "index/parallel_for.h"
#include "index/read_check.h"

namespace holdfast::engine {

namespace {

constexpr std::uint32_t kNodesMin = 1'000;     ///< below, rows are fast enough, and no sample
constexpr std::size_t kSample = 10'000;        ///< nodes to train on
constexpr std::uint64_t kOutgrown = 10;        ///< times the nodes that it was trained on, if they were no full sample
constexpr std::uint64_t kCutPerThousand = 20;  ///< nodes beyond the ranges that are too many
constexpr Slot kPiece = kChunkSlots;

bool is_outgrown(const index::CodeTable& codes, const View& view) {
  const std::uint64_t trained = codes.training().nodes;
  if (trained < kSample && view.graph.nodes / kOutgrown >= trained) return true;
  const std::uint64_t cut = codes.cut_rows();
  return cut > kNodesMin && cut * 1'000 > std::uint64_t{view.graph.nodes} * kCutPerThousand;
}

/// False: the vectors are such that codes are of no use.
bool begin(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  CodingState& coding = state.mutator.coding;
  coding.next = 0;
  coding.end = view.slot_end;
  if (coding.image && begin_loading(state)) return true;
  const std::vector<Slot> sample = sample_of_nodes(state, view);
  const index::VectorTable& vectors = state.store.vectors();
  for (const Slot slot : sample) (void)vectors.row(slot);  // checked: the caller asks its ReadCheck
  index::Quantizer quantizer = index::Quantizer::train(vectors, sample);
  if (!quantizer.usable()) return false;
  const index::CodeTable::Training training{++coding.last_training, view.graph.nodes};
  coding.making = std::make_shared<index::CodeTable>(std::move(quantizer), training);
  return true;
}

/// False: there is no memory.
bool encode_piece(CollectionState& state, const View& view) HF_REQUIRES(state.graph_mutex) {
  CodingState& coding = state.mutator.coding;
  const Slot first = coding.next;
  const Slot end = std::min<Slot>(coding.end - first, kPiece) + first;
  if (!coding.making->reserve(end).ok()) return false;
  coding.next = end;
  if (coding.image) return load_codes(state, view, first, end);
  const index::Graph& graph = state.store.graph();
  constexpr Slot kRun = 256;
  index::CodeTable& table = *coding.making;
  return index::parallel_for(worker_count(state), (end - first + kRun - 1) / kRun, [&](unsigned, std::size_t run) {
    const Slot begin = first + static_cast<Slot>(run) * kRun;
    for (Slot slot = begin; slot < std::min(end, begin + kRun); ++slot) {
      if (graph.contains(slot, view.graph.epoch)) table.assign(state.store.vectors(), slot);
    }
    return true;
  });
}

}  // namespace

std::vector<Slot> sample_of_nodes(const CollectionState& state, const View& view) {
  const std::uint64_t stride = std::max<std::uint64_t>(view.graph.nodes / kSample, 1);
  std::vector<Slot> sample;
  sample.reserve(std::min<std::size_t>(view.graph.nodes, kSample + 1));
  std::uint64_t seen = 0;
  for (Slot slot = 0; slot < view.slot_end && sample.size() <= kSample; ++slot) {
    if (state.store.graph().contains(slot, view.graph.epoch) && seen++ % stride == 0) sample.push_back(slot);
  }
  return sample;
}

bool wants_codes(const CollectionState& state, const View& view) {
  const CodingState& coding = state.mutator.coding;
  if (coding.given_up || view.graph.nodes < kNodesMin) return false;
  return coding.making || !coding.published || is_outgrown(*coding.published, view);
}

bool codes_piece(CollectionState& state, const View& view, PendingGraph& made) {
  if (!wants_codes(state, view)) return false;
  CodingState& coding = state.mutator.coding;
  const index::ReadCheck check;
  bool worked = false;
  try {
    worked = (coding.making || begin(state, view)) && check.ok() && encode_piece(state, view);
  } catch (const std::bad_alloc&) {
    worked = false;
  }
  if (!worked || !check.ok()) {  // Q3
    coding.making.reset();
    coding.image.reset();
    coding.given_up = true;
    return false;
  }
  if (coding.next < coding.end) return false;
  if (!coding.image) coding.making->set_cut_rows(0);  // what the sample did not show is no drift
  made.root = view.graph;
  ++made.root.epoch;
  made.growing_begin = view.growing_begin;
  made.codes = coding.making;
  return true;
}

Status encode_nodes(CollectionState& state, std::span<const index::NewNode> nodes) {
  CodingState& coding = state.mutator.coding;
  if (!coding.published && !coding.making) return {};
  Slot end = 0;
  for (const index::NewNode& node : nodes) end = std::max(end, node.slot + 1);
  const index::ReadCheck check;  // damaged rows: the insertion reads them, too, and says so
  for (index::CodeTable* table : {coding.published.get(), coding.making.get()}) {
    if (table == nullptr) continue;
    HF_TRY(table->reserve(end));
    constexpr std::size_t kRun = 64;
    const bool done =
        index::parallel_for(nodes.size() < 4 * kRun ? 1 : worker_count(state), (nodes.size() + kRun - 1) / kRun,
                            [&](unsigned, std::size_t run) {
                              for (std::size_t i = run * kRun; i < std::min(nodes.size(), (run + 1) * kRun); ++i) {
                                table->assign(state.store.vectors(), nodes[i].slot);
                              }
                              return true;
                            });
    if (!done) return {StatusCode::resource_exhausted, "no memory for codes: free some or use less"};
  }
  return {};
}

void retire_codes(CollectionState& state, GraphEpoch epoch) {
  const CodingState& coding = state.mutator.coding;
  if (!coding.published) return;
  state.store.reclaimer().retire({0, epoch, coding.published->memory_bytes(), [old = coding.published] {}});
}

void codes_were_published(CollectionState& state, std::shared_ptr<index::CodeTable> codes) noexcept {
  CodingState& coding = state.mutator.coding;
  if (coding.making == codes) coding.making.reset();
  if (!coding.image) state.code_trainings.fetch_add(1, std::memory_order_relaxed);
  coding.image.reset();
  coding.published = std::move(codes);
  state.code_bytes.store(coding.published->memory_bytes(), std::memory_order_relaxed);
}

}  // namespace holdfast::engine
