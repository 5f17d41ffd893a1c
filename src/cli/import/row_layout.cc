#include "cli/import/row_layout.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string>

#include "cli/try.h"
#include "holdfast/types.h"

namespace holdfast::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "components are copied as they stand in the file");

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);
constexpr std::uint64_t kMaxNpyHeaderBytes = 65'536;

std::uint64_t load_le(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<std::uint64_t>(bytes[i]);
  return value;
}

Status check_dimension(const InputFile& file, std::uint64_t dimension) {
  if (dimension >= 1 && dimension <= kMaxDimension) return {};
  return file.wrong("its header says " + std::to_string(dimension) + " components per row, possible are 1 to " +
                    std::to_string(kMaxDimension) +
                    ": the file is damaged or of another format (choose with --format)");
}

/// The header's count against the size of the file, in arithmetic that cannot overflow.
Status check_size(const InputFile& file, const RowLayout& layout) {
  const std::uint64_t data_bytes = file.size() - layout.data_begin;
  const std::uint64_t whole_rows = data_bytes / layout.stride();
  if (whole_rows == layout.rows && data_bytes % layout.stride() == 0) return {};
  const std::string claim = "its header says " + std::to_string(layout.rows) + " rows of " +
                            std::to_string(layout.dimension) + " components, but the file has room for " +
                            std::to_string(whole_rows) + (data_bytes % layout.stride() == 0 ? "" : " and a part");
  return file.wrong(claim + (whole_rows < layout.rows ? ": it is truncated; copy it again"
                                                      : ": it is of another format (choose with --format)"));
}

class DictionaryParser {
 public:
  explicit DictionaryParser(std::string_view text) : text_(text) {}

  bool eat(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool quoted(std::string_view& out) {
    skip_space();
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return false;
    const std::size_t close = text_.find(text_[at_], at_ + 1);
    if (close == std::string_view::npos) return false;
    out = text_.substr(at_ + 1, close - at_ - 1);
    at_ = close + 1;
    return true;
  }
  bool boolean(bool& out) {
    skip_space();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        out = value;
        return true;
      }
    }
    return false;
  }
  bool number(std::uint64_t& out) {
    skip_space();
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), out);
    if (error != std::errc{}) return false;
    at_ = static_cast<std::size_t>(end - text_.data());
    return true;
  }
  /// "(3, 4)", "(3,)", "()".
  bool shape(NpyHeader& header) {
    if (!eat('(')) return false;
    header.dimensions = 0;
    while (!eat(')')) {
      std::uint64_t extent = 0;
      if (!number(extent)) return false;
      if (header.dimensions < 2) header.shape[header.dimensions] = extent;
      ++header.dimensions;
      if (!eat(',')) return eat(')');
    }
    return true;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};

Result<ComponentType> npy_component_type(std::string_view descr) {
  if (descr == "<f4") return ComponentType::f32;
  if (descr == "<f8") return ComponentType::f64;
  if (descr == "<f2") return ComponentType::f16;
  if (descr == "|u1") return ComponentType::u8;
  if (descr == "|i1") return ComponentType::i8;
  return Status(StatusCode::invalid_argument,
                "holds elements of type '" + std::string(descr.substr(0, 32)) + "': save it with astype('<f4')");
}

