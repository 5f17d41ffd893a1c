#include "fuzz/targets/bundle.h"

#include <algorithm>
#include <utility>

namespace holdfast::fuzz {

namespace {

constexpr std::size_t kZerosWorthLeavingOut = 16;
constexpr std::size_t kPieceMax = 0xFFFF;

/// The next piece of `bytes` at or behind `at`: from a byte that is not zero up to a long run of zeros.
std::pair<std::size_t, std::size_t> next_piece(const Bytes& bytes, std::size_t at) {
  while (at < bytes.size() && bytes[at] == std::byte{0}) ++at;
  std::size_t end = at, zeros = 0;
  for (std::size_t i = at; i < bytes.size() && i - at < kPieceMax && zeros < kZerosWorthLeavingOut; ++i) {
    zeros = bytes[i] == std::byte{0} ? zeros + 1 : 0;
    if (zeros == 0) end = i + 1;
  }
  return {at, end};
}

bool read_file(ByteReader& reader, BundledFile& file) {
  std::uint8_t name_bytes = 0;
  ByteSpan name;
  std::uint32_t bytes = 0;
  std::uint16_t pieces = 0;
  if (!reader.get(name_bytes) || !reader.get_bytes(name_bytes, name) || !reader.get(bytes) || !reader.get(pieces)) {
    return false;
  }
  file.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  file.bytes.resize(std::min<std::size_t>(bytes, kBundledBytesMax));
  for (std::uint16_t i = 0; i < pieces; ++i) {
    std::uint32_t offset = 0;
    std::uint16_t length = 0;
    ByteSpan piece;
    if (!reader.get(offset) || !reader.get(length) || !reader.get_bytes(length, piece)) return false;
    if (offset >= file.bytes.size()) continue;
    const std::size_t fits = std::min<std::size_t>(length, file.bytes.size() - offset);
    std::copy_n(piece.begin(), fits, file.bytes.begin() + offset);
  }
  return true;
}

bool is_path(std::string_view name) {
  return !name.empty() && name.find('\0') == std::string_view::npos && name.front() != '/' && name.back() != '/' &&
         name.find("..") == std::string_view::npos;
}

}  // namespace

Bundle unpack(ByteSpan input) {
  Bundle bundle;
  ByteReader reader(input);
  std::uint8_t files = 0;
  if (!reader.get(files)) return bundle;
  for (std::size_t i = 0; i < std::min<std::size_t>(files, kBundledFilesMax); ++i) {
    BundledFile file;
    const bool whole = read_file(reader, file);
    if (!file.name.empty()) bundle.push_back(std::move(file));
    if (!whole) break;
  }
  return bundle;
}

Bytes pack(const Bundle& bundle) {
  Bytes out;
  put(out, static_cast<std::uint8_t>(std::min(bundle.size(), kBundledFilesMax)));
  for (const BundledFile& file : std::span(bundle).first(std::min(bundle.size(), kBundledFilesMax))) {
    put(out, static_cast<std::uint8_t>(std::min<std::size_t>(file.name.size(), 0xFF)));
    put_bytes(out, std::as_bytes(std::span(file.name)).first(std::min<std::size_t>(file.name.size(), 0xFF)));
    put(out, static_cast<std::uint32_t>(file.bytes.size()));
    const std::size_t count_at = out.size();
    std::uint16_t pieces = 0;
    put(out, pieces);
    for (std::size_t at = 0;;) {
      const auto [begin, end] = next_piece(file.bytes, at);
      if (begin >= end) break;
      put(out, static_cast<std::uint32_t>(begin));
      put(out, static_cast<std::uint16_t>(end - begin));
      put_bytes(out, ByteSpan(file.bytes).subspan(begin, end - begin));
      ++pieces;
      at = end;
    }
    store(out.data() + count_at, pieces);
  }
  return out;
}

void write_bundle(testing::SimFileSystem& fs, const std::string& directory, const Bundle& bundle) {
  for (const BundledFile& file : bundle) {
    if (is_path(file.name)) fs.write_whole(os::join(directory, file.name), file.bytes).ignore();
  }
}

Bundle read_bundle(const testing::SimFileSystem& fs, const std::string& directory) {
  Bundle bundle;
  for (const auto& file : fs.files()) {
    if (file.is_directory || !file.path.starts_with(directory + "/")) continue;
    bundle.push_back({file.path.substr(directory.size() + 1), fs.read_whole(file.path).value()});
  }
  return bundle;
}

void mutate_bundle(Bundle& bundle, SeededRandom& random, const MutateBytes& mutate) {
  if (bundle.empty()) return;
  BundledFile& file = bundle[random.below(bundle.size())];
  Bytes& bytes = file.bytes;
  const std::uint64_t way = random.below(16);
  if (way == 0) {
    bytes.resize(random.below(std::min(kBundledBytesMax, bytes.size() + 4096) + 1));
  } else if (way == 1) {
    std::swap(bytes, bundle[random.below(bundle.size())].bytes);
  } else if (way == 2) {
    bundle.erase(bundle.begin() + static_cast<std::ptrdiff_t>(random.below(bundle.size())));
  } else if (way == 3 && bytes.size() > 16) {  // a stale or misplaced part
    const std::size_t length = (random.below(bytes.size() / 2) + 8) / 8 * 8;
    const std::size_t from = random.below(bytes.size() - std::min(length, bytes.size()) + 1) / 8 * 8;
    const std::size_t to = random.below(bytes.size()) / 8 * 8;
    const Bytes part(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                     bytes.begin() + static_cast<std::ptrdiff_t>(std::min(from + length, bytes.size())));
    std::copy_n(part.begin(), std::min(part.size(), bytes.size() - to),
                bytes.begin() + static_cast<std::ptrdiff_t>(to));
  } else if (way == 4 && bundle.size() < kBundledFilesMax) {
    BundledFile copy = file;  // under another number, if it has one
    if (const std::size_t digit = copy.name.find_last_of("0123456789abcdef"); digit != std::string::npos) {
      copy.name[digit] = "0123456789abcdef"[random.below(16)];
    }
    bundle.push_back(std::move(copy));
  } else if (!bytes.empty()) {
    // Not among the zeros only: most of a log or of a header is nothing else.
    std::size_t at = random.below(bytes.size());
    const std::size_t stop = at;
    while (bytes[at] == std::byte{0} && (at = (at + 1) % bytes.size()) != stop) continue;
    const std::size_t begin = at > 64 ? at - 64 : 0;
    const std::size_t end = std::min(bytes.size(), at + 192);
    for (std::uint64_t times = random.below(3) + 1; times > 0; --times) {
      mutate_window(std::span(bytes).subspan(begin, end - begin), random, mutate);
    }
  }
}

}  // namespace holdfast::fuzz
