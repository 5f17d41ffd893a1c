#include "index/list_memory.h"

#include <array>
#include <new>

#include "base/mutex.h"
#include "base/pages.h"
#include "base/sanitizer.h"
#include "holdfast/types.h"
#include "index/neighbor_list.h"

namespace holdfast::index {

#if HF_SANITIZED

void* allocate_list(std::size_t bytes) noexcept { return ::operator new(bytes, std::nothrow); }
void free_list(void* block) noexcept { ::operator delete(block); }

#else
namespace {

constexpr std::size_t kArenaBytes = std::size_t{2} << 20;
constexpr std::size_t kSpanBytes = std::size_t{64} << 10;
constexpr std::size_t kBlockBytesMax = 1088;  ///< header and 2 x kMaxM links
static_assert(sizeof(NeighborList) + 2 * kMaxM * sizeof(Slot) <= kBlockBytesMax);
constexpr std::size_t kClasses = kBlockBytesMax / kListGrain + 1;

struct FreeBlock {
  FreeBlock* next;
};

/// Header of a span. Spans of a class that have a free block form a list.
struct Span {
  Span* next;
  Span* previous;
  FreeBlock* free;          ///< blocks that were freed
  std::uint32_t untouched;  ///< offset of the first block that was never used
  std::uint32_t used;       ///< blocks in use
  std::uint32_t block_bytes;
  bool listed;

  [[nodiscard]] bool full() const noexcept { return free == nullptr && untouched + block_bytes > kSpanBytes; }
};
constexpr std::size_t kSpanHeader = 64;
static_assert(sizeof(Span) <= kSpanHeader);

class ListMemory {
 public:
  void* allocate(std::size_t bytes) noexcept HF_EXCLUDES(mutex_) {
    const std::size_t block_bytes = list_block_bytes(bytes);
    if (block_bytes > kBlockBytesMax) return nullptr;
    const MutexLock lock(mutex_);
    Span*& first = open_[block_bytes / kListGrain];
    if (first == nullptr) {
      Span* const span = take_span(static_cast<std::uint32_t>(block_bytes));
      if (span == nullptr) return nullptr;
      link(first, span);
    }
    Span* const span = first;
    void* block = span->free;
    if (block != nullptr) {
      span->free = span->free->next;
    } else {
      block = reinterpret_cast<std::byte*>(span) + span->untouched;
      span->untouched += span->block_bytes;
    }
    ++span->used;
    if (span->full()) unlink(first, span);
    return block;
  }

  void release(void* at) noexcept HF_EXCLUDES(mutex_) {
    auto* const span = reinterpret_cast<Span*>(reinterpret_cast<std::uintptr_t>(at) & ~(kSpanBytes - 1));
    const MutexLock lock(mutex_);
    Span*& first = open_[span->block_bytes / kListGrain];
    span->free = new (at) FreeBlock{span->free};
    --span->used;
    if (!span->listed) link(first, span);
    if (span->used == 0 && span->next != nullptr) {  // keep the last open span of a class: it will be wanted again
      unlink(first, span);
      span->next = empty_;
      empty_ = span;
    }
  }

 private:
  static void link(Span*& first, Span* span) noexcept {
    span->previous = nullptr;
    span->next = first;
    if (first != nullptr) first->previous = span;
    first = span;
    span->listed = true;
  }
  static void unlink(Span*& first, Span* span) noexcept {
    (span->previous != nullptr ? span->previous->next : first) = span->next;
    if (span->next != nullptr) span->next->previous = span->previous;
    span->listed = false;
  }
  Span* take_span(std::uint32_t block_bytes) noexcept HF_REQUIRES(mutex_) {
    void* at = nullptr;
    if (empty_ != nullptr) {
      at = empty_;
      empty_ = empty_->next;
    } else {
      if (arena_used_ + kSpanBytes > arena_.size()) {
        Pages arena = Pages::map(kArenaBytes, Pages::Size::huge);
        if (arena.empty()) return nullptr;
        (void)arena_.release();  // its spans live on
        arena_ = std::move(arena);
        arena_used_ = 0;
      }
      at = arena_.data() + arena_used_;
      arena_used_ += kSpanBytes;
    }
    return new (at) Span{nullptr, nullptr, nullptr, static_cast<std::uint32_t>(kSpanHeader), 0, block_bytes, false};
  }

  Mutex mutex_;
  std::array<Span*, kClasses> open_ HF_GUARDED_BY(mutex_){};
  Span* empty_ HF_GUARDED_BY(mutex_) = nullptr;
  Pages arena_ HF_GUARDED_BY(mutex_);  ///< the newest one
  std::size_t arena_used_ HF_GUARDED_BY(mutex_) = 0;
};

/// Constructed in place and never destroyed: lists may be freed by whatever runs last in the process.
ListMemory& memory() noexcept {
  alignas(ListMemory) static std::byte place[sizeof(ListMemory)];
  static ListMemory& made = *new (place) ListMemory;
  return made;
}

}  // namespace

void* allocate_list(std::size_t bytes) noexcept { return memory().allocate(bytes); }
void free_list(void* block) noexcept { memory().release(block); }

#endif

}  // namespace holdfast::index