Result<RowLayout> npy_layout(const InputFile& file) {
  std::array<std::byte, 12> head{};
  if (file.size() < head.size()) return file.wrong("is too short to be an npy file: copy it again");
  CLI_TRY(file.read_at(0, head));
  if (std::memcmp(head.data(), kNpyMagic.data(), kNpyMagic.size()) != 0) {
    return file.wrong("does not begin like an npy file: choose the right format with --format");
  }
  const auto version = static_cast<unsigned>(head[6]);
  if (version < 1 || version > 3) {
    return file.wrong("is npy version " + std::to_string(version) + ", known are 1 to 3: save it with numpy.save");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  const std::uint64_t length = load_le(std::span(head).subspan(8, length_bytes));
  const std::uint64_t begin = 8 + length_bytes;
  if (length > kMaxNpyHeaderBytes || length > file.size() - begin) {
    return file.wrong("its npy header claims " + std::to_string(length) + " bytes: it is truncated or damaged; " +
                      "copy it again");
  }
  std::string dictionary(static_cast<std::size_t>(length), '\0');
  CLI_TRY(file.read_at(begin, std::as_writable_bytes(std::span(dictionary))));

  const Result<NpyHeader> header = parse_npy_header(dictionary);
  if (!header.ok()) return file.wrong(std::string(header.status().message()));
  const Result<ComponentType> type = npy_component_type(header->descr);
  if (!type.ok()) return file.wrong(std::string(type.status().message()));
  if (header->fortran_order) return file.wrong("is in Fortran order: save it with numpy.ascontiguousarray");
  if (header->dimensions != 2) {
    return file.wrong("is an array of " + std::to_string(header->dimensions) +
                      " dimensions, needed are 2 (rows, components): save it with reshape(rows, components)");
  }
  CLI_TRY(check_dimension(file, header->shape[1]));
  return RowLayout{begin + length, header->shape[0], static_cast<std::uint32_t>(header->shape[1]), *type, 0};
}

Result<RowLayout> vecs_layout(const InputFile& file, ComponentType type) {
  RowLayout layout{0, 0, 0, type, 4};
  if (file.size() == 0) return file.wrong("is empty: copy it again");
  std::array<std::byte, 4> head{};
  if (file.size() < head.size()) return file.wrong("is too short for one row: it is truncated; copy it again");
  CLI_TRY(file.read_at(0, head));
  const std::uint64_t dimension = load_le(head);
  CLI_TRY(check_dimension(file, dimension));
  layout.dimension = static_cast<std::uint32_t>(dimension);
  layout.rows = file.size() / layout.stride();
  if (file.size() % layout.stride() != 0) {
    return file.wrong("its size is no multiple of a row of " + std::to_string(dimension) +
                      " components: it is truncated or of another format (choose with --format)");
  }
  return layout;
}

Result<RowLayout> bin_layout(const InputFile& file, ComponentType type) {
  std::array<std::byte, 8> head{};
  if (file.size() < head.size()) return file.wrong("is too short for its header of 8 bytes: copy it again");
  CLI_TRY(file.read_at(0, head));
  const std::uint64_t dimension = load_le(std::span(head).subspan(4, 4));
  CLI_TRY(check_dimension(file, dimension));
  return RowLayout{head.size(), load_le(std::span(head).first(4)), static_cast<std::uint32_t>(dimension), type, 0};
}

Result<RowLayout> layout_of(const InputFile& file, SourceFormat format) {
  switch (format) {
    case SourceFormat::npy: return npy_layout(file);
    case SourceFormat::fvecs: return vecs_layout(file, ComponentType::f32);
    case SourceFormat::bvecs: return vecs_layout(file, ComponentType::u8);
    case SourceFormat::fbin: return bin_layout(file, ComponentType::f32);
    case SourceFormat::hbin: return bin_layout(file, ComponentType::f16);
    case SourceFormat::u8bin: return bin_layout(file, ComponentType::u8);
    case SourceFormat::i8bin: return bin_layout(file, ComponentType::i8);
    case SourceFormat::hdf5:
    case SourceFormat::jsonl: break;
  }
  return file.wrong("is of a format without fixed rows");
}

/// IEEE 754 binary16 to binary32; exact.
float half_to_float(std::uint16_t half) noexcept {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 0x1F ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (fraction << 13));
}

template <class Packed>
void widen_as(std::span<const std::byte> packed, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Packed value;
    std::memcpy(&value, packed.data() + i * sizeof value, sizeof value);
    out[i] = static_cast<float>(value);
  }
}

}  // namespace

Result<RowLayout> read_row_layout(const InputFile& file, SourceFormat format) {
  CLI_ASSIGN(const RowLayout layout, layout_of(file, format));
  CLI_TRY(check_size(file, layout));
  return layout;
}

void widen(ComponentType type, std::span<const std::byte> packed, std::span<float> out) noexcept {
  switch (type) {
    case ComponentType::f32: std::memcpy(out.data(), packed.data(), packed.size()); break;
    case ComponentType::f64: widen_as<double>(packed, out); break;
    case ComponentType::u8: widen_as<std::uint8_t>(packed, out); break;
    case ComponentType::i8: widen_as<std::int8_t>(packed, out); break;
    case ComponentType::f16:
      for (std::size_t i = 0; i < out.size(); ++i) {
        std::uint16_t half;
        std::memcpy(&half, packed.data() + i * sizeof half, sizeof half);
        out[i] = half_to_float(half);
      }
      break;
  }
}

Result<NpyHeader> parse_npy_header(std::string_view dictionary) {
  const Status malformed(StatusCode::invalid_argument, "its npy header is malformed: save it again with numpy.save");
  NpyHeader header;
  DictionaryParser parser(dictionary);
  bool has_descr = false, has_order = false, has_shape = false;
  if (!parser.eat('{')) return malformed;
  while (!parser.eat('}')) {
    std::string_view key;
    if (!parser.quoted(key) || !parser.eat(':')) return malformed;
    if (key == "descr") {
      // A list here means a structured array.
      has_descr = parser.quoted(header.descr);
      if (!has_descr) {
        return Status(StatusCode::invalid_argument, "is a structured array: save one field of it with astype('<f4')");
      }
    } else if (key == "fortran_order") {
      has_order = parser.boolean(header.fortran_order);
      if (!has_order) return malformed;
    } else if (key == "shape") {
      has_shape = parser.shape(header);
      if (!has_shape) return malformed;
    } else {
      return malformed;
    }
    if (!parser.eat(',')) {
      if (!parser.eat('}')) return malformed;
      break;
    }
  }
  if (!has_descr || !has_order || !has_shape) return malformed;
  return header;
}

}  // namespace holdfast::cli
