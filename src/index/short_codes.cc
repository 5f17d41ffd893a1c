#include "index/short_codes.h"

#include <vector>

#include "simd/code_kernel_table.h"

namespace holdfast::index {
namespace {

constexpr std::size_t blocks_of(std::size_t dimension) noexcept {
  return (dimension + simd::kNibbleBlock - 1) / simd::kNibbleBlock;
}

}  // namespace

ShortCodes::ShortCodes(const CodeTable& codes, std::span<const Slot> sample)
    : quantizer_(Quantizer::shorten(codes.quantizer(), sample, [&](Slot slot) { return codes.row(slot); })),
      components_(blocks_of(quantizer_.dimension()) * simd::kNibbleBlock),
      rows_(blocks_of(quantizer_.dimension()) * simd::kNibbleBlockBytes) {}

void ShortCodes::assign(const CodeTable& codes, Slot slot) {
  thread_local std::vector<float> vector;
  thread_local std::vector<std::uint8_t> digits;
  vector.resize(quantizer_.dimension());
  digits.assign(components_, 0);
  codes.quantizer().decode(codes.row(slot), vector.data());
  const Quantizer::Coded coded = quantizer_.encode(vector.data(), 1.0F, digits.data());
  std::uint8_t* out = rows_.codes(slot);
  constexpr std::size_t kHalf = simd::kNibbleBlockBytes;
  for (std::size_t block = 0; block < components_; block += simd::kNibbleBlock, out += kHalf) {
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[i] = static_cast<std::uint8_t>(digits[block + i] | digits[block + kHalf + i] << 4);
    }
  }
  rows_.set_norm(slot, coded.norm);
}

}  // namespace holdfast::index
