#include "index/code_rows.h"

#include <new>
#include <utility>

namespace holdfast::index {
namespace {

constexpr std::size_t kLine = 64;

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory for codes: free some or use less"}; }

}  // namespace

CodeRows::CodeRows(std::size_t bytes)
    : stride_((bytes + kLine - 1) / kLine * kLine),
      directory_memory_(Pages::map(kMaxChunks * sizeof(std::uint8_t*), Pages::Size::normal)) {
  const bool room = stride_ - bytes >= sizeof(float);
  norm_begin_ = room ? stride_ - sizeof(float) : stride_ * kChunkSlots;
  norm_stride_ = room ? stride_ : sizeof(float);
  directory_ = reinterpret_cast<std::uint8_t**>(directory_memory_.data());
}

Status CodeRows::reserve(Slot end) {
  if (directory_ == nullptr) return out_of_memory();
  const std::uint32_t chunks = (end + kChunkSlots - 1) >> kChunkBits;
  try {
    if (chunks_.size() < chunks) chunks_.resize(chunks);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
  const std::size_t bytes = kChunkSlots * (stride_ + (norms_apart() ? sizeof(float) : 0));
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    if (!chunks_[chunk].empty()) continue;
    Pages memory = Pages::map(bytes, Pages::Size::huge);
    if (memory.empty()) return out_of_memory();
    chunks_[chunk] = std::move(memory);
    memory_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    chunk_pointer(chunk).store(reinterpret_cast<std::uint8_t*>(chunks_[chunk].data()),
                               std::memory_order_release);  // pairs: chunk_of()
  }
  return {};
}

}  // namespace holdfast::index
