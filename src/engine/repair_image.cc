// Invariants
//  D1. A row of which any byte stands in a damaged page, or that the image should have and has not, is left out; and
//      with it all rows of its point: a point is whole or gone.
//  D2. A row that is left out stands as free: it has no stamps. If it was a node of the graph it is a dead one, which a
//      vacuum takes out.
//  D3. What is left is loaded through PointStore::finish_loading, with the counts of what is left: the checks of an
//      open hold for a salvaged image as well.
#include "engine/repair_image.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "engine/rows.h"
#include "index/check.h"
#include "storage/file_names.h"

namespace holdfast::engine {

namespace {

using storage::Extent;
using storage::ExtentInfo;

constexpr std::uint64_t kIdBytes = 16, kStampBytes = 16, kOffsetBytes = 8, kValueBytes = 4;

struct AlignedRows {
  std::unique_ptr<std::byte[]> memory;
  std::span<std::byte> rows;
};

/// Zeroed, aligned like a mapping.
AlignedRows make_rows(std::size_t bytes) {
  constexpr std::size_t kAlignment = 64;
  AlignedRows made;
  made.memory = std::make_unique<std::byte[]>(bytes + kAlignment);
  void* at = made.memory.get();
  std::size_t space = bytes + kAlignment;
  made.rows = {static_cast<std::byte*>(std::align(kAlignment, bytes, at, space)), bytes};
  return made;
}

/// An extent with its patch laid over it, as far as both can be read.
struct PatchedRows {
  AlignedRows data;
  storage::PatchShape shape;
  std::uint32_t rows = 0;
  std::vector<bool> bad;  ///< by row: of which a byte is lost
  [[nodiscard]] bool hits(std::uint64_t offset, std::uint64_t length) const {
    if (length == 0) return false;
    const std::uint64_t first_column = std::uint64_t{shape.widths[0]} * rows;
    const auto row_of = [&](std::uint64_t at) {
      return at < first_column ? at / shape.widths[0] : (at - first_column) / shape.widths[1];
    };
    for (std::uint64_t row = row_of(offset); row <= row_of(offset + length - 1); ++row) {
      if (bad[row]) return true;
    }
    return false;
  }
};

/// One chunk of the image, as far as it can be read.
struct Chunk {
  Slot begin = 0;
  std::uint32_t rows = 0;
  struct Part {
    const ExtentInfo* info = nullptr;  ///< null: the manifest names none
    const ExtentInfo* patch_info = nullptr;
    std::shared_ptr<const Extent> extent;
    std::shared_ptr<PatchedRows> patched;         ///< instead of `extent`, if it has a patch
    std::shared_ptr<const storage::Patch> texts;  ///< of payloads: beside `extent`, if it has a patch
    const ExtentDamage* damage = nullptr;         ///< of the extent, or of its patch
    [[nodiscard]] bool lost() const { return extent == nullptr && patched == nullptr; }
    [[nodiscard]] bool hit(std::uint64_t offset, std::uint64_t length) const {
      if (lost()) return true;
      if (patched != nullptr) return patched->hits(offset, length);
      return damage != nullptr && damage->hits(offset, length);
    }
    [[nodiscard]] ByteSpan data() const { return patched != nullptr ? patched->data.rows : extent->data(); }
    /// What keeps data() alive.
    [[nodiscard]] std::shared_ptr<const void> owner() const {
      return patched != nullptr ? std::shared_ptr<const void>(patched) : extent;
    }
  };
  Part parts[kExtentKinds + 1];
  Bytes ids, stamps, values;  ///< copies, so that rows can be taken out
  bool touched = false;       ///< rows were taken out: no extent of it may be named again

