#include "engine/image_writer.h"

#include <algorithm>
#include <numeric>

#include "base/plant.h"
#include "base/try.h"
#include "engine/checkpoint_codes.h"
#include "engine/checkpoint_ids.h"
#include "engine/image.h"
#include "engine/patch_plan.h"
#include "engine/scrub.h"
#include "index/code_image.h"
#include "index/read_check.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::ExtentInfo;
using Fate = PatchPlan::Fate;

class ImageWriter {
 public:
  ImageWriter(CollectionState& state, const View& view, Slot graph_end, const CheckpointState& last,
              storage::Manifest& manifest)
      : state_(state),
        view_(view),
        graph_end_(graph_end),
        last_(last),
        manifest_(manifest),
        planner_(state, known_, view.slot_end),
        codes_(codes_of_image(state, view, last)) {
    for (const ExtentInfo& extent : last.manifest.extents) known_[{extent.kind, extent.first_slot}] = &extent;
    state.store.arrivals().for_each_run(view.growing_begin, view.growing_end, [this](std::span<const Slot> run) {
      for (const Slot slot : run) {
        if (state_.store.slots().died(slot) <= view_.lsn) growing_dead_.insert(slot);
      }
    });
  }

  Status write_chunk(std::uint32_t chunk) {
    const Slot begin = chunk << kChunkBits;
    const Slot end = std::min(kChunkSlots, view_.slot_end - begin) + begin;
    kept_.clear();
    HF_TRY(put_rows(begin, end, state_.store.slots().assigned_lsn(chunk) > last_.manifest.lsn));
    const Slot nodes_end = std::min(end, graph_end_);
    if (nodes_end <= begin) return {};
    HF_TRY(put_lists(chunk, begin, nodes_end));
    return put_codes(chunk, begin, nodes_end);
  }

  /// What codes were made with: never changes.
  Status write_quantizer(CodesRecord& codes) {
    codes = codes_;
    if (codes_.training == 0) return {};
    const ExtentInfo* const known = known_of_codes(ExtentKind::quantizer, 0);
    if (known != nullptr) {
      manifest_.extents.push_back(*known);
      return {};
    }
    return write(ExtentKind::quantizer, 0, 1, nullptr, [&] {
      index::encode_quantizer(view_.codes->quantizer(), codes_.training, buffer_);
      return Status();
    });
  }

  /// What the image is opened by. Sets the floors of its runs.
  Status write_ids(std::vector<Lsn>& floors) {
    RunPlan plan = plan_runs(state_, view_, last_);
    const std::vector<KnownRun> known = known_runs(last_);
    for (std::size_t i = 0; i < plan.kept; ++i) {
      manifest_.extents.push_back(*known[i].extent);
      floors.push_back(known[i].floor);
    }
    if (!plan.entries.empty() && !HF_PLANTED(new_ids_are_not_in_the_image)) {
      floors.push_back(plan.floor);
      const auto rows = static_cast<std::uint32_t>(plan.entries.size());
      HF_TRY(write(ExtentKind::ids_run, static_cast<Slot>(plan.kept), rows, nullptr, [&] {
        encode_id_run(plan.entries, buffer_);
        return Status();
      }));
    }
    const std::vector<Slot> growing = growing_rows(state_, view_);
    if (growing.empty()) return {};
    const bool changed = manifest_.lsn != last_.manifest.lsn || view_.graph.epoch != last_.epoch;
    const ExtentInfo* const same = planner_.known(static_cast<std::uint8_t>(ExtentKind::growing), 0);
    if (same != nullptr && !changed && same->slot_count == growing.size() && !state_.damage.holds(same->number)) {
      manifest_.extents.push_back(*same);
      return {};
    }
    return write(ExtentKind::growing, 0, static_cast<std::uint32_t>(growing.size()), nullptr, [&] {
      put_bytes(buffer_, std::as_bytes(std::span(growing)));
      return Status();
    });
  }

 private:
  /// The rows that the image needs (K1). What a pinned view shows or names is not written by anybody.
  const SlotTable::Kept& kept(Slot begin, Slot end) {
    if (!kept_.empty()) return kept_;
    kept_.resize(kChunkSlots);
    for (Slot slot = begin; slot < end; ++slot) {
      kept_[slot - begin] = state_.store.slots().visible(slot, view_.lsn) ||
                            state_.store.graph().contains(slot, view_.graph.epoch) || growing_dead_.contains(slot);
    }
    return kept_;
  }

