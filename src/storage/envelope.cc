#include "storage/envelope.h"

#include <array>
#include <cstring>

#include "base/checksum.h"
#include "base/plant.h"
#include "base/try.h"

namespace holdfast::storage {
namespace {

constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kChecksumAt = 24;
static_assert(kChecksumAt + sizeof(std::uint64_t) == kEnvelopeBytes);

std::uint64_t checksum_of(ByteSpan file) noexcept {
  std::array<std::byte, kEnvelopeBytes> head;
  std::memcpy(head.data(), file.data(), head.size());
  store<std::uint64_t>(head.data() + kChecksumAt, 0);
  return checksum64(file.subspan(kEnvelopeBytes), checksum64(head));
}

}  // namespace

Status damaged_file(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {StatusCode::data_damaged, path + " at " + std::to_string(offset) + ": " + what};
}

Result<Bytes> make_envelope(const std::string& path, const EnvelopeFormat& format, ByteSpan body) {
  if (body.size() > format.limit_bytes - kEnvelopeBytes) {
    return Status(StatusCode::resource_exhausted, path + ": the " + format.what + " would have " +
                                                      std::to_string(body.size()) + " bytes, more than its limit of " +
                                                      std::to_string(format.limit_bytes));
  }
  Bytes file(kEnvelopeBytes);
  put_bytes(file, body);
  store<std::uint64_t>(file.data(), format.magic);
  store<std::uint32_t>(file.data() + kVersionAt, format.version);
  store<std::uint64_t>(file.data() + kLengthAt, body.size());
  store<std::uint64_t>(file.data() + kChecksumAt, checksum_of(file));
  return file;
}

Status write_enveloped(os::FileSystem& fs, const std::string& path, const EnvelopeFormat& format, ByteSpan body) {
  HF_ASSIGN(const Bytes file, make_envelope(path, format, body));
  return os::write_file_atomically(fs, path, file);
}

Result<ByteSpan> open_envelope(ByteSpan file, const std::string& path, const EnvelopeFormat& format) {
  const std::string what = format.what;
  if (file.size() < kEnvelopeBytes) return damaged_file(path, file.size(), "the " + what + " is cut short");
  if (load<std::uint64_t>(file.data()) != format.magic) return damaged_file(path, 0, "this is no " + what);
  if (load<std::uint64_t>(file.data() + kChecksumAt) != checksum_of(file) &&
      !HF_PLANTED(manifest_checksum_is_ignored)) {
    return damaged_file(path, kChecksumAt, "the " + what + " does not match its checksum");
  }
  const auto version = load<std::uint32_t>(file.data() + kVersionAt);
  if (version != format.version) {
    return Status(StatusCode::unsupported_format, path + ": " + what + " format version " + std::to_string(version) +
                                                      "; this build reads version " + std::to_string(format.version));
  }
  if (load<std::uint64_t>(file.data() + kLengthAt) != file.size() - kEnvelopeBytes) {
    return damaged_file(path, kLengthAt, "the " + what + " gives itself another length");
  }
  return file.subspan(kEnvelopeBytes);
}

}  // namespace holdfast::storage
