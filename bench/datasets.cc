#include "bench/datasets.h"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>

#include "base/try.h"

namespace holdfast::bench {

namespace {

constexpr std::size_t kHeaderBytes = 8;

struct Header {
  std::uint32_t rows;
  std::uint32_t columns;
};

/// The header of `bytes`, which must hold exactly rows x columns items of `item_bytes`.
Result<Header> parse_header(std::span<const std::byte> bytes, std::size_t item_bytes) {
  if (bytes.size() < kHeaderBytes) return Status(StatusCode::data_damaged, "shorter than its header");
  Header header{};
  std::memcpy(&header.rows, bytes.data(), 4);
  std::memcpy(&header.columns, bytes.data() + 4, 4);
  if (header.rows == 0 || header.columns == 0) return Status(StatusCode::data_damaged, "no rows or no columns");
  const std::uint64_t items = std::uint64_t{header.rows} * header.columns;
  if (items != (bytes.size() - kHeaderBytes) / item_bytes || (bytes.size() - kHeaderBytes) % item_bytes != 0) {
    return Status(StatusCode::data_damaged, "the header names " + std::to_string(items) + " items of " +
                                                std::to_string(item_bytes) + " bytes, the file has " +
                                                std::to_string(bytes.size() - kHeaderBytes) + " bytes");
  }
  return header;
}

/// IEEE 754 binary16 to binary32; exact.
float widen_half(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1Fu;
  const std::uint32_t fraction = half & 0x3FFu;
  if (exponent == 0) {  // zero or subnormal: fraction x 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t widened = exponent == 31 ? 0xFFu : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

Result<std::vector<std::byte>> decompress(std::span<const std::byte> packed) {
  const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > (8ULL << 30)) {
    return Status(StatusCode::data_damaged, "no zstd frame of known size");
  }
  std::vector<std::byte> bytes(size);
  const std::size_t got = ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
  if (ZSTD_isError(got) != 0 || got != size) return Status(StatusCode::data_damaged, ZSTD_getErrorName(got));
  return bytes;
}

/// `stem` or `stem.zst`, whichever there is.
std::filesystem::path packed_or_plain(const std::filesystem::path& stem) {
  std::filesystem::path packed = stem;
  packed += ".zst";
  return std::filesystem::exists(packed) ? packed : stem;
}

Result<Matrix> load_matrix(const std::filesystem::path& folder, const std::string& name) {
  struct Kind {
    const char* extension;
    Encoding encoding;
  };
  for (const Kind kind : {Kind{".fbin", Encoding::f32}, {".hbin", Encoding::f16}, {".u8bin", Encoding::u8}}) {
    const auto path = packed_or_plain(folder / (name + kind.extension));
    if (!std::filesystem::exists(path)) continue;
    HF_ASSIGN(const auto bytes, read_file(path));
    auto matrix = parse_matrix(bytes, kind.encoding);
    if (!matrix.ok()) return matrix.status().with_context(path.string());
    return matrix;
  }
  return Status(StatusCode::not_found, (folder / name).string() + ".{fbin,hbin,u8bin}[.zst]");
}

Result<Metric> metric_of(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('-') + 1);
  if (last == "l2") return Metric::l2;
  if (last == "ip") return Metric::inner_product;
  if (last == "cosine") return Metric::cosine;
  return Status(StatusCode::invalid_argument,
                "the name '" + std::string(name) + "' ends in no metric (l2, ip, cosine)");
}

}  // namespace

Result<Matrix> parse_matrix(std::span<const std::byte> bytes, Encoding encoding) {
  const std::size_t item_bytes = encoding == Encoding::f32 ? 4 : encoding == Encoding::f16 ? 2 : 1;
  HF_ASSIGN(const Header header, parse_header(bytes, item_bytes));
  Matrix matrix{header.rows, header.columns, {}};
  matrix.values.resize(std::size_t{header.rows} * header.columns);
  const std::byte* const items = bytes.data() + kHeaderBytes;
  if (encoding == Encoding::f32) {
    std::memcpy(matrix.values.data(), items, matrix.values.size() * sizeof(float));
    return matrix;
  }
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    if (encoding == Encoding::u8) {
      matrix.values[i] = static_cast<float>(std::to_integer<std::uint8_t>(items[i]));
    } else {
      std::uint16_t half = 0;
      std::memcpy(&half, items + 2 * i, 2);
      matrix.values[i] = widen_half(half);
    }
  }
  return matrix;
}