  // --- rows ---

  /// Ids, stamps, vectors, payloads and values. What was assigned since the last image changed all but the stamps.
  Status put_rows(Slot begin, Slot end, bool assigned) {
    const SlotTable& slots = state_.store.slots();
    const Lsn since = last_.manifest.lsn;
    HF_ASSIGN(PatchPlan ids, planner_.plan(ExtentKind::ids, begin, end, assigned, [&](Slot slot) {
      const Lsn born = slots.born(slot);
      return born > since && born <= view_.lsn && kept(begin, end)[slot - begin];
    }));
    const bool emptied = HF_PLANTED(emptied_collection_is_skipped) && view_.live == 0;
    const bool stamped = slots.changed_lsn(begin >> kChunkBits) > since && !emptied;
    HF_ASSIGN(PatchPlan stamps, planner_.plan(ExtentKind::stamps, begin, end, stamped,
                                              [&](Slot slot) { return slots.changed_since(slot, since); }));
    PatchPlan vectors = planner_.plan_like(ids, ExtentKind::vectors, begin, end);
    PatchPlan payloads = planner_.plan_like(ids, ExtentKind::payloads, begin, end);
    HF_TRY(check_sources(ExtentKind::vectors, begin, vectors));
    HF_TRY(check_sources(ExtentKind::payloads, begin, payloads));
    if (assigned && ids.fate != Fate::written && (vectors.fate == Fate::written || payloads.fate == Fate::written)) {
      ids = vectors = payloads = PatchPlan();
      HF_TRY(check_sources(ExtentKind::vectors, begin, vectors));
      HF_TRY(check_sources(ExtentKind::payloads, begin, payloads));
    }
    if (assigned && ids.fate == Fate::written) stamps = PatchPlan();  // I2
    HF_TRY(put(ExtentKind::ids, begin, end, ids, [&](std::span<const std::uint32_t> rows) {
      slots.encode_ids(begin, rows, kept(begin, end), buffer_);
      return Status();
    }));
    HF_TRY(put(ExtentKind::stamps, begin, end, stamps, [&](std::span<const std::uint32_t> rows) {
      slots.encode_stamps(begin, rows, kept(begin, end), view_.lsn, buffer_);
      return Status();
    }));
    HF_TRY(put_vectors(begin, end, vectors));
    HF_TRY(put_payloads(begin, end, payloads));
    return put_values(begin, end, ids, assigned);
  }

  Status put_vectors(Slot begin, Slot end, const PatchPlan& plan) {
    return put(ExtentKind::vectors, begin, end, plan, [&](std::span<const std::uint32_t> rows) -> Status {
      for (std::size_t i = 0; i < rows.size();) {  // run by run: rows stand one after the other
        std::size_t next = i + 1;
        const bool wanted = kept(begin, end)[rows[i]];
        while (next < rows.size() && rows[next] == rows[next - 1] + 1 && kept(begin, end)[rows[next]] == wanted) ++next;
        HF_TRY(append_vectors(begin, end, rows[i], rows[next - 1] + 1, wanted));
        i = next;
      }
      return {};
    });
  }

  Status append_vectors(Slot begin, Slot end, std::uint32_t first, std::uint32_t stop, bool wanted) {
    const index::VectorTable& vectors = state_.store.vectors();
    const std::size_t bytes = std::size_t{stop - first} * vectors.stride();
    if (!wanted) {
      buffer_.assign(bytes, std::byte{0});
      return flush();
    }
    if (Status damage = vectors.verify_rows(begin + first, begin + stop);
        !damage.ok() && !HF_PLANTED(damage_is_checkpointed)) {
      return name_points(damage, begin, end);  // K4
    }
    return writer_->append({static_cast<const std::byte*>(vectors.address(begin + first)), bytes});
  }

