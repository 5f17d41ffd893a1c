#include "index/vector_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <string>

#include "index/aligned_room.h"
#include "index/read_check.h"

namespace holdfast::index {
namespace {

constexpr std::size_t kRowAlignment = 64;

std::size_t round_up(std::size_t bytes, std::size_t to) noexcept { return (bytes + to - 1) / to * to; }

double sum_of_squares(const float* vector, std::size_t dimension, double sum = 0) noexcept {
  for (std::size_t i = 0; i < dimension; ++i) sum += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
  return sum;
}

/// 1/sqrt(sum), rounded once. A zero vector (refused at the API) gives 0.
float inverse_root(double sum) noexcept {
  if (!(sum > 0)) return 0;
  const double inverse = 1.0 / std::sqrt(sum);
  return static_cast<float>(std::min(inverse, static_cast<double>(std::numeric_limits<float>::max())));
}

/// 1/|x| in double precision.
float inverse_norm(const float* vector, std::uint32_t dimension) noexcept {
  return inverse_root(sum_of_squares(vector, dimension));
}

/// The same of components of any type, the same bits as for the decoded vector.
float inverse_norm_of_components(ComponentType type, const std::byte* row, std::size_t dimension) noexcept {
  constexpr std::size_t kAtOnce = 256;
  float part[kAtOnce];
  double sum = 0;
  for (std::size_t begin = 0; begin < dimension; begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, dimension - begin);
    decode_components(type, row + begin * component_bytes(type), count, part);
    sum = sum_of_squares(part, count, sum);
  }
  return inverse_root(sum);
}

Status out_of_memory() { return {StatusCode::resource_exhausted, "no memory for vectors: free some or use less"}; }

}  // namespace

std::size_t VectorTable::row_bytes(std::uint32_t dimension, Metric metric, ComponentType type) noexcept {
  const std::size_t norm = metric == Metric::cosine ? sizeof(float) : 0;
  return round_up(round_up(dimension * component_bytes(type), sizeof(float)) + norm, kRowAlignment);
}

VectorTable::VectorTable(std::uint32_t dimension, Metric metric, ComponentType type)
    : dimension_(dimension),
      metric_(metric),
      type_(type),
      stride_(row_bytes(dimension, metric, type)),
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

void VectorTable::assign_components(Slot slot, const std::byte* components) noexcept {
  auto* const at = static_cast<std::byte*>(const_cast<void*>(address(slot)));  // our memory, or a private mapping (V3)
  std::memcpy(at, components, vector_bytes());
  finish_row(slot, at);
}

void VectorTable::assign(Slot slot, std::span<const float> vector) noexcept {
  auto* const at = static_cast<std::byte*>(const_cast<void*>(address(slot)));
  (void)encode_components(type_, vector.first(dimension_), at);
  finish_row(slot, at);
}

bool VectorTable::identical(Slot a, Slot b) const noexcept {
  const void* const first = row(a);
  const void* const second = row(b);
  if (type_ != ComponentType::f32) return std::memcmp(first, second, vector_bytes()) == 0;
  const auto* const floats = static_cast<const float*>(first);
  return std::equal(floats, floats + dimension_, static_cast<const float*>(second));  // -0 is 0
}

void VectorTable::finish_row(Slot slot, std::byte* row) noexcept {
  if (metric_ == Metric::cosine) {
    const float norm = inverse_norm_of_components(type_, row, dimension_);
    std::memcpy(row + norm_offset(), &norm, sizeof norm);
  }
  if (slot < used_end_) return;  // used before
  used_end_ = slot + 1;
  private_rows_.fetch_add(1, std::memory_order_relaxed);
}

Status VectorTable::verify_rows(Slot begin, Slot end) const {
  const MappedChunk* const chunk = mapped_chunk(begin >> kChunkBits);
  const Slot first = begin & (kChunkSlots - 1);
  if (chunk == nullptr || begin >= end || first >= chunk->count || !chunk->rows.verify) return {};
  return chunk->rows.verify(first * stride_, std::min<Slot>(end - begin, chunk->count - first) * stride_);
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
  if (mapped.bytes.size() >= chunk_bytes() && aligned) {
    try {
      if (chunks_.size() <= chunk) chunks_.resize(chunk + 1);
      if (mapped_.size() <= chunk) mapped_.resize(chunk + 1);
      mapped_[chunk] = std::make_unique<MappedChunk>();
    } catch (const std::bad_alloc&) {
      return out_of_memory();
    }
    MappedChunk& made = *mapped_[chunk];
    made.rows = std::move(mapped);
    made.count = rows;
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
    : one_(table.metric() == Metric::l2 ? row_kernels(table.type()).l2 : row_kernels(table.type()).dot),
      four_(table.metric() == Metric::l2 ? row_kernels(table.type()).l2_x4 : row_kernels(table.type()).dot_x4),
      vector_(vector),
      norm_offset_(table.norm_offset()),
      dimension_(table.dimension()),
      metric_(table.metric()),
      inverse_norm_(inverse) {}

Query::Query(const VectorTable& table, const float* vector) noexcept
    : Query(table, vector, table.metric() == Metric::cosine ? inverse_norm(vector, table.dimension()) : 1.0F) {}

namespace {

/// Decoded rows that the thread works with just now: a few, each within the life of the one before.
struct DecodedRows {
  std::vector<std::vector<float>> rooms;
  std::size_t used = 0;
};
DecodedRows& decoded_rows() {
  thread_local DecodedRows rows;
  return rows;
}

}  // namespace

const float* RowQuery::decoded(const VectorTable& table, const void* row) {
  if (table.type() == ComponentType::f32) return static_cast<const float*>(row);
  DecodedRows& rows = decoded_rows();
  if (rows.used == rows.rooms.size()) rows.rooms.emplace_back();
  float* const room = aligned_room(table.dimension(), rows.rooms[rows.used]);
  decode_components(table.type(), row, table.dimension(), room);
  ++rows.used;
  return room;
}

RowQuery::RowQuery(const VectorTable& table, const void* row)
    : decoded_(table.type() != ComponentType::f32), query_(table, decoded(table, row), table.inverse_norm_of(row)) {}

RowQuery::RowQuery(const VectorTable& table, Slot slot) : RowQuery(table, table.row(slot)) {}

RowQuery::~RowQuery() {
  if (decoded_) --decoded_rows().used;
}

}  // namespace holdfast::index
