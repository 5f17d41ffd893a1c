// One byte that gives the dimension (1 to 8), then the body of a batch frame whose checksum was right.
//
// Whatever the bytes: they are refused, or they are what encode_batch makes of the same operations.
#include <cstring>
#include <string>
#include <vector>

#include "engine/record.h"
#include "fuzz/targets/targets.h"

namespace holdfast::fuzz {

namespace {

Bytes encode_again(const std::vector<engine::PreparedOperation>& operations) {
  WriteBatch batch;
  std::vector<float> vectors;
  for (const engine::PreparedOperation& operation : operations) {
    switch (operation.kind) {
      case WriteBatch::Kind::upsert:
        vectors.resize(operation.vectors.size() / sizeof(float));
        std::memcpy(vectors.data(), operation.vectors.data(), operation.vectors.size());
        batch.upsert_values(operation.id, vectors, operation.values,
                            operation.payload ? operation.payload->text() : std::string_view());
        break;
      case WriteBatch::Kind::erase: batch.erase(operation.id); break;
      case WriteBatch::Kind::marker: batch.set_marker(operation.key, operation.value); break;
    }
  }
  return engine::encode_batch(batch);
}

}  // namespace

std::string check_record(ByteSpan input) {
  if (input.empty()) return "";
  const std::uint32_t dimension = std::to_integer<std::uint32_t>(input.front()) % 8 + 1;
  const ByteSpan body = input.subspan(1);
  if (engine::describe_batch(body).empty()) return "a batch without a word";
  const auto operations = engine::decode_batch(body, dimension);
  if (!operations.ok()) {
    return operations.status().code() == StatusCode::data_damaged ? "" : operations.status().to_string();
  }
  const Bytes again = encode_again(*operations);
  return std::equal(again.begin(), again.end(), body.begin(), body.end()) ? "" : "the batch is written differently";
}

}  // namespace holdfast::fuzz
