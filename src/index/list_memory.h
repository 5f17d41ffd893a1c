// Memory for neighbor lists: many small blocks of few sizes, made and freed all the time, read at random.
//
// Why not malloc: a search jumps from list to list, and lists scattered over 4 KiB pages cost a walk of the page table
// for nearly every jump. Here they stand on huge pages, without a header each.
//
// An arena (2 MiB, aligned, one huge page) consists of spans of 64 KiB. A span serves one size class and starts with
// its header, which is found from a block by clearing address bits. A span that becomes empty may serve any class
// again; arenas are kept for the life of the process.
//
// Threading: any thread, one mutex; a list is made or freed in some 20 ns, which nobody notices beside the hundreds of
// distances that lead to it. Under AddressSanitizer and ThreadSanitizer blocks come from malloc, so that they see every
// use of freed memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::index {

inline constexpr std::size_t kListGrain = 16;  ///< sizes are multiples of it

/// Null if memory is short. Aligned to 8.
[[nodiscard]] void* allocate_list(std::size_t bytes) noexcept;
void free_list(void* block) noexcept;

/// What a block of `bytes` takes.
[[nodiscard]] constexpr std::size_t list_block_bytes(std::size_t bytes) noexcept {
  return (bytes + kListGrain - 1) / kListGrain * kListGrain;
}

}  // namespace holdfast::index
