#include "index/vector_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <string>

#include "index/read_check.h"

namespace holdfast::index {
namespace {

constexpr std::size_t kRowAlignment = 64;

std::size_t row_bytes(std::uint32_t dimension, Metric metric) noexcept {
  const std::size_t floats = std::size_t{dimension} + (metric == Metric::cosine ? 1 : 0);
  return (floats * sizeof(float) + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

/// 1/|x| in double precision, rounded once. A zero vector (refused at the API) gives 0.
float inverse_norm(const float* vector, std::uint32_t dimension) noexcept {
  double sum = 0;
  for (std::uint32_t i = 0; i < dimension; ++i) sum += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
  if (!(sum > 0)) return 0;
  const double inverse = 1.0 / std::sqrt(sum);
  return static_cast<float>(std::min(inverse, static_cast<double>(std::numeric_limits<float>::max())));
}

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory for vectors: free some or use less"}; }

}  // namespace

VectorTable::VectorTable(std::uint32_t dimension, Metric metric)
    : dimension_(dimension),
      metric_(metric),
      stride_(row_bytes(dimension, metric)),
      directory_memory_(Pages::map(kMaxChunks * sizeof(const std::byte*), Pages::Size::normal)) {
  directory_ = reinterpret_cast<const std::byte**>(directory_memory_.data());
}

Status VectorTable::make_chunk(std::uint32_t chunk) {
  if (directory_ == nullptr) return out_of_memory();
  if (chunk >= kMaxChunks) return {StatusCode::resource_exhausted, "a collection holds at most 2^31 rows"};
  try {
    if (chunks_.size() <= chunk) chunks_.resize(chunk + 1);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
  Pages memory = Pages::map(chunk_bytes(), Pages::Size::huge);
  if (memory.empty()) return out_of_memory();
  chunks_[chunk] = std::move(memory);
  return {};
}

Status VectorTable::reserve(Slot end) {
  const std::uint32_t chunks = (end >> kChunkBits) + ((end & (kChunkSlots - 1)) != 0 ? 1 : 0);
  if (chunks == 0) return {};
  if (directory_ == nullptr) return out_of_memory();
  if (chunks > kMaxChunks) return {StatusCode::resource_exhausted, "a collection holds at most 2^31 rows"};
  // Chunks are nearly always made in order: look from the end for the last one that exists.
  std::uint32_t first = chunks;
  while (first > 0 && chunk_pointer(first - 1).load(std::memory_order_relaxed) == nullptr) --first;
  for (std::uint32_t chunk = first; chunk < chunks; ++chunk) {
    if (Status made = make_chunk(chunk); !made.ok()) return made;
    chunk_pointer(chunk).store(chunks_[chunk].data(), std::memory_order_release);  // pairs: row()
  }
  return {};
}

void VectorTable::assign(Slot slot, std::span<const float> vector) noexcept {
  auto* const at = const_cast<float*>(address(slot));  // our own memory, or a private mapping (V3)
  std::copy_n(vector.data(), dimension_, at);
  if (metric_ == Metric::cosine) at[dimension_] = inverse_norm(at, dimension_);
  if (slot < used_end_) return;  // used before
  used_end_ = slot + 1;
  private_rows_.fetch_add(1, std::memory_order_relaxed);
}

Status VectorTable::verify_rows(Slot begin, Slot end) const {
  const MappedChunk* const chunk = mapped_chunk(begin >> kChunkBits);
  if (chunk == nullptr || begin >= end || !chunk->rows.verify) return {};
  return chunk->rows.verify((begin & (kChunkSlots - 1)) * stride_, (end - begin) * stride_);
}

void VectorTable::check(Slot slot) const noexcept {
  MappedChunk* const chunk = mapped_chunk(slot >> kChunkBits);
  if (chunk == nullptr || chunk->sound.load(std::memory_order_acquire)) return;  // pairs: settle()
  try {
    if (Status status = verify_row(slot); !status.ok()) return ReadCheck::note({std::move(status)});
    if (chunk->rows.all_verified && chunk->rows.all_verified()) settle(*chunk);
  } catch (const std::bad_alloc&) {
    ReadCheck::note({{}, true});  // what was read must not count all the same
  }
}

/// All pages of the chunk are sound: nobody needs to look again.
void VectorTable::settle(MappedChunk& chunk) const {
  MutexLock lock(settling_);
  if (chunk.sound.load(std::memory_order_relaxed) || !chunk.rows.all_verified()) return;
  chunk.sound.store(true, std::memory_order_release);         // pairs: check()
  unchecked_chunks_.fetch_sub(1, std::memory_order_release);  // pairs: has_unchecked()
}

void VectorTable::distrust(std::uint32_t chunk) const {
  MappedChunk* const mapped = mapped_chunk(chunk);
  if (mapped == nullptr) return;
  MutexLock lock(settling_);
  if (!mapped->sound.exchange(false, std::memory_order_relaxed)) return;
  unchecked_chunks_.fetch_add(1, std::memory_order_release);  // pairs: has_unchecked()
}

Status VectorTable::attach(std::uint32_t chunk, std::uint32_t rows, MappedRows mapped) {
  if (rows > kChunkSlots || mapped.bytes.size() < rows * stride_) {
    return {StatusCode::data_damaged, "vectors of chunk " + std::to_string(chunk) + ": " + std::to_string(rows) +
                                          " rows of " + std::to_string(stride_) + " bytes do not fit into " +
                                          std::to_string(mapped.bytes.size()) + " bytes"};
  }
  if (directory_ == nullptr) return out_of_memory();
  if (chunk >= kMaxChunks) return {StatusCode::resource_exhausted, "a collection holds at most 2^31 rows"};
  std::byte* const data = mapped.bytes.data();
  const bool aligned = reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0;
  if (rows == kChunkSlots && aligned) {
    try {
      if (chunks_.size() <= chunk) chunks_.resize(chunk + 1);
      if (mapped_.size() <= chunk) mapped_.resize(chunk + 1);
      mapped_[chunk] = std::make_unique<MappedChunk>();
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    }
    MappedChunk& made = *mapped_[chunk];
    made.rows = std::move(mapped);
    const bool sound = !made.rows.verify || (made.rows.all_verified && made.rows.all_verified());
    made.sound.store(sound, std::memory_order_relaxed);  // before readers exist
    if (!sound) unchecked_chunks_.fetch_add(1, std::memory_order_relaxed);
    mapped_rows_.fetch_add(rows, std::memory_order_relaxed);
    used_end_ = std::max(used_end_, (chunk << kChunkBits) + rows);
    chunk_pointer(chunk).store(data, std::memory_order_release);  // pairs: row()
    return {};
  }
  if (Status made = make_chunk(chunk); !made.ok()) return made;
  std::byte* const memory = chunks_[chunk].data();
  if (rows > 0) std::memcpy(memory, data, rows * stride_);
  private_rows_.fetch_add(rows, std::memory_order_relaxed);
  used_end_ = std::max(used_end_, (chunk << kChunkBits) + rows);
  chunk_pointer(chunk).store(memory, std::memory_order_release);  // pairs: row()
  return {};
}

Query::Query(const VectorTable& table, const float* vector, float inverse) noexcept
    : one_(table.metric() == Metric::l2 ? simd::kernels().l2 : simd::kernels().dot),
      four_(table.metric() == Metric::l2 ? simd::kernels().l2_x4 : simd::kernels().dot_x4),
      vector_(vector),
      dimension_(table.dimension()),
      metric_(table.metric()),
      inverse_norm_(inverse) {}

Query::Query(const VectorTable& table, const float* vector) noexcept
    : Query(table, vector, table.metric() == Metric::cosine ? inverse_norm(vector, table.dimension()) : 1.0F) {}

Query Query::of_row(const VectorTable& table, Slot slot) noexcept {
  const float* const row = table.row(slot);
  return Query(table, row, table.metric() == Metric::cosine ? row[table.dimension()] : 1.0F);
}

}  // namespace holdfast::index