  /// Offsets first, then the texts one by one: a chunk of payloads may be larger than memory should be.
  Status put_payloads(Slot begin, Slot end, const PatchPlan& plan) {
    return put(ExtentKind::payloads, begin, end, plan, [&](std::span<const std::uint32_t> rows) -> Status {
      const SlotTable& slots = state_.store.slots();
      const SlotTable::Kept& keep = kept(begin, end);
      const std::uint64_t offsets_at = plan.fate == Fate::patched ? storage::patch_columns_at(rows.size()) : 0;
      HF_TRY(slots.encode_payload_offsets(begin, rows, keep, view_.lsn, offsets_at, buffer_));
      HF_TRY(flush());
      for (const std::uint32_t row : rows) {
        HF_ASSIGN(const std::string_view text, slots.payload_at(begin + row, keep, view_.lsn));
        HF_TRY(writer_->append(std::as_bytes(std::span(text.data(), text.size()))));
      }
      return {};
    });
  }

  /// Only for chunks that hold points with several vectors.
  Status put_values(Slot begin, Slot end, const PatchPlan& ids, bool assigned) {
    const SlotTable& slots = state_.store.slots();
    if (view_.values == view_.live) return {};
    const bool known = planner_.known(static_cast<std::uint8_t>(ExtentKind::values), begin) != nullptr;
    if ((assigned || !known) && !slots.has_values(begin, end, kept(begin, end))) return {};
    const PatchPlan plan = planner_.plan_like(ids, ExtentKind::values, begin, end);
    return put(ExtentKind::values, begin, end, plan, [&](std::span<const std::uint32_t> rows) {
      slots.encode_values(begin, rows, kept(begin, end), buffer_);
      return Status();
    });
  }

  // --- lists ---

  Status put_lists(std::uint32_t chunk, Slot begin, Slot end) {
    const index::Graph& graph = state_.store.graph();
    const bool stay = HF_PLANTED(lists_of_an_older_image_stay);
    const bool changed = graph.changed_epoch(chunk) > last_.epoch && !stay;
    HF_ASSIGN(PatchPlan plan, planner_.plan(ExtentKind::level0, begin, end, changed, [&](Slot slot) {
      return graph.changed_since(slot, last_.epoch, view_.graph.epoch);
    }));
    HF_TRY(check_sources(ExtentKind::level0, begin, plan));
    HF_TRY(check_mapped_lists(begin));
    HF_TRY(put(ExtentKind::level0, begin, end, plan, [&](std::span<const std::uint32_t> rows) {
      std::vector<Slot> slots(rows.begin(), rows.end());
      for (Slot& slot : slots) slot += begin;
      graph.encode_level0(slots, view_.graph.epoch, buffer_);
      return Status();
    }));
    const bool upper_changed = graph.changed_upper_epoch(chunk) > last_.epoch && !stay;
    HF_ASSIGN(const PatchPlan upper,
              planner_.plan(ExtentKind::upper, begin, end, upper_changed, [&](Slot) { return upper_changed; }));
    return put(ExtentKind::upper, begin, end, upper, [&](std::span<const std::uint32_t>) {
      graph.encode_upper(chunk, end, view_.graph.epoch, buffer_);
      return Status();
    });
  }

  // --- codes (I5) ---

  Status put_codes(std::uint32_t chunk, Slot begin, Slot end) {
    if (codes_.training == 0) return {};
    const ExtentInfo* const known = known_of_codes(ExtentKind::codes, begin);
    if (known != nullptr) {
      const bool changed = state_.store.graph().changed_epoch(chunk) > last_.epoch;
      if (view_.codes == nullptr || !changed || !lacks_codes(state_, view_, *known, codes_.training, begin, end)) {
        manifest_.extents.push_back(*known);
        return {};
      }
    }
    if (view_.codes == nullptr) return {};
    const index::ReadCheck check;  // if nodes cannot be read, the chunk goes without codes
    std::vector<bool> held(end - begin);
    for (Slot slot = begin; slot < end; ++slot) {
      held[slot - begin] = state_.store.graph().contains(slot, view_.graph.epoch);
    }
    if (!check.ok() || std::find(held.begin(), held.end(), true) == held.end()) return {};
    return write(ExtentKind::codes, begin, end - begin, nullptr, [&] { return append_codes(begin, held); });
  }

