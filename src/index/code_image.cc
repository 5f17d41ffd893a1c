#include "index/code_image.h"

#include <cmath>
#include <cstring>

namespace holdfast::index {
namespace {

constexpr std::uint8_t kWhole = 1, kBytes = 2;
constexpr std::size_t kQuantizerHead = 8 + 4 + 4 + 4 + 4;
constexpr std::size_t kPerComponent = 3 * sizeof(float);

}  // namespace

void encode_code_head(const CodeTable& table, Lsn lsn, Slot begin, const std::vector<bool>& held, Bytes& out) {
  const CodeLayout layout{static_cast<std::uint32_t>(held.size()), table.quantizer().dimension()};
  const std::size_t at = out.size();
  out.resize(at + layout.codes_at());
  std::byte* const to = out.data() + at;
  store<std::uint64_t>(to, table.training().number);
  store<Lsn>(to + 8, lsn);
  store<std::uint32_t>(to + 16, layout.rows);
  store<std::uint32_t>(to + 20, layout.components);
  for (std::uint32_t row = 0; row < layout.rows; ++row) {
    if (!held[row]) continue;
    std::byte* const word = to + CodeLayout::kBitsAt + row / 64 * sizeof(std::uint64_t);
    store<std::uint64_t>(word, load<std::uint64_t>(word) | std::uint64_t{1} << (row % 64));
    std::memcpy(to + layout.norms_at() + row * sizeof(float), table.at(begin + row).norm, sizeof(float));
  }
}

std::optional<CodeImage> CodeImage::read(ByteSpan data, const CodeLayout& layout, std::uint64_t training) {
  if (data.size() != layout.bytes()) return {};
  if (load<std::uint64_t>(data.data()) != training || load<std::uint32_t>(data.data() + 16) != layout.rows ||
      load<std::uint32_t>(data.data() + 20) != layout.components) {
    return {};
  }
  if (const std::uint32_t rest = layout.rows % 64; rest != 0) {  // bits of rows that do not exist
    const auto last = load<std::uint64_t>(data.data() + layout.norms_at() - sizeof(std::uint64_t));
    if (last >> rest != 0) return {};
  }
  return CodeImage(data, layout, load<Lsn>(data.data() + 8));
}

std::uint64_t quantizer_bytes(std::uint32_t components) noexcept {
  return kQuantizerHead + std::uint64_t{components} * kPerComponent;
}

void encode_quantizer(const Quantizer& quantizer, std::uint64_t training, Bytes& out) {
  put(out, training);
  quantizer.append_to(out);
}

std::optional<Quantizer> decode_quantizer(ByteSpan data, std::uint64_t training, Metric metric,
                                          std::uint32_t dimension) {
  if (data.size() != quantizer_bytes(dimension) || load<std::uint64_t>(data.data()) != training) return {};
  return Quantizer::from_bytes(data.subspan(sizeof training), metric, dimension);
}

void Quantizer::append_to(Bytes& out) const {
  put(out, dimension());
  put(out, static_cast<std::uint8_t>((whole_ ? kWhole : 0) | (bytes_ ? kBytes : 0)));
  for (int i = 0; i < 3; ++i) put(out, std::uint8_t{0});
  put(out, mean_step_);
  put(out, widest_norm_);
  for (std::size_t i = 0; i < step_.size(); ++i) {
    put(out, low_[i]);
    put(out, step_[i]);
    put(out, zero_[i]);
  }
}

std::optional<Quantizer> Quantizer::from_bytes(ByteSpan data, Metric metric, std::uint32_t dimension) {
  ByteReader reader(data);
  std::uint32_t components = 0, flags = 0;
  Quantizer made;
  made.metric_ = metric;
  made.usable_ = true;  // others are not kept
  if (!reader.get(components) || components != dimension || !reader.get(flags) || flags > (kWhole | kBytes) ||
      !reader.get(made.mean_step_) || !reader.get(made.widest_norm_)) {
    return {};
  }
  made.whole_ = (flags & kWhole) != 0;
  made.bytes_ = (flags & kBytes) != 0;
  const auto is_step = [](float step) { return std::isfinite(step) && step > 0 && std::isfinite(1.0F / step); };
  bool possible = is_step(made.mean_step_) && std::isfinite(made.widest_norm_) && made.widest_norm_ >= 0 &&
                  (made.whole_ || !made.bytes_);
  for (std::uint32_t i = 0; i < dimension; ++i) {
    float low = 0, step = 0, zero = 0;
    if (!reader.get(low) || !reader.get(step) || !reader.get(zero)) return {};
    possible = possible && std::isfinite(low) && is_step(step) && zero >= 0 && zero <= made.top_ &&
               std::nearbyint(zero) == zero && (!made.whole_ || step == 1) && (!made.bytes_ || low == 0);
    if (!possible) return {};
    made.add_coded(low, step, zero);
    if (!std::isfinite(made.center_.back())) return {};
  }
  if (reader.remaining() != 0) return {};
  return made;
}

}  // namespace holdfast::index