  [[nodiscard]] Part& part(ExtentKind kind) { return parts[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Part& part(ExtentKind kind) const { return parts[static_cast<std::size_t>(kind)]; }

  [[nodiscard]] PointId id(std::uint32_t i) const {
    return PointId::from_parts(
        static_cast<PointId::Kind>(load<std::uint8_t>(ids.data() + std::size_t{rows} * kIdBytes + i)),
        load<std::uint64_t>(ids.data() + i * kIdBytes), load<std::uint64_t>(ids.data() + i * kIdBytes + 8));
  }
  [[nodiscard]] Lsn born(std::uint32_t i) const { return load<Lsn>(stamps.data() + i * kStampBytes); }
  [[nodiscard]] Lsn died(std::uint32_t i) const { return load<Lsn>(stamps.data() + i * kStampBytes + 8); }
  [[nodiscard]] Slot next(std::uint32_t i) const { return load<Slot>(values.data() + i * kValueBytes); }
  [[nodiscard]] bool head(std::uint32_t i) const {
    return load<std::uint8_t>(values.data() + std::size_t{rows} * kValueBytes + i) == 0;
  }
  void clear_id(std::uint32_t i) {
    store<std::uint64_t>(ids.data() + i * kIdBytes, 0);
    store<std::uint64_t>(ids.data() + i * kIdBytes + 8, 0);
    store<std::uint8_t>(ids.data() + std::size_t{rows} * kIdBytes + i, 0);
  }
  void take_out(std::uint32_t i) {
    store<Lsn>(stamps.data() + i * kStampBytes, 0);
    store<Lsn>(stamps.data() + i * kStampBytes + 8, 0);
    make_single(i);
    touched = true;
  }
  void make_single(std::uint32_t i) {
    store<Slot>(values.data() + i * kValueBytes, kNoSlot);
    store<std::uint8_t>(values.data() + std::size_t{rows} * kValueBytes + i, 0);
  }
};

enum class Row : std::uint8_t { free, sound, damaged };

class ImageSalvage {
 public:
  ImageSalvage(const RecoveryRequest& request, const std::string& source, const storage::Manifest& manifest,
               const ImageState& image, const ExtentDamages& damages)
      : request_(request), source_(source), manifest_(manifest), image_(image), damages_(damages) {}

  Result<SalvagedImage> run() {
    HF_TRY(open_chunks());
    for (Chunk& chunk : chunks_) HF_TRY(read_tables(chunk));
    judge_single_rows();
    judge_doubtful_rows();
    judge_points();
    keep_newest_versions();
    take_out_damaged();
    std::string why = find_graph_damage();
    auto loaded = load_state(why.empty());
    if (why.empty() && (!loaded.ok() || !graph_violation_.empty())) {
      if (!loaded.ok() && loaded.status().code() != StatusCode::data_damaged) return loaded.status();
      why = loaded.ok() ? graph_violation_ : std::string(loaded.status().message());
      loaded = load_state(false);
    }
    if (!loaded.ok()) return loaded.status();
    SalvagedImage salvaged;
    salvaged.state = std::move(loaded).value();
    salvaged.losses = std::move(losses_);
    salvaged.graph_damage = std::move(why);
    salvaged.graph_file = graph_file_;
    salvaged.graph_offset = graph_offset_;
    salvaged.sound = sound_extents(!salvaged.graph_damage.empty());
    return salvaged;
  }

 private:
  [[nodiscard]] Slot slot_end() const { return image_.view.slot_end; }
  [[nodiscard]] Chunk& chunk_of(Slot slot) { return chunks_[slot >> kChunkBits]; }
  static std::uint32_t row_of(Slot slot) { return slot & (kChunkSlots - 1); }

  // --- reading ---

  Status open_chunks() {
    const std::uint64_t chunks = (std::uint64_t{slot_end()} + kChunkSlots - 1) >> kChunkBits;
    chunks_.resize(chunks);
    for (std::uint64_t i = 0; i < chunks; ++i) {
      chunks_[i].begin = static_cast<Slot>(i << kChunkBits);
      chunks_[i].rows = std::min(kChunkSlots, slot_end() - chunks_[i].begin);
    }
    row_.assign(slot_end(), Row::free);
    for (const ExtentInfo& info : manifest_.extents) {
      const auto kind = static_cast<std::uint8_t>(kind_of(info.kind));
      const bool known = kind >= 1 && kind <= kExtentKinds && info.first_slot % kChunkSlots == 0;
      if (!known || info.first_slot >= slot_end()) continue;  // of no use; its rows count as missing
      Chunk::Part& part = chunk_of(info.first_slot).parts[kind];
      const ExtentInfo*& place = is_patch(info.kind) ? part.patch_info : part.info;
      if (place == nullptr) place = &info;
    }
    for (Chunk& chunk : chunks_) {
      for (std::uint8_t kind = 1; kind <= kExtentKinds; ++kind) {
        if (chunk.parts[kind].info != nullptr) HF_TRY(open_part(static_cast<ExtentKind>(kind), chunk.parts[kind]));
      }
    }
    return {};
  }

  /// Leaves it lost if nothing of it can be believed.
  Status open_part(ExtentKind kind, Chunk::Part& part) {
    const ExtentInfo& last = part.patch_info == nullptr ? *part.info : *part.patch_info;
    if (last.slot_count != rows_expected(last)) return {};
    const bool writable = kind == ExtentKind::vectors && part.patch_info == nullptr;
    HF_ASSIGN(auto base,
              open_extent(*part.info, part, writable ? os::Mapping::private_writable : os::Mapping::read_only));
    if (base == nullptr || !data_fits(*part.info)) return {};
    if (part.patch_info == nullptr) {
      part.extent = std::move(base);
      return {};
    }
    const ExtentDamage* const of_base = part.damage;
    HF_ASSIGN(auto over, open_extent(*part.patch_info, part, os::Mapping::read_only));
    if (over == nullptr) return {};
    auto patch = std::make_shared<const storage::Patch>(std::move(over), *part.info, patch_shape(kind, image_.config));
    if (!patch->load().ok()) return {};  // which rows it has, nobody knows
    if (kind == ExtentKind::payloads) {
      part.extent = std::move(base);
      part.texts = std::move(patch);
    } else {
      part.patched = lay_over(*base, of_base, *patch);
    }
    return {};
  }

  /// Null: it is not to be had. `part.damage` receives what is wrong with it.
  Result<std::shared_ptr<const Extent>> open_extent(const ExtentInfo& info, Chunk::Part& part, os::Mapping mapping) {
    const std::shared_ptr<const Extent> none;
    const auto damage = damages_.find(info.number);
    if (damage != damages_.end()) {
      part.damage = &damage->second;
      if (part.damage->lost) return none;
    }
    auto opened =
        Extent::open(*request_.options.fs, os::join(source_, storage::kExtentDirectory), request_.uuid, info, mapping);
    const StatusCode code = opened.status().code();
    if (code == StatusCode::data_damaged || code == StatusCode::not_found) return none;
    return opened;
  }

  std::shared_ptr<PatchedRows> lay_over(const Extent& base, const ExtentDamage* of_base, const storage::Patch& patch) {
    auto made = std::make_shared<PatchedRows>();
    made->shape = patch.shape();
    made->rows = patch.extent().info().slot_count;
    made->data = make_rows(patch.patched_bytes());
    made->bad.resize(made->rows);
    std::uint64_t from = 0, to = 0;
    for (std::size_t column = 0; column < made->shape.columns(); ++column) {
      const std::uint64_t width = made->shape.widths[column];
      std::size_t place = 0;
      for (std::uint32_t row = 0; row < made->rows; ++row) {
        const bool patched = place < patch.rows().size() && patch.rows()[place] == row;
        const std::uint64_t at = patched ? patch.offset_of(column, place++) : from + row * width;
        const bool bad =
            patched ? !patch.extent().verify(at, width).ok() : of_base != nullptr && of_base->hits(at, width);
        made->bad[row] = made->bad[row] || bad;
        const ByteSpan source = patched ? patch.extent().data() : base.data();
        std::memcpy(made->data.rows.data() + to + row * width, source.data() + at, width);
      }
      from += width * base.info().slot_count;
      to += width * made->rows;
    }
    return made;
  }

  [[nodiscard]] std::uint32_t rows_expected(const ExtentInfo& info) const {
    const ExtentKind kind = kind_of(info.kind);
    const bool list = kind == ExtentKind::level0 || kind == ExtentKind::upper;
    const Slot end = list ? image_.graph_end : slot_end();
    return info.first_slot < end ? std::min(kChunkSlots, end - info.first_slot) : 0;
  }

  /// Whether a table has the bytes that its rows need.
  [[nodiscard]] bool data_fits(const ExtentInfo& info) const {
    const std::uint64_t rows = info.slot_count;
    switch (static_cast<ExtentKind>(info.kind)) {
      case ExtentKind::ids: return info.data_bytes == rows * (kIdBytes + 1);
      case ExtentKind::stamps: return info.data_bytes == rows * kStampBytes;
      case ExtentKind::values: return info.data_bytes == rows * (kValueBytes + 1);
      case ExtentKind::vectors: return info.data_bytes == rows * stride();
      case ExtentKind::payloads: return info.data_bytes >= (rows + 1) * kOffsetBytes;
      case ExtentKind::level0:
      case ExtentKind::upper: return true;  // the graph checks its own
      case ExtentKind::ids_run:
      case ExtentKind::codes:
      case ExtentKind::quantizer:
      case ExtentKind::growing: break;  // made anew
    }
    return false;
  }

  [[nodiscard]] std::uint64_t stride() const {
    if (stride_ == 0)
      stride_ = index::VectorTable(image_.config.dimension, image_.config.metric, image_.config.type).stride();
    return stride_;
  }

  Status read_tables(Chunk& chunk) {
    const auto copy = [&](ExtentKind kind, Bytes& out, std::size_t bytes, std::byte otherwise) {
      const Chunk::Part& part = chunk.part(kind);
      if (part.lost()) {
        out.assign(bytes, otherwise);
      } else {
        out.assign(part.data().begin(), part.data().end());
      }
    };
    copy(ExtentKind::ids, chunk.ids, chunk.rows * (kIdBytes + 1), std::byte{0});
    copy(ExtentKind::stamps, chunk.stamps, chunk.rows * kStampBytes, std::byte{0});
    copy(ExtentKind::values, chunk.values, chunk.rows * (kValueBytes + 1), std::byte{0xFF});
    if (chunk.part(ExtentKind::values).lost()) {
      for (std::uint32_t i = 0; i < chunk.rows; ++i) chunk.make_single(i);
    }
    return {};
  }

  // --- judging (D1) ---

  /// Each row by its own bytes.
  void judge_single_rows() {
    for (Chunk& chunk : chunks_) {
      for (std::uint32_t i = 0; i < chunk.rows; ++i) row_[chunk.begin + i] = judge(chunk, i);
    }
  }

  Row judge(Chunk& chunk, std::uint32_t i) {
    const bool id_hit = chunk.part(ExtentKind::ids).hit(i * kIdBytes, kIdBytes) ||
                        chunk.part(ExtentKind::ids).hit(chunk.rows * kIdBytes + i, 1) ||
                        load<std::uint8_t>(chunk.ids.data() + chunk.rows * kIdBytes + i) > 1;
    if (id_hit) chunk.clear_id(i);  // any other might be none that load_ids() takes
    const bool stamps_hit = chunk.part(ExtentKind::stamps).hit(i * kStampBytes, kStampBytes);
    const Lsn born = chunk.born(i), died = chunk.died(i);
    const bool free = born == 0 && died == 0;
    const bool possible = free || (born != 0 && born <= image_.view.lsn &&
                                   (died == kNeverDied || (died > born && died <= image_.view.lsn)));
    if (!stamps_hit && possible && died != kNeverDied) return Row::free;  // dead or free: whatever else is damaged
    if (stamps_hit && !id_hit && chunk.id(i) == PointId(0) && looks_unused(chunk, i)) return Row::damaged;
    if (stamps_hit || !possible || id_hit) {
      // Whether it lived, or who it was, nobody can tell.
      if (id_hit) {
        ++losses_.unknown_points;
      } else {
        losses_.ids.insert(chunk.id(i));
      }
      return Row::damaged;
    }
    const Chunk::Part& values = chunk.part(ExtentKind::values);
    if (values.info != nullptr &&
        (values.hit(i * kValueBytes, kValueBytes) || values.hit(chunk.rows * kValueBytes + i, 1))) {
      doubtful_.push_back(chunk.begin + i);
    }
    const bool hit =
        chunk.part(ExtentKind::vectors).hit(i * stride(), stride()) || payload_hit(chunk.part(ExtentKind::payloads), i);
    return hit ? Row::damaged : Row::sound;
  }

  /// Rows that nobody needs are written as zeros.
  bool looks_unused(const Chunk& chunk, std::uint32_t i) const {
    const Chunk::Part& part = chunk.part(ExtentKind::vectors);
    if (part.hit(i * stride(), stride())) return false;
    const ByteSpan row = part.data().subspan(i * stride(), stride());
    return std::all_of(row.begin(), row.end(), [](std::byte b) { return b == std::byte{0}; });
  }

  static bool payload_hit(const Chunk::Part& part, std::uint32_t i) {
    if (part.lost()) return true;
    const std::uint32_t rows = part.info->slot_count;
    if (part.texts != nullptr) {
      const auto text = part.texts->text(i);
      if (!text.ok()) return true;
      if (text->has_value()) return false;
      if (i >= rows) return true;
    }
    if (part.hit(i * kOffsetBytes, 2 * kOffsetBytes)) return true;
    const ByteSpan data = part.extent->data();
    const auto begin = load<std::uint64_t>(data.data() + i * kOffsetBytes);
    const auto end = load<std::uint64_t>(data.data() + (i + std::uint64_t{1}) * kOffsetBytes);
    const bool possible = begin >= (rows + std::uint64_t{1}) * kOffsetBytes && begin <= end && end <= data.size();
    return !possible || (begin != end && part.hit(begin, end - begin));
  }

  /// All rows of a point together: from each head through its values.
  void judge_points() {
    std::vector<bool> reached(slot_end());
    for (Slot head = 0; head < slot_end(); ++head) {
      Chunk& chunk = chunk_of(head);
      if (row_[head] == Row::free || !chunk.head(row_of(head))) continue;
      std::vector<Slot> rows;
      bool whole = true;
      for (Slot slot = head; slot != kNoSlot; slot = chunk_of(slot).next(row_of(slot))) {
        const bool belongs = slot < slot_end() && rows.size() < kMaxValues && row_[slot] == Row::sound &&
                             (slot == head || is_member_of(head, slot)) && !reached[slot];
        whole = whole && belongs;
        if (!belongs) break;
        reached[slot] = true;
        rows.push_back(slot);
      }
      if (whole) continue;
      rows.push_back(head);
      for (const Slot slot : rows) row_[slot] = Row::damaged;
    }
    for (Slot slot = 0; slot < slot_end(); ++slot) {  // values whose head is gone
      if (row_[slot] == Row::sound && !reached[slot]) row_[slot] = Row::damaged;
    }
    name_damaged_points();
  }

  bool is_member_of(Slot head, Slot slot) {
    const Chunk &of_head = chunk_of(head), &chunk = chunk_of(slot);
    return !chunk.head(row_of(slot)) && chunk.id(row_of(slot)) == of_head.id(row_of(head)) &&
           chunk.born(row_of(slot)) == of_head.born(row_of(head));
  }

  /// Where the table of values is damaged, a row whose id no other row has is a point of one vector. Of others nobody
  /// knows which vector is the first: all rows of that id go.
  void judge_doubtful_rows() {
    std::unordered_map<PointId, std::uint32_t> rows;
    for (const Slot slot : doubtful_) rows.emplace(id_of(slot), 0);
    for (Slot slot = 0; slot < slot_end() && !rows.empty(); ++slot) {
      if (row_[slot] == Row::free || !id_is_known(slot)) continue;
      if (const auto found = rows.find(id_of(slot)); found != rows.end()) ++found->second;
    }
    for (const Slot slot : doubtful_) {
      chunk_of(slot).make_single(row_of(slot));
      if (rows[id_of(slot)] != 1) row_[slot] = Row::damaged;
    }
    for (Slot slot = 0; slot < slot_end() && !rows.empty(); ++slot) {
      const auto found = row_[slot] == Row::sound ? rows.find(id_of(slot)) : rows.end();
      if (found != rows.end() && found->second != 1) row_[slot] = Row::damaged;
    }
  }

  void name_damaged_points() {
    for (Slot slot = 0; slot < slot_end(); ++slot) {
      const bool lived = row_[slot] == Row::damaged && chunk_of(slot).died(row_of(slot)) == kNeverDied;
      if (lived && id_is_known(slot)) losses_.ids.insert(id_of(slot));
    }
  }

  [[nodiscard]] PointId id_of(Slot slot) { return chunk_of(slot).id(row_of(slot)); }

  bool id_is_known(Slot slot) {
    const Chunk& chunk = chunk_of(slot);
    const std::uint32_t i = row_of(slot);
    const Chunk::Part& ids = chunk.part(ExtentKind::ids);
    return !ids.hit(i * kIdBytes, kIdBytes) && !ids.hit(chunk.rows * kIdBytes + i, 1);
  }

  /// Only an image that was put together from several checkpoints has two versions of a point: the newer one counts.
  void keep_newest_versions() {
    std::unordered_map<PointId, Slot> newest;
    for (Slot slot = 0; slot < slot_end(); ++slot) {
      if (row_[slot] != Row::sound || !chunk_of(slot).head(row_of(slot))) continue;
      const auto [known, fresh] = newest.try_emplace(chunk_of(slot).id(row_of(slot)), slot);
      if (fresh) continue;
      const Slot other = known->second;
      const bool newer = chunk_of(slot).born(row_of(slot)) > chunk_of(other).born(row_of(other));
      take_out_point(newer ? other : slot);
      if (newer) known->second = slot;
    }
    for (const auto& [id, slot] : newest) losses_.ids.erase(id);  // a sound version is there
  }

  void take_out_point(Slot head) {
    for (Slot slot = head; slot != kNoSlot;) {
      const Slot next = chunk_of(slot).next(row_of(slot));
      chunk_of(slot).take_out(row_of(slot));
      row_[slot] = Row::free;
      slot = next;
    }
  }

  /// D2.
  void take_out_damaged() {
    for (Slot slot = 0; slot < slot_end(); ++slot) {
      if (row_[slot] != Row::damaged) continue;
      chunk_of(slot).take_out(row_of(slot));
      ++losses_.rows;
    }
    for (Chunk& chunk : chunks_) {
      for (const ExtentKind kind : {ExtentKind::ids, ExtentKind::stamps, ExtentKind::vectors, ExtentKind::payloads}) {
        const Chunk::Part& part = chunk.part(kind);
        chunk.touched = chunk.touched || part.lost() || part.damage != nullptr;
      }
      const Chunk::Part& values = chunk.part(ExtentKind::values);
      chunk.touched = chunk.touched || (values.info != nullptr && (values.lost() || values.damage != nullptr));
    }
  }

  // --- loading (D3) ---

  /// Empty: every file of the graph is there and sound, and the manifest says where it begins.
  std::string find_graph_damage() {
    for (const Chunk& chunk : chunks_) {
      if (chunk.begin >= image_.graph_end) break;
      for (const ExtentKind kind : {ExtentKind::level0, ExtentKind::upper}) {
        const Chunk::Part& part = chunk.part(kind);
        if (!part.lost() && part.damage == nullptr) continue;
        if (part.info != nullptr) {
          graph_file_ = os::join(storage::kExtentDirectory, storage::extent_name(part.info->number));
        }
        if (part.damage == nullptr) return "a part of the graph is missing";
        graph_offset_ = part.damage->offset;
        return part.damage->message;
      }
    }
    return {};
  }

  Result<std::shared_ptr<CollectionState>> load_state(bool with_graph) {
    auto state = std::make_shared<CollectionState>(request_.name, request_.directory, request_.uuid, image_.config,
                                                   request_.options, request_.signals);
    PointStore& store = state->store;
    HF_TRY(store.loading_slots().reserve(slot_end()));
    for (Chunk& chunk : chunks_) HF_TRY(load_rows(store, chunk));
    if (with_graph) HF_TRY(load_graph(store));
    HF_TRY(store.loading_vectors().reserve(slot_end()));
    HF_TRY(store.loading_graph().reserve(slot_end()));
    View view = image_.view;
    if (!with_graph) view.graph = {};
    count(store, view);
    if (with_graph && view.graph.nodes != image_.view.graph.nodes) {
      graph_violation_ = "the graph has " + std::to_string(view.graph.nodes) + " nodes, the manifest says " +
                         std::to_string(image_.view.graph.nodes);
      return state;
    }
    HF_TRY(store.finish_loading(view, image_.markers));
    const bool connected = with_graph && image_.connected && losses_.nothing();
    if (connected) state->connected_epoch.store(view.graph.epoch, std::memory_order_relaxed);
    if (with_graph) check_graph(*state);
    return state;
  }

  Status load_rows(PointStore& store, Chunk& chunk) {
    HF_TRY(store.loading_slots().load_ids(chunk.begin, chunk.rows, chunk.ids));
    HF_TRY(store.loading_slots().load_stamps(chunk.begin, chunk.rows, chunk.stamps, image_.view.lsn));
    HF_TRY(store.loading_slots().load_values(chunk.begin, chunk.rows, chunk.values, slot_end()));
    const Chunk::Part& payloads = chunk.part(ExtentKind::payloads);
    if (!payloads.lost()) {
      HF_TRY(store.loading_slots().attach_payloads(chunk.begin, chunk.rows, payloads.extent, payloads.texts));
    }
    return attach_vectors(store, chunk);
  }

  Status attach_vectors(PointStore& store, const Chunk& chunk) {
    const Chunk::Part& part = chunk.part(ExtentKind::vectors);
    const std::uint32_t number = chunk.begin >> kChunkBits;
    if (!part.lost() && part.damage == nullptr && part.patched == nullptr) {
      const auto verify = [of = part.extent.get()](std::uint64_t offset, std::uint64_t length) {
        return of->verify(offset, length);
      };
      return store.loading_vectors().attach(number, chunk.rows, {part.extent->writable_data(), verify, part.extent});
    }
    auto copy = std::make_shared<AlignedRows>(make_rows(chunk.rows * stride()));
    for (std::uint32_t i = 0; i < chunk.rows && !part.lost(); ++i) {
      if (part.hit(i * stride(), stride())) continue;  // zeros
      std::memcpy(copy->rows.data() + i * stride(), part.data().data() + i * stride(), stride());
    }
    const auto sound = [](std::uint64_t, std::uint64_t) { return Status(); };
    return store.loading_vectors().attach(number, chunk.rows, {copy->rows, sound, copy});
  }

  Status load_graph(PointStore& store) {
    for (const Chunk& chunk : chunks_) {
      if (chunk.begin >= image_.graph_end) break;
      const Chunk::Part &level0 = chunk.part(ExtentKind::level0), &upper = chunk.part(ExtentKind::upper);
      const std::uint32_t number = chunk.begin >> kChunkBits;
      if (Status status = store.loading_graph().attach_level0(number, level0.data(), image_.graph_end, level0.owner());
          !status.ok()) {
        return blame(level0, status);
      }
      if (Status status = store.loading_graph().load_upper(number, upper.data(), image_.graph_end); !status.ok()) {
        return blame(upper, status);
      }
    }
    return {};
  }

  Status blame(const Chunk::Part& part, Status status) {
    graph_file_ = os::join(storage::kExtentDirectory, storage::extent_name(part.info->number));
    return status;
  }

  void count(const PointStore& store, View& view) {
    view.live = view.values = view.dead_in_graph = 0;
    view.graph.nodes = 0;
    for (Slot slot = 0; slot < slot_end(); ++slot) {
      const bool node = view.graph.levels != 0 && store.graph().contains(slot, view.graph.epoch);
      const bool visible = store.slots().visible(slot, view.lsn);
      view.graph.nodes += node ? 1 : 0;
      view.dead_in_graph += node && !visible ? 1 : 0;
      view.values += visible ? 1 : 0;
      view.live += visible && store.slots().is_head(slot) ? 1 : 0;
    }
  }

  void check_graph(const CollectionState& state) {
    const Pin view(state.store.pins());
    const ViewRows rows(state.store.slots(), view->lsn);
    const index::GraphCheck found = index::check_graph(state.store.graph(), view->graph, view->slot_end, rows.alive());
    if (!found.violations.empty()) graph_violation_ = found.violations.front();
  }

  std::vector<ExtentInfo> sound_extents(bool without_graph) const {
    std::vector<ExtentInfo> sound;
    for (const Chunk& chunk : chunks_) {
      for (std::uint8_t kind = 1; kind <= kExtentKinds; ++kind) {
        const Chunk::Part& part = chunk.parts[kind];
        const bool list = kind == static_cast<std::uint8_t>(ExtentKind::level0) ||
                          kind == static_cast<std::uint8_t>(ExtentKind::upper);
        if (part.lost() || part.damage != nullptr || (list ? without_graph : chunk.touched)) continue;
        sound.push_back(*part.info);
        if (part.patch_info != nullptr) sound.push_back(*part.patch_info);
      }
    }
    return sound;
  }

  const RecoveryRequest& request_;
  const std::string source_;
  const storage::Manifest& manifest_;
  const ImageState& image_;
  const ExtentDamages& damages_;
  std::vector<Chunk> chunks_;
  std::vector<Row> row_;
  std::vector<Slot> doubtful_;  ///< rows of which nobody knows whether they belong to another one
  RowLosses losses_;
  std::string graph_violation_, graph_file_;
  std::uint64_t graph_offset_ = 0;
  mutable std::uint64_t stride_ = 0;
};

}  // namespace

bool ExtentDamage::hits(std::uint64_t offset_in_data, std::uint64_t bytes) const {
  if (lost) return true;
  if (bytes == 0) return false;
  const auto first = bad_pages.lower_bound(offset_in_data / storage::kExtentPageBytes);
  return first != bad_pages.end() && *first <= (offset_in_data + bytes - 1) / storage::kExtentPageBytes;
}

Status assess_extents(os::FileSystem& fs, const std::string& directory, const storage::Manifest& manifest,
                      std::set<std::uint64_t>& checked, ExtentDamages& damages) {
  const std::string extents = os::join(directory, storage::kExtentDirectory);
  for (const ExtentInfo& info : manifest.extents) {
    if (!checked.insert(info.number).second) continue;
    auto extent = Extent::open(fs, extents, manifest.collection, info);
    if (!extent.ok()) {
      const StatusCode code = extent.status().code();
      if (code != StatusCode::data_damaged && code != StatusCode::not_found) return extent.status();
      const bool missing = code == StatusCode::not_found;
      ExtentDamage& damage = damages[info.number];
      damage.lost = true;
      damage.message = missing ? "the file is missing" : std::string(extent.status().message());
      continue;
    }
    for (std::uint64_t page = 0; page < (*extent)->pages(); ++page) {
      const Status status = (*extent)->verify_page(page);
      if (status.ok()) continue;
      if (status.code() != StatusCode::data_damaged) return status;
      ExtentDamage& damage = damages[info.number];
      if (damage.bad_pages.empty()) {
        damage.message = status.message();
        damage.offset = storage::kExtentDataOffset + page * storage::kExtentPageBytes;
        damage.length =
            std::min<std::uint64_t>(storage::kExtentPageBytes, info.data_bytes - page * storage::kExtentPageBytes);
      }
      damage.bad_pages.insert(page);
    }
  }
  return {};
}

Result<SalvagedImage> salvage_image(const RecoveryRequest& request, const std::string& source,
                                    const storage::Manifest& manifest, const ImageState& image,
                                    const ExtentDamages& damages) {
  return ImageSalvage(request, source, manifest, image, damages).run();
}

}  // namespace holdfast::engine
