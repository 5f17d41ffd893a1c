// How a reader keeps a view alive: it pins the current one by writing its address into an entry of its own (hazard
// pointers: Michael, TPDS 2004). Capture and release are O(1), wait for nobody and take no lock.
//
// Invariants
//  P1. A view is freed only when it is not the current one and no entry holds it.
//  P3. lsn and graph epoch of successive views never go back.
//  P4. A snapshot that has expired holds no view once the last read that began before has ended; its entry stays its
//  own
//      until it is released. Pins of single reads never expire.
//
// Why P1 holds. Four operations are seq_cst and so stand in one order S: the reader's claim of an entry (c) and its
// check that the view is still current (k); the publisher's swap of the current view (s); the reclaimer's look at the
// entry (l). The reclaimer looks after the swap: s < l in S. A reader that may go on read the old view in k, hence k <
// s, hence c < k < s < l: the reclaimer sees the entry. A reader whose claim comes after the look reads the new view in
// k, and writes that one's address before it goes on (and checks again). So an address in an entry may be stale for a
// moment, and only its reader may follow it, after its check: the reclaimer compares addresses and never follows one.
// The other way round: whoever lets go of a view stores another value to the entry (release); the reclaimer that sees
// it (acquire, as part of seq_cst) comes after all that the reader did.
//
// How a snapshot expires. Its entry has a word `uses`: a number of this life of the entry, two states, and how many
// operations are under way on it. All changes of it are read-modify-writes, hence in one order.
//  U1. A read counts itself in first. If it finds the entry expired it does not touch the view, and leaves again.
//  U2. The expirer sets the bit and counts itself in, in one step that fails if the entry began another life meanwhile.
//  U3. Who leaves as the only one counted while the entry is expired has replaced the view by a tombstone before:
//  whoever
//      comes later sees the bit (U1). It came after all earlier ones (acquire of the word that they released), so the
//      reclaimer that sees the tombstone does as well.
//  U4. Release by the owner comes after its reads have ended. If an expirer is at the entry just then, the entry is
//  left
//      to it: the last one out frees it. So nobody writes to an entry that began another life.
// Threading: pin, unpin, expire and meters from any thread; publish() is serialised by the caller; views are freed by
// the Reclaimer.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

#include "engine/view.h"

namespace holdfast::engine {

/// The snapshots that have not expired.
struct SnapshotMeters {
  std::uint64_t count = 0;
  Lsn oldest_lsn = 0;                    ///< 0: there is none
  std::uint64_t oldest_captured_ns = 0;  ///< by the clock that was given to keep(); 0: there is none
};

class PinTable {
 public:
  /// One cache line each, so that readers on different cores do not disturb each other.
  struct alignas(64) Entry {
    std::atomic<const View*> view{nullptr};  ///< null: free
    // Of snapshots only:
    std::atomic<std::uint64_t> uses{0};
    std::atomic<std::uint64_t> captured_ns{0};
    std::atomic<Lsn> lsn{0};
  };

  explicit PinTable(const View* first) : current_(first) {}
  ~PinTable();
  PinTable(const PinTable&) = delete;
  PinTable& operator=(const PinTable&) = delete;

  /// Pins the current view. Throws bad_alloc if all pins are taken and no block can be added.
  [[nodiscard]] Entry* pin(const View** view);
  static void unpin(Entry* slot) noexcept { slot->view.store(nullptr, std::memory_order_release); }  // pairs: for_each

  // --- snapshots ---
  /// Makes a snapshot of a fresh pin of `view`: from now on it may expire.
  static void keep(Entry* entry, const View& view, std::uint64_t now_ns) noexcept;
  /// Ends the snapshot; the entry is free. REQUIRES that none of its reads is under way.
  static void release(Entry* entry) noexcept;
  /// Begins a read of the snapshot. False: it has expired, and there is nothing to leave.
  [[nodiscard]] static bool enter(Entry* entry) noexcept;
  static void leave(Entry* entry) noexcept;
  [[nodiscard]] static bool expired(const Entry* entry) noexcept {
    return (entry->uses.load(std::memory_order_relaxed) & kExpired) != 0;
  }
  /// Takes the oldest snapshot back, if it was captured before `before_ns`. Its view is unpinned at once or by the last
  /// read that is under way. False if there is none.
  bool expire_oldest(std::uint64_t before_ns = std::numeric_limits<std::uint64_t>::max()) noexcept;
  [[nodiscard]] SnapshotMeters snapshots() const noexcept;
  /// How many have expired since the table was made.
  [[nodiscard]] std::uint64_t expired_snapshots() const noexcept { return expired_.load(std::memory_order_relaxed); }

  // --- writers ---
  [[nodiscard]] const View* current() const noexcept { return current_.load(std::memory_order_seq_cst); }
  void publish(const View* next) noexcept { current_.store(next, std::memory_order_seq_cst); }

  /// Calls `visit` for the address of every pinned view. The caller must be the only one that frees views, and must not
  /// follow an address that is not among those it has yet to free.
  template <class Visit>
  void for_each(Visit visit) const {
    for_each_entry([&](const Entry& entry) {
      const View* view = entry.view.load(std::memory_order_seq_cst);
      if (view != nullptr && view != tombstone()) visit(view);
    });
  }

 private:
  static constexpr std::uint64_t kCount = 0xFFFF'FFFF;  ///< operations under way
  static constexpr std::uint64_t kSnapshot = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kExpired = std::uint64_t{1} << 33;
  static constexpr std::uint64_t kReleased = std::uint64_t{1} << 34;
  static constexpr std::uint64_t kLife = std::uint64_t{1} << 35;  ///< this and all above: which life of the entry it is

  struct Block {
    std::array<Entry, 64> slots;
    std::atomic<Block*> next{nullptr};  // appended by CAS (release), read with acquire
  };
  /// What the entry of an expired snapshot names instead of a view.
  [[nodiscard]] static const View* tombstone() noexcept;
  [[nodiscard]] static std::uint64_t next_life(std::uint64_t uses) noexcept { return (uses / kLife + 1) * kLife; }
  Entry* try_claim(Block& block, const View* view, unsigned start) noexcept;
  template <class Visit>
  void for_each_entry(Visit visit) const {
    for (const Block* block = &first_; block != nullptr; block = block->next.load(std::memory_order_acquire)) {
      for (const Entry& entry : block->slots) visit(entry);
    }
  }
  /// A living snapshot as the meters and the expirer find it.
  struct Found {
    const Entry* entry = nullptr;
    std::uint64_t uses = 0;
    std::uint64_t captured_ns = 0;
    Lsn lsn = 0;
    [[nodiscard]] bool older_than(const Found& other) const noexcept {
      return captured_ns != other.captured_ns ? captured_ns < other.captured_ns : lsn < other.lsn;
    }
  };
  template <class Visit>
  void for_each_snapshot(Visit visit) const;

  std::atomic<const View*> current_;
  std::atomic<std::uint64_t> expired_{0};  // a meter: relaxed
  Block first_;
};

/// Holds a view for a scope.
class Pin {
 public:
  explicit Pin(PinTable& table) : slot_(table.pin(&view_)) {}
  ~Pin() {
    if (slot_ != nullptr) PinTable::unpin(slot_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  [[nodiscard]] const View& operator*() const noexcept { return *view_; }
  [[nodiscard]] const View* operator->() const noexcept { return view_; }

 private:
  const View* view_ = nullptr;
  PinTable::Entry* slot_;
};

}  // namespace holdfast::engine
