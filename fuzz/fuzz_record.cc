// Any bytes as the body of a batch frame whose checksum was right.
#include "engine/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast;
  const auto body = std::as_bytes(std::span(data, size));
  (void)engine::decode_batch(body, 4);
  (void)engine::describe_batch(body);
  return 0;
}
