// Codes as an image holds them (docs/format/image.md): those of a chunk's rows, and the quantizer that made them.
//
//   codes of a chunk   u64 training | u64 lsn | u32 rows | u32 components
//                      bit per row: 1 if its code is there; in words of 64 bits
//                      rows x f32 norm | rows x components bytes
//   quantizer          u64 training | u32 components | u8 flags (1: codes of whole numbers are exact, 2: codes are the
//                      components themselves) | 3 zeros | f32 mean step | f32 widest norm
//                      per component f32 x~ of code 0, f32 step, f32 code nearest to the mean
//
// Rows without a code are zeros. What is read here may be damaged or forged: it is refused, or gives codes that are
// wrong, never anything worse.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/coding.h"
#include "base/ids.h"
#include "index/code_table.h"
#include "index/quantizer.h"

namespace holdfast::index {

/// Where things stand in the codes of a chunk.
struct CodeLayout {
  std::uint32_t rows = 0;
  std::uint32_t components = 0;

  static constexpr std::uint64_t kBitsAt = 24;
  [[nodiscard]] std::uint64_t words() const noexcept { return (std::uint64_t{rows} + 63) / 64; }
  [[nodiscard]] std::uint64_t norms_at() const noexcept { return kBitsAt + words() * sizeof(std::uint64_t); }
  [[nodiscard]] std::uint64_t codes_at() const noexcept { return norms_at() + std::uint64_t{rows} * sizeof(float); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return codes_at() + std::uint64_t{rows} * components; }
};
static_assert(CodeLayout::kBitsAt == 8 + sizeof(Lsn) + 4 + 4, "training, lsn, rows, components");

/// Everything of a chunk that stands before the codes. Row i is the slot begin + i; `held`: whose codes are there.
void encode_code_head(const CodeTable& table, Lsn lsn, Slot begin, const std::vector<bool>& held, Bytes& out);

/// The codes of a chunk's rows, read where they stand. Whoever reads checks the bytes first.
class CodeImage {
 public:
  /// Nothing unless head and bits are of that training and layout. REQUIRES that `data` has layout.bytes(), of which
  /// the first layout.norms_at() were checked.
  [[nodiscard]] static std::optional<CodeImage> read(ByteSpan data, const CodeLayout& layout, std::uint64_t training);

  [[nodiscard]] const CodeLayout& layout() const noexcept { return layout_; }
  /// A row that was born later has another code than it says.
  [[nodiscard]] Lsn lsn() const noexcept { return lsn_; }
  [[nodiscard]] bool has(std::uint32_t row) const noexcept {
    if (row >= layout_.rows) return false;
    const auto word = load<std::uint64_t>(data_.data() + CodeLayout::kBitsAt + row / 64 * sizeof(std::uint64_t));
    return ((word >> (row % 64)) & 1U) != 0;
  }
  // --- REQUIRES has(row), and that these bytes were checked ---
  [[nodiscard]] float norm(std::uint32_t row) const noexcept {
    return load<float>(data_.data() + layout_.norms_at() + row * sizeof(float));
  }
  [[nodiscard]] const std::uint8_t* codes(std::uint32_t row) const noexcept {
    return reinterpret_cast<const std::uint8_t*>(data_.data()) + layout_.codes_at() +
           std::uint64_t{row} * layout_.components;
  }

 private:
  CodeImage(ByteSpan data, const CodeLayout& layout, Lsn lsn) : data_(data), layout_(layout), lsn_(lsn) {}
  ByteSpan data_;
  CodeLayout layout_;
  Lsn lsn_;
};

/// Bytes of a quantizer's data.
[[nodiscard]] std::uint64_t quantizer_bytes(std::uint32_t components) noexcept;
void encode_quantizer(const Quantizer& quantizer, std::uint64_t training, Bytes& out);
/// Nothing if it is not of that training and dimension, or holds what no training gives. Throws bad_alloc.
[[nodiscard]] std::optional<Quantizer> decode_quantizer(ByteSpan data, std::uint64_t training, Metric metric,
                                                        std::uint32_t dimension);

}  // namespace holdfast::index