  Status append_codes(Slot begin, const std::vector<bool>& held) {
    const std::uint32_t components = view_.codes->quantizer().dimension();
    index::encode_code_head(*view_.codes, manifest_.lsn, begin, held, buffer_);
    for (std::uint32_t row = 0; row < held.size(); ++row) {
      // Rows that are no nodes may be written just now (CodeRows, W1).
      if (held[row]) put_bytes(buffer_, std::as_bytes(std::span(view_.codes->row(begin + row), components)));
      if (!held[row]) buffer_.resize(buffer_.size() + components);
      if (buffer_.size() >= kFlushBytes) HF_TRY(flush());
    }
    return {};
  }

  /// Of the last image, if it is of the same training and not known to be damaged; else null.
  [[nodiscard]] const ExtentInfo* known_of_codes(ExtentKind kind, Slot begin) const {
    if (codes_.training != last_.codes.training || HF_PLANTED(every_extent_is_written_again)) return nullptr;
    const ExtentInfo* const known = planner_.known(static_cast<std::uint8_t>(kind), begin);
    return known != nullptr && !state_.damage.holds(known->number) ? known : nullptr;
  }

  // --- damage (K4) ---

  /// Before rows, texts or lists are copied from a mapping, its file is read again: a page that was sound when it was
  /// touched first may have rotted since, been dropped from the cache and read anew, and must not get a right checksum.
  Status check_sources(ExtentKind kind, Slot begin, PatchPlan& plan) const {
    if (plan.fate == Fate::named_again) return {};
    const auto number = static_cast<std::uint8_t>(kind);
    HF_TRY(check_source(number | kPatchBit, begin));
    if (plan.patch != nullptr && state_.damage.holds(plan.patch->number)) plan = PatchPlan();
    // The rows of a patch come from the patch before, and from memory.
    return plan.fate == Fate::written ? check_source(number, begin) : Status();
  }
  Status check_source(std::uint8_t kind, Slot begin) const {
    const ExtentInfo* const known = planner_.known(kind, begin);
    if (known == nullptr || !state_.mapped_extents.contains(known->number)) return {};
    return check_extent_file(state_, *known);
  }

  /// Lists of level 0 are read where they are mapped. They were verified at open; if the file was found damaged since,
  /// what is mapped may be so, too.
  Status check_mapped_lists(Slot begin) const {
    const auto kind = static_cast<std::uint8_t>(ExtentKind::level0);
    const ExtentInfo* const base = planner_.known(kind, begin);
    const ExtentInfo* const patch = planner_.known(kind | kPatchBit, begin);
    if (base == nullptr) return {};
    const bool damaged = state_.damage.holds(base->number) || (patch != nullptr && state_.damage.holds(patch->number));
    const auto mapped = state_.mapped_extents.find(base->number);
    if (!damaged || mapped == state_.mapped_extents.end()) return {};  // in memory
    for (std::uint64_t page = 0; page < mapped->second->pages(); ++page) HF_TRY(mapped->second->verify_page(page));
    return {};
  }

  /// What the damage costs, for people: the points whose rows cannot be read.
  [[nodiscard]] Status name_points(const Status& damage, Slot begin, Slot end) {
    constexpr std::size_t kNamed = 10;
    const SlotTable& slots = state_.store.slots();
    std::string ids;
    std::size_t count = 0;
    std::size_t dead = 0;
    for (Slot slot = begin; slot < end; ++slot) {
      if (!kept(begin, end)[slot - begin] || state_.store.vectors().verify_row(slot).ok()) continue;
      if (slots.died(slot) <= view_.lsn) {
        ++dead;
      } else if (count++ < kNamed) {
        ids += (ids.empty() ? "" : ", ") + slots.id(slot).to_string();
      }
    }
    std::string message(damage.message());
    message += "; a checkpoint cannot leave it out, the log keeps everything. It holds " + std::to_string(count) +
               " living vectors";
    if (count != 0) message += " (points " + ids + (count > kNamed ? ", ..." : "") + "): erase or write them again";
    if (dead != 0) message += ", and " + std::to_string(dead) + " dead ones that vacuum has not taken out yet";
    return {damage.code(), std::move(message)};
  }

  // --- files ---

  static constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

