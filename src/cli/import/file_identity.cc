#include "cli/import/file_identity.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "cli/try.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kSampleBytes = 4096;
constexpr std::uint64_t kSamples = 64;

/// FNV-1a, 64 bits: no secret, no adversary, only "is it the same file?".
class Fingerprint {
 public:
  void add(std::string_view bytes) noexcept {
    for (const char c : bytes) {
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    }
  }
  void add(std::uint64_t value) noexcept {
    for (int shift = 0; shift < 64; shift += 8) {
      hash_ = (hash_ ^ ((value >> shift) & 0xFF)) * 0x100000001B3ULL;
    }
  }
  [[nodiscard]] std::string hex() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
};

}  // namespace

Result<std::string> file_identity(const InputFile& file, std::string_view reading) {
  Fingerprint print;
  print.add(reading);
  print.add(file.size());
  print.add(static_cast<std::uint64_t>(file.modified_ns()));

  std::vector<std::byte> sample(kSampleBytes);
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    // Evenly spaced, the first at the beginning, the last at the very end.
    const std::uint64_t last_begin = file.size() - std::min<std::uint64_t>(file.size(), kSampleBytes);
    const std::uint64_t begin = last_begin / (kSamples - 1) * i + last_begin % (kSamples - 1) * i / (kSamples - 1);
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(kSampleBytes, file.size() - begin));
    CLI_TRY(file.read_at(begin, std::span(sample).first(size)));
    print.add(std::string_view(reinterpret_cast<const char*>(sample.data()), size));
    if (last_begin == 0) break;  // the first sample was the whole file
  }
  return print.hex();
}

}  // namespace holdfast::cli
