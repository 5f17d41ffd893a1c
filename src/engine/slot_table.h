// Ids, stamps, version links and payloads of slots, in chunks.
//
// A slot holds one vector of one version of a point: born at one lsn, died at another (kNeverDied while it lives). It
// is visible in a view iff born <= view.lsn < died. Once nobody can see it or reach it any more, it is used again.
//
// A point with several vectors has a slot for each. They have the same id and are born and die together; the first, the
// head, is the one that the id map names and that has the payload. From it `next_value` leads through the others.
//
// Invariants
//  S1. Everything but the stamps and the payload pointer is written by the committer before the view that makes the
//  slot
//      visible is published, and not again before nobody can see or name the slot (free_slots.h).
//  S2. `died` goes from kNeverDied to an lsn before the view with that lsn is published. A reader of an older view may
//      see either value: both mean "visible" to it.
//  S3. A payload is freed by the reclaimer only, once every pinned view has lsn >= died.
//  S4. Reuse writes `born` before it takes `died` back to kNeverDied (release). A reader that meets the new `died`
//      (acquire) sees the new `born` too, which is beyond its view: it never mistakes the new version for the old one.
//  S5. Rows of an image are read from its extents by whoever touches them first, a block of kRowBlock at a time: stamps
//      by themselves, ids together with the links between values. An untouched row has stamps and flags of 0, so that a
//      row that is there costs no more than a comparison. Before the committer writes to a row, its block was read
//      (touch). A block that is damaged stays unread: its rows look free, and the thread's ReadCheck is told
//      (index/read_check.h), so that it does not count.
// Threading: one writer (the committer), any number of readers that hold a view.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/pages.h"
#include "base/plant.h"
#include "storage/extent.h"
#include "storage/extent_patch.h"

namespace holdfast::engine {

/// A payload in memory: its length, then its bytes.
struct Payload {
  std::uint32_t size;
  [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(this + 1), size}; }
};
struct PayloadDeleter {
  void operator()(Payload* payload) const noexcept;
};
using PayloadPtr = std::unique_ptr<Payload, PayloadDeleter>;
/// Null for an empty text. Throws bad_alloc.
[[nodiscard]] PayloadPtr make_payload(std::string_view text);

/// Rows that are read from an image together.
inline constexpr std::uint32_t kRowBlock = kChunkSlots / 64;

class SlotTable {
 public:
  SlotTable();
  ~SlotTable();

  // --- readers ---
  [[nodiscard]] PointId id(Slot slot) const noexcept;
  [[nodiscard]] Lsn born(Slot slot) const noexcept;
  [[nodiscard]] Lsn died(Slot slot) const noexcept;
  /// For any slot below view.slot_end. For nodes of the view's graph and entries of its growing range, which are born
  /// in time, `died` alone decides.
  [[nodiscard]] bool visible(Slot slot, Lsn lsn) const noexcept {
    if (HF_PLANTED(delete_leaks_into_snapshots)) return died(slot) == kNeverDied && born(slot) <= lsn;
    return lsn < died(slot) && born(slot) <= lsn;  // in this order: S4
  }
  /// The slot of the version that readers of views before `until` find under the same id.
  struct Previous {
    Slot slot = kNoSlot;
    Lsn until = 0;
  };
  [[nodiscard]] Previous previous(Slot slot) const noexcept;
  /// The slot of the next vector of the same point; kNoSlot after the last one.
  [[nodiscard]] Slot next_value(Slot slot) const noexcept;
  /// Whether `value` belongs to the point whose first vector is `head`. An image that was forged may say otherwise.
  [[nodiscard]] bool belongs_to(Slot head, Slot value) const noexcept {
    return value == head || (!is_head(value) && id(value) == id(head) && born(value) == born(head));
  }
  /// Whether it is the first (or only) vector of its point.
  [[nodiscard]] bool is_head(Slot slot) const noexcept;
  /// Bytes live as long as the view through which the slot is visible. data_damaged if a mapped page is broken.
  [[nodiscard]] Result<std::string_view> payload(Slot slot) const;
  /// Largest lsn at which a stamp of the chunk changed; 0: never since it was loaded.
  [[nodiscard]] Lsn changed_lsn(std::uint32_t chunk) const noexcept;
  /// Largest lsn at which a row of the chunk was born; 0: never since it was loaded.
  [[nodiscard]] Lsn assigned_lsn(std::uint32_t chunk) const noexcept;

  // --- committer ---
  /// Before a row is killed or assigned: reads what an image says of it and its neighbors (S5).
  void touch(Slot slot) const noexcept {
    (void)died(slot);
    (void)is_head(slot);
  }
  /// Throws bad_alloc.
  Status reserve(Slot end);
  struct Row {
    PointId id;
    Lsn born = 0;
    Previous previous;
    bool head = true;
    PayloadPtr payload;
  };
  /// Writes a free slot. It is the last value of its point until append_value().
  void assign(Slot slot, Row row) noexcept;
  /// `next` stands behind `slot` in the same point, which nobody can see yet.
  void append_value(Slot slot, Slot next) noexcept;
  void kill(Slot slot, Lsn lsn) noexcept;

