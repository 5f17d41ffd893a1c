// What manifest and catalog have in common: a small file, checksummed as a whole, swapped by rename.
//
//   offset size field
//        0    8 magic
//        8    4 format version
//       12    4 zero
//       16    8 length of the body
//       24    8 checksum of the whole file with this field zero
//       32      body
// The checksum decides before version and length are believed; magic and the places of version and checksum stay as
// they are in every version to come.
#pragma once

#include <cstdint>
#include <string>

#include "base/coding.h"
#include "os/file_system.h"

namespace holdfast::storage {

struct EnvelopeFormat {
  std::uint64_t magic = 0;
  std::uint32_t version = 1;
  std::uint64_t limit_bytes = 0;  ///< of the whole file
  const char* what = "";          ///< for messages: "manifest"
};

inline constexpr std::size_t kEnvelopeBytes = 32;

/// The bytes of the whole file. resource_exhausted past the limit; `path` is for the message.
[[nodiscard]] Result<Bytes> make_envelope(const std::string& path, const EnvelopeFormat& format, ByteSpan body);
/// Swapped in by os::write_file_atomically.
Status write_enveloped(os::FileSystem& fs, const std::string& path, const EnvelopeFormat& format, ByteSpan body);
/// The body inside `file`. data_damaged (names `path` and offset), unsupported_format.
[[nodiscard]] Result<ByteSpan> open_envelope(ByteSpan file, const std::string& path, const EnvelopeFormat& format);
/// "<path> at <offset>: <what>"
[[nodiscard]] Status damaged_file(const std::string& path, std::uint64_t offset, const std::string& what);

}  // namespace holdfast::storage
