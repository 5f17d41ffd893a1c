#include "engine/record.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <string>

#include "index/components.h"

namespace holdfast::engine {

namespace {

using Kind = WriteBatch::Kind;

// Smallest operation: kind, id kind, vectors, two empty strings.
constexpr std::size_t kSmallestOperation = 12;

struct RawOperation {
  Kind kind;
  PointId id;
  std::uint32_t values = 0;
  VectorShape shape;
  ByteSpan vectors;
  std::string_view text, key;
};

constexpr unsigned kTypeShift = 4;  // in the byte of the id's kind

std::optional<RawOperation> read_operation(ByteReader& reader) {
  std::uint8_t kind = 0, id_kind = 0;
  std::uint16_t vectors = 0;
  if (!reader.get(kind) || !reader.get(id_kind) || !reader.get(vectors)) return {};
  RawOperation raw{static_cast<Kind>(kind), {}, vectors, {}, {}, {}, {}};
  if (raw.kind == Kind::marker) {
    if (vectors != 0 || id_kind != 0 || !reader.get_string(raw.key) || !reader.get_string(raw.text)) return {};
    return raw;
  }
  if (raw.kind == Kind::upsert) {
    const unsigned type = id_kind >> kTypeShift;
    if (type > static_cast<unsigned>(ComponentType::u8)) return {};
    raw.shape.type = static_cast<ComponentType>(type);
    id_kind &= (1U << kTypeShift) - 1;
  }
  std::uint64_t high = 0, low = 0;
  if (id_kind > 1 || !reader.get(high) || !reader.get(low)) return {};
  raw.id = PointId::from_parts(static_cast<PointId::Kind>(id_kind), high, low);
  if (!raw.id.is_uuid() && high != 0) return {};  // no number: nobody could ask for it
  if (raw.kind == Kind::erase) return vectors == 0 ? std::optional(raw) : std::nullopt;
  if (raw.kind != Kind::upsert || vectors == 0 || vectors > kMaxValues) return {};
  if (!reader.get(raw.shape.dimension) || raw.shape.dimension > kMaxDimension) return {};
  const std::size_t bytes = std::size_t{vectors} * raw.shape.dimension * index::component_bytes(raw.shape.type);
  if (!reader.get_bytes(bytes, raw.vectors) || !reader.get_string(raw.text)) return {};
  return raw;
}

/// Calls visit(RawOperation) for each; false if the body is malformed.
template <class Visit>
bool read_operations(ByteSpan body, Visit visit) {
  ByteReader reader(body);
  std::uint32_t count = 0;
  if (!reader.get(count) || count > body.size() / kSmallestOperation) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto raw = read_operation(reader);
    if (!raw || !visit(*raw)) return false;
  }
  return reader.remaining() == 0;
}

/// A point that is written twice at one lsn would die when it was born. By a table of its own instead of a set: every
/// frame passes here, and a set allocates for each id.
bool names_an_id_twice(const std::vector<PreparedOperation>& operations) {
  if (operations.size() < 2) return false;
  constexpr std::uint32_t kEmpty = 0xFFFFFFFF;
  std::vector<std::uint32_t> table(std::bit_ceil(operations.size() * 2), kEmpty);
  for (std::uint32_t i = 0; i < operations.size(); ++i) {
    if (operations[i].kind == Kind::marker) continue;
    std::size_t at = std::hash<PointId>{}(operations[i].id) & (table.size() - 1);
    for (; table[at] != kEmpty; at = (at + 1) & (table.size() - 1)) {
      if (operations[table[at]].id == operations[i].id) return true;
    }
    table[at] = i;
  }
  return false;
}

}  // namespace

Bytes encode_batch(const WriteBatch& batch, ComponentType type) {
  Bytes body;
  body.reserve(batch.byte_size() + 16);
  put(body, static_cast<std::uint32_t>(batch.size()));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const WriteBatch::Operation operation = batch.operation(i);
    put(body, static_cast<std::uint8_t>(operation.kind));
    const unsigned shape = operation.kind == Kind::upsert ? static_cast<unsigned>(type) << kTypeShift : 0;
    put(body, static_cast<std::uint8_t>(static_cast<unsigned>(operation.id.kind()) | shape));
    put(body, static_cast<std::uint16_t>(operation.kind == Kind::upsert ? operation.values : 0));
    if (operation.kind == Kind::marker) {
      put_string(body, operation.key);
      put_string(body, operation.payload);
      continue;
    }
    put(body, operation.id.high());
    put(body, operation.id.low());
    if (operation.kind == Kind::erase) continue;
    put(body, static_cast<std::uint32_t>(operation.vector.size() / operation.values));
    const std::size_t begin = body.size();
    body.resize(begin + operation.vector.size() * index::component_bytes(type));
    (void)index::encode_components(type, operation.vector, body.data() + begin);
    put_string(body, operation.payload);
  }
  return body;
}

Result<std::vector<PreparedOperation>> decode_batch(ByteSpan body, std::uint32_t dimension, ComponentType type) {
  std::vector<PreparedOperation> operations;
  const bool sound = read_operations(body, [&](const RawOperation& raw) {
    if (raw.kind == Kind::upsert && (raw.shape.dimension != dimension || raw.shape.type != type)) return false;
    PreparedOperation& operation = operations.emplace_back();
    operation.kind = raw.kind;
    operation.id = raw.id;
    operation.values = raw.values;
    operation.vectors = raw.vectors;
    operation.key = raw.key;
    operation.value = raw.text;
    if (raw.kind == Kind::upsert) operation.payload = make_payload(raw.text);
    return true;
  });
  if (!sound) return Status(StatusCode::data_damaged, "a batch with a valid checksum does not decode");
  if (names_an_id_twice(operations)) return Status(StatusCode::data_damaged, "a batch names an id twice");
  return operations;
}

bool visit_ids(ByteSpan body, const std::function<void(WriteBatch::Kind, PointId, VectorShape)>& visit) {
  return read_operations(body, [&](const RawOperation& raw) {
    if (raw.kind != Kind::marker) visit(raw.kind, raw.id, raw.shape);
    return true;
  });
}

std::string describe_batch(ByteSpan body) {
  constexpr std::size_t kIdsShown = 10;
  std::size_t upserts = 0, erases = 0, markers = 0;
  std::string ids;
  const bool sound = read_operations(body, [&](const RawOperation& raw) {
    if (raw.kind == Kind::marker) {
      ++markers;
      return true;
    }
    const std::size_t shown = upserts + erases;
    ++(raw.kind == Kind::upsert ? upserts : erases);
    if (shown < kIdsShown)
      ids += (shown == 0 ? " " : ", ") + std::string(raw.kind == Kind::erase ? "-" : "") + raw.id.to_string();
    if (shown == kIdsShown) ids += ", ...";
    return true;
  });
  if (!sound) return "does not decode";
  std::string text = std::to_string(upserts) + (upserts == 1 ? " upsert" : " upserts");
  if (erases > 0) text += ", " + std::to_string(erases) + (erases == 1 ? " erase" : " erases");
  if (markers > 0) text += ", " + std::to_string(markers) + (markers == 1 ? " marker" : " markers");
  return ids.empty() ? text : text + ":" + ids;
}

}  // namespace holdfast::engine
