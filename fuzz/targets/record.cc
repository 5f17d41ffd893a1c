// One byte that gives the dimension (1 to 8) and the type of the components, then the body of a batch frame whose
// checksum was right.
//
// Whatever the bytes: they are refused, or they are what encode_batch makes of the same operations.
#include <string>
#include <vector>

#include "engine/record.h"
#include "fuzz/targets/targets.h"
#include "index/components.h"

namespace holdfast::fuzz {

namespace {

Bytes encode_again(const std::vector<engine::PreparedOperation>& operations, ComponentType type) {
  WriteBatch batch;
  std::vector<float> vectors;
  for (const engine::PreparedOperation& operation : operations) {
    switch (operation.kind) {
      case WriteBatch::Kind::upsert:
        vectors.resize(operation.vectors.size() / index::component_bytes(type));
        index::decode_components(type, operation.vectors.data(), vectors.size(), vectors.data());
        batch.upsert_values(operation.id, vectors, operation.values,
                            operation.payload ? operation.payload->text() : std::string_view());
        break;
      case WriteBatch::Kind::erase: batch.erase(operation.id); break;
      case WriteBatch::Kind::marker: batch.set_marker(operation.key, operation.value); break;
    }
  }
  return engine::encode_batch(batch, type);
}

}  // namespace

std::string check_record(ByteSpan input) {
  if (input.empty()) return "";
  const std::uint32_t dimension = std::to_integer<std::uint32_t>(input.front()) % 8 + 1;
  const auto type = static_cast<ComponentType>(std::to_integer<unsigned>(input.front()) / 8 % 5);
  const ByteSpan body = input.subspan(1);
  if (engine::describe_batch(body).empty()) return "a batch without a word";
  const auto operations = engine::decode_batch(body, dimension, type);
  if (!operations.ok()) {
    return operations.status().code() == StatusCode::data_damaged ? "" : operations.status().to_string();
  }
  const Bytes again = encode_again(*operations, type);
  // A NaN of 16 bits may come back as another one.
  const bool small = type == ComponentType::f16 || type == ComponentType::bf16;
  if (small && again.size() == body.size()) return "";
  return std::equal(again.begin(), again.end(), body.begin(), body.end()) ? "" : "the batch is written differently";
}

}  // namespace holdfast::fuzz
