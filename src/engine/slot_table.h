// Ids, stamps, version links and payloads of slots, in chunks.
//
// A slot holds one version of a point: born at one lsn, died at another (kNeverDied while it lives). It is visible in a
// view iff born <= view.lsn < died.
//
// Invariants
//  S1. Everything but `died` and the payload pointer is written once, by the committer, before the view that makes the
//      slot visible is published, and never again.
//  S2. `died` goes once from kNeverDied to an lsn, before the view with that lsn is published. A reader of an older
//      view may see either value: both mean "visible" to it.
//  S3. A payload is freed by the reclaimer only, once every pinned view has lsn >= died.
// Threading: one writer (the committer), any number of readers that hold a view.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "base/pages.h"
#include "storage/extent.h"

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

class SlotTable {
 public:
  SlotTable();
  ~SlotTable();

  // --- readers ---
  [[nodiscard]] PointId id(Slot slot) const noexcept;
  [[nodiscard]] Lsn born(Slot slot) const noexcept;
  [[nodiscard]] Lsn died(Slot slot) const noexcept;
  [[nodiscard]] bool visible(Slot slot, Lsn lsn) const noexcept { return born(slot) <= lsn && lsn < died(slot); }
  /// The slot of the version before this one under the same id.
  [[nodiscard]] Slot previous(Slot slot) const noexcept;
  /// Bytes live as long as the view through which the slot is visible. data_damaged if a mapped page is broken.
  [[nodiscard]] Result<std::string_view> payload(Slot slot) const;
  /// Largest lsn at which a stamp of the chunk changed; 0: never since it was loaded.
  [[nodiscard]] Lsn changed_lsn(std::uint32_t chunk) const noexcept;

  // --- committer ---
  /// Throws bad_alloc.
  Status reserve(Slot end);
  /// Writes a fresh slot.
  void assign(Slot slot, PointId id, Lsn born, Slot previous, PayloadPtr payload) noexcept;
  void kill(Slot slot, Lsn lsn) noexcept;

  // --- reclaimer ---
  void free_payload(Slot slot) noexcept;

  // --- checkpoint images of the slots [begin, end) of one chunk (docs/format/image.md) ---
  void encode_ids(Slot begin, Slot end, Bytes& out) const;
  /// Deaths after `lsn` are written as "lives".
  void encode_stamps(Slot begin, Slot end, Lsn lsn, Bytes& out) const;
  /// Where each payload begins within the extent's data, and where the last one ends. The texts of the slots that live
  /// at `lsn` follow the offsets; the payloads of dead slots are left out (their memory may be gone already).
  Status encode_payload_offsets(Slot begin, Slot end, Lsn lsn, Bytes& out) const;
  // Loading, before readers exist. REQUIRES reserve(begin + slots). data_damaged if a value is impossible.
  Status load_ids(Slot begin, std::uint32_t slots, ByteSpan data);
  Status load_stamps(Slot begin, std::uint32_t slots, ByteSpan data, Lsn lsn);
  Status attach_payloads(Slot begin, std::uint32_t slots, std::shared_ptr<const storage::Extent> extent);

  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;   ///< tables, without payloads
  [[nodiscard]] std::uint64_t payload_bytes() const noexcept;  ///< payload text, in memory or mapped

 private:
  struct Chunk;
  [[nodiscard]] Chunk* chunk_at(std::uint32_t chunk) const noexcept {
    // Pairs with the release in reserve().
    return std::atomic_ref<Chunk*>(directory()[chunk]).load(std::memory_order_acquire);
  }
  [[nodiscard]] Chunk** directory() const noexcept { return reinterpret_cast<Chunk**>(directory_.data()); }
  [[nodiscard]] Chunk& chunk_of(Slot slot) const noexcept { return *chunk_at(slot >> kChunkBits); }
  Pages directory_;                              // kMaxChunks pointers; only what is used of it is touched
  std::vector<Pages> pages_;                     // of the chunks; committer only
  std::atomic<std::uint32_t> chunks_{0};         // written by the committer, read by meters
  std::atomic<std::uint64_t> payload_bytes_{0};  // a meter: relaxed
};

}  // namespace holdfast::engine