  /// `append(rows)` puts columns of these rows, one behind the other, into buffer_ (or flushes it and appends to
  /// writer_).
  template <class Append>
  Status put(ExtentKind kind, Slot begin, Slot end, const PatchPlan& plan, Append append) {
    if (plan.fate != Fate::written) manifest_.extents.push_back(*plan.base);
    if (plan.fate == Fate::named_again) {
      if (plan.patch != nullptr) manifest_.extents.push_back(*plan.patch);
      return {};
    }
    const bool patched = plan.fate == Fate::patched;
    return write(kind, begin, end - begin, patched ? plan.base : nullptr, [&]() -> Status {
      if (!patched) return append(std::span<const std::uint32_t>(all_rows_).first(end - begin));
      buffer_ = storage::encode_patch_head(*plan.base, plan.rows, patch_shape(kind, state_.config));
      HF_TRY(flush());
      return append(plan.rows);
    });
  }

  /// One file. `patched`: what it is a patch of; null: it is none. `fill()` as `append` above.
  template <class Fill>
  Status write(ExtentKind kind, Slot first, std::uint32_t count, const ExtentInfo* patched, Fill fill) {
    ExtentInfo info;
    info.number = manifest_.next_extent++;
    info.kind = static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) | (patched != nullptr ? kPatchBit : 0));
    info.first_slot = first;
    info.slot_count = count;
    const storage::ExtentOrigin origin{manifest_.generation, manifest_.lsn,
                                       encode_extent_note(state_.config, patched != nullptr ? patched->number : 0)};
    HF_ASSIGN(writer_, storage::ExtentWriter::create(state_.fs, os::join(state_.directory, storage::kExtentDirectory),
                                                     state_.uuid, info, origin));
    buffer_.clear();
    HF_TRY(fill());
    HF_TRY(flush());
    HF_ASSIGN(info, writer_->finish());
    writer_.reset();
    manifest_.extents.push_back(info);
    return {};
  }

  Status flush() {
    HF_TRY(writer_->append(buffer_));
    buffer_.clear();
    return {};
  }
  static std::vector<std::uint32_t> all_rows_of_a_chunk() {
    std::vector<std::uint32_t> rows(kChunkSlots);
    std::iota(rows.begin(), rows.end(), 0U);
    return rows;
  }

  CollectionState& state_;
  const View& view_;
  const Slot graph_end_;
  const CheckpointState& last_;
  storage::Manifest& manifest_;
  KnownExtents known_;
  PatchPlanner planner_;
  const CodesRecord codes_;  ///< of this image
  const std::vector<std::uint32_t> all_rows_ = all_rows_of_a_chunk();
  index::SlotSet growing_dead_;  ///< of the growing range
  SlotTable::Kept kept_;         ///< of the chunk in work; empty: not looked at yet
  std::unique_ptr<storage::ExtentWriter> writer_;
  Bytes buffer_;
};

}  // namespace

/// Most rows at the end are nodes, unless much is waiting for the indexer.
Slot find_graph_end(const CollectionState& state, const View& view, const storage::Manifest& last) {
  Slot known = 0;
  for (const ExtentInfo& extent : last.extents) {
    if (kind_of(extent.kind) == ExtentKind::level0) known = std::max(known, extent.first_slot + extent.slot_count);
  }
  Slot end = view.slot_end;
  while (end > known && !state.store.graph().contains(end - 1, view.graph.epoch)) --end;
  return end;
}

Status write_image(CollectionState& state, const View& view, Slot graph_end, const CheckpointState& last,
                   storage::Manifest& manifest, ImageParts& parts) {
  const index::ReadCheck check;
  const auto sound = [&] { return check.ok() || HF_PLANTED(what_was_not_read_is_checkpointed); };  // I4
  ImageWriter writer(state, view, graph_end, last, manifest);
  const std::uint32_t chunks = (view.slot_end + kChunkSlots - 1) >> kChunkBits;
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    HF_TRY(writer.write_chunk(chunk));
    if (!sound()) return check.status();
  }
  HF_TRY(writer.write_quantizer(parts.codes));
  HF_TRY(writer.write_ids(parts.floors));
  if (!sound()) return check.status();
  // power fails here: extents that no manifest names; removed at the next open
  if (HF_PLANTED(manifest_comes_before_the_names_of_extents)) return {};
  return state.fs.sync_directory(os::join(state.directory, storage::kExtentDirectory));
}

}  // namespace holdfast::engine
