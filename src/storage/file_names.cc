#include "storage/file_names.h"

#include <array>

namespace holdfast::storage {
namespace {

constexpr std::string_view kManifestPrefix = "manifest-";
constexpr std::string_view kSegmentSuffix = ".log";
constexpr std::string_view kExtentSuffix = ".ext";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::string_view kCollectionPrefix = "c-";
constexpr std::string_view kRepairPrefix = "repair-";
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kNumberDigits = 16;
constexpr std::size_t kUuidText = 36;

std::string hexadecimal(std::uint64_t number) {
  std::string text(kNumberDigits, '0');
  for (std::size_t i = kNumberDigits; i-- > 0; number >>= 4) text[i] = kDigits[number & 0xF];
  return text;
}

std::optional<std::uint64_t> parse_hexadecimal(std::string_view text) {
  if (text.size() != kNumberDigits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    number = (number << 4) | digit;
  }
  if (number > kMaxFileNumber) return std::nullopt;
  return number;
}

/// Up to nine digits. A suffix behind a dot is of a repair that is under way.
std::optional<std::uint64_t> parse_repair_number(std::string_view text) {
  constexpr std::size_t kMaxDigits = 9;
  const std::string_view digits = text.substr(0, text.find('.'));
  if (digits.empty() || digits.size() > kMaxDigits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

constexpr bool is_uuid_dash(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

bool is_uuid_text(std::string_view text) {
  if (text.size() != kUuidText) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fits = is_uuid_dash(i) ? text[i] == '-' : kDigits.find(text[i]) != std::string_view::npos;
    if (!fits) return false;
  }
  return true;
}

}  // namespace

std::string manifest_name(std::uint64_t generation) { return std::string(kManifestPrefix) + hexadecimal(generation); }
std::string segment_name(Lsn first_lsn) { return hexadecimal(first_lsn) + std::string(kSegmentSuffix); }
std::string extent_name(std::uint64_t number) { return hexadecimal(number) + std::string(kExtentSuffix); }
std::string repair_directory_name(std::uint64_t number) { return std::string(kRepairPrefix) + std::to_string(number); }
std::string collection_directory_name(const Uuid& uuid) { return std::string(kCollectionPrefix) + to_text(uuid); }

ParsedName parse_name(std::string_view name) {
  if (name.ends_with(kTemporarySuffix)) return {FileKind::temporary, 0};
  if (name == kLockFile) return {FileKind::lock, 0};
  if (name == kCatalogFile) return {FileKind::catalog, 0};
  if (name == kLogHeadFile) return {FileKind::log_head, 0};
  if (name == kReserveFile) return {FileKind::reserve, 0};
  if (name == kWalDirectory) return {FileKind::wal_directory, 0};
  if (name == kExtentDirectory) return {FileKind::extent_directory, 0};
  if (name.starts_with(kCollectionPrefix) && is_uuid_text(name.substr(kCollectionPrefix.size()))) {
    return {FileKind::collection_directory, 0};
  }
  if (name.starts_with(kRepairPrefix)) {
    const auto number = parse_repair_number(name.substr(kRepairPrefix.size()));
    return number ? ParsedName{FileKind::repair_directory, *number} : ParsedName{};
  }
  const auto numbered = [](FileKind kind, std::string_view digits) {
    const auto number = parse_hexadecimal(digits);
    return number ? ParsedName{kind, *number} : ParsedName{};
  };
  if (name.starts_with(kManifestPrefix)) return numbered(FileKind::manifest, name.substr(kManifestPrefix.size()));
  if (name.ends_with(kSegmentSuffix)) {
    return numbered(FileKind::segment, name.substr(0, name.size() - kSegmentSuffix.size()));
  }
  if (name.ends_with(kExtentSuffix)) {
    return numbered(FileKind::extent, name.substr(0, name.size() - kExtentSuffix.size()));
  }
  return {};
}

std::string to_text(const Uuid& uuid) {
  std::string text;
  text.reserve(kUuidText);
  for (const std::uint8_t byte : uuid) {
    if (is_uuid_dash(text.size())) text += '-';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

}  // namespace holdfast::storage