  // --- reclaimer ---
  void free_payload(Slot slot) noexcept;

  // --- checkpoint images of a chunk (docs/format/image.md) ---
  // Of the chunk that begins at `begin`, those `rows`: all of them, or those of a patch. `kept` tells which rows the
  // image needs; the others may be written by the committer meanwhile and are not looked at: their bytes are 0.
  using Kept = std::vector<bool>;  ///< by row of the chunk
  using Rows = std::span<const std::uint32_t>;
  void encode_ids(Slot begin, Rows rows, const Kept& kept, Bytes& out) const;
  /// Deaths after `lsn` are written as "lives"; rows that are not kept as born and died at 0, which means free.
  void encode_stamps(Slot begin, Rows rows, const Kept& kept, Lsn lsn, Bytes& out) const;
  /// Per row the slot of the next value (kNoSlot: none).
  void encode_values(Slot begin, Rows rows, const Kept& kept, Bytes& out) const;
  /// Whether any kept row belongs to a point with several vectors.
  [[nodiscard]] bool has_values(Slot begin, Slot end, const Kept& kept) const noexcept;
  /// Where each payload begins within the extent's data, and where the last one ends; the offsets themselves stand at
  /// `offsets_at`. The texts of the rows that payload_at() has follow them.
  Status encode_payload_offsets(Slot begin, Rows rows, const Kept& kept, Lsn lsn, std::uint64_t offsets_at,
                                Bytes& out) const;
  /// The payload of a row as of `lsn`; empty of a dead one, whose memory may be gone already.
  [[nodiscard]] Result<std::string_view> payload_at(Slot slot, const Kept& kept, Lsn lsn) const;
  /// Whether the stamps of the row may say something else than at `lsn`. A row that died since, and was used again
  /// after the view that is asked for, counts as well.
  [[nodiscard]] bool changed_since(Slot slot, Lsn lsn) const noexcept {
    const Lsn died_at = died(slot);  // first: S4
    return born(slot) > lsn || (died_at != kNeverDied && died_at > lsn);
  }
  // Loading, before readers exist. REQUIRES reserve(begin + slots). data_damaged if a value is impossible.
  Status load_ids(Slot begin, std::uint32_t slots, ByteSpan data);
  Status load_stamps(Slot begin, std::uint32_t slots, ByteSpan data, Lsn lsn);
  /// After load_ids().
  Status load_values(Slot begin, std::uint32_t slots, ByteSpan data, Slot slot_end);
  /// The extents of one chunk; `values` may be null.
  struct RowExtents {
    std::shared_ptr<const storage::Extent> ids;
    std::shared_ptr<const storage::Extent> stamps;
    std::shared_ptr<const storage::Extent> values;
  };
  /// The same for all three, to be read when they are touched (S5). data_damaged if a size is wrong. `lsn`, `slot_end`:
  /// of the image. Throws bad_alloc.
  Status attach_rows(Slot begin, std::uint32_t slots, RowExtents rows, Lsn lsn, Slot slot_end);
  /// `patch`: of `extent`, and instead of it where it has a row; null: none.
  Status attach_payloads(Slot begin, std::uint32_t slots, std::shared_ptr<const storage::Extent> extent,
                         std::shared_ptr<const storage::Patch> patch = nullptr);
  /// A row that was loaded and that nobody needs.
  void load_free(Slot slot) noexcept;

  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;   ///< tables, without payloads
  [[nodiscard]] std::uint64_t payload_bytes() const noexcept;  ///< payload text, in memory or mapped

 private:
  struct Chunk;
  struct MappedPayloads;
  [[nodiscard]] Chunk* chunk_at(std::uint32_t chunk) const noexcept {
    // Pairs with the release in reserve().
    return std::atomic_ref<Chunk*>(directory()[chunk]).load(std::memory_order_acquire);
  }
  [[nodiscard]] Chunk** directory() const noexcept { return reinterpret_cast<Chunk**>(directory_.data()); }
  [[nodiscard]] Chunk& chunk_of(Slot slot) const noexcept { return *chunk_at(slot >> kChunkBits); }
  struct Mapped;
  [[nodiscard]] std::uint8_t flags(Slot slot) const noexcept;
  bool read_ids(Slot slot) const noexcept;
  bool read_stamps(Slot slot) const noexcept;
  Status read_id_block(Chunk& chunk, std::uint32_t first, std::uint32_t end) const;
  Status read_stamp_block(Chunk& chunk, std::uint32_t first, std::uint32_t end) const;
  mutable Mutex reading_;                        // held while a block of rows is read from an image
  Pages directory_;                              // kMaxChunks pointers; only what is used of it is touched
  std::vector<Pages> pages_;                     // of the chunks; committer only
  Slot end_ = 0;                                 // committer only: rows below were written once
  std::atomic<std::uint32_t> chunks_{0};         // written by the committer, read by meters
  std::atomic<std::uint64_t> payload_bytes_{0};  // a meter: relaxed
};

}  // namespace holdfast::engine