Result<Neighbors> parse_neighbors(std::span<const std::byte> bytes, std::uint32_t base_rows) {
  HF_ASSIGN(const Header header, parse_header(bytes, 4));
  Neighbors neighbors{header.rows, header.columns, {}};
  neighbors.rows.resize(std::size_t{header.rows} * header.columns);
  std::memcpy(neighbors.rows.data(), bytes.data() + kHeaderBytes, neighbors.rows.size() * 4);
  for (const std::uint32_t row : neighbors.rows) {  // a negative number is a huge one
    if (row >= base_rows) return Status(StatusCode::data_damaged, "names a row that the base does not have");
  }
  return neighbors;
}

Status write_matrix(const std::filesystem::path& path, std::span<const float> values, std::uint32_t dim) {
  const auto rows = static_cast<std::uint32_t>(values.size() / dim);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&rows), 4);
  file.write(reinterpret_cast<const char*>(&dim), 4);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  return file.flush() ? Status() : Status(StatusCode::io_error, "writing " + path.string());
}

Result<std::vector<std::byte>> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return Status(StatusCode::not_found, path.string());
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) return Status(StatusCode::io_error, "reading " + path.string());
  if (path.extension() != ".zst") return bytes;
  auto plain = decompress(bytes);
  return plain.ok() ? std::move(plain) : Result<std::vector<std::byte>>(plain.status().with_context(path.string()));
}

std::filesystem::path data_root(const std::string& given) {
  std::filesystem::path root = given;
  if (root.empty()) {
    const char* const variable = std::getenv("HOLDFAST_DATA");
    root = variable != nullptr ? variable : "../shared/data";
  }
  std::error_code ignored;  // no right to look is as good as nothing there
  return std::filesystem::is_directory(root, ignored) ? root : std::filesystem::path();
}

Result<Dataset> load_dataset(const std::filesystem::path& root, const std::string& name) {
  const auto folder = root / name;
  if (root.empty() || !std::filesystem::is_directory(folder)) {
    return Status(StatusCode::not_found, "no folder '" + name + "' in '" + root.string() + "'");
  }
  Dataset set;
  set.name = name;
  HF_ASSIGN(set.metric, metric_of(name));
  HF_ASSIGN(set.base, load_matrix(folder, "base"));
  HF_ASSIGN(set.queries, load_matrix(folder, "query"));
  HF_ASSIGN(const auto bytes, read_file(packed_or_plain(folder / "gt100.ibin")));
  HF_ASSIGN(set.nearest, parse_neighbors(bytes, set.base.rows));
  if (set.queries.dim != set.base.dim || set.nearest.queries != set.queries.rows) {
    return Status(StatusCode::data_damaged, folder.string() + ": base, query and gt100 do not belong together");
  }
  return set;
}

double recall(const Neighbors& nearest, std::span<const std::uint32_t> found, std::uint32_t k) {
  std::size_t hits = 0;
  const std::size_t queries = found.size() / k;
  for (std::size_t q = 0; q < queries; ++q) {
    const auto exact = nearest.of(q).first(k);
    for (const std::uint32_t row : found.subspan(q * k, k)) {
      hits += static_cast<std::size_t>(std::find(exact.begin(), exact.end(), row) != exact.end());
    }
  }
  return queries == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(queries * k);
}

}  // namespace holdfast::bench
