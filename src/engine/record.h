// The body of a batch frame: operations as they are logged (docs/format/image.md).
//
//   u32 operations
//   each: u8 kind | u8 id kind | u16 vectors (at least 1 for an upsert, else 0)
//     upsert: u64 id high | u64 id low | u32 dimension | components: dimension x vectors | u32 payload bytes | payload
//     erase:  u64 id high | u64 id low
//     marker: u32 key bytes | key | u32 value bytes | value
// The components have the collection's type, whose number (ComponentType) stands in the upper four bits of "id kind".
// An upsert with several vectors gives a point several values (WriteBatch::upsert_values).
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "engine/slot_table.h"
#include "holdfast/types.h"

namespace holdfast::engine {

/// Everything of an operation that apply() needs; memory that could be short is already taken.
struct PreparedOperation {
  WriteBatch::Kind kind = WriteBatch::Kind::upsert;
  PointId id;
  std::uint32_t values = 0;  ///< upsert: vectors
  ByteSpan vectors;          ///< values x dimension components of the collection's type, unaligned
  PayloadPtr payload;
  std::string_view key, value;
};

/// Vectors are stored as `type`: what validate_batch() lets pass.
[[nodiscard]] Bytes encode_batch(const WriteBatch& batch, ComponentType type = ComponentType::f32);

/// The operations of a frame; spans point into `body`. `dimension` and `type` are the collection's. Throws bad_alloc.
/// data_damaged if the body is not what encode_batch makes: the checksum was right, so the writer was wrong or newer.
[[nodiscard]] Result<std::vector<PreparedOperation>> decode_batch(ByteSpan body, std::uint32_t dimension,
                                                                  ComponentType type = ComponentType::f32);

/// What a logged vector looks like.
struct VectorShape {
  std::uint32_t dimension = 0;  ///< 0: there is none
  ComponentType type = ComponentType::f32;
};
/// Calls visit(kind, id, shape) for each upsert and erase (no shape) of a batch of any collection. False if the body
/// does not decode; what was visited until then counts.
bool visit_ids(ByteSpan body, const std::function<void(WriteBatch::Kind, PointId, VectorShape)>& visit);

/// "3 upserts, 1 erase: 17, 18, 19, -4" for people; at most ten ids.
[[nodiscard]] std::string describe_batch(ByteSpan body);

}  // namespace holdfast::engine
