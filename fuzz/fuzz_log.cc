// Any bytes as the only segment of a log: read_log must give a verdict, and seal_tail must make a log of it that reads
// the same again. Checksums are repaired by building frames: the first bytes choose where a real segment is
// overwritten.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "storage/file_names.h"
#include "storage/wal_reader.h"
#include "storage/wal_writer.h"
#include "support/sim_file_system.h"

namespace {

using namespace holdfast;

constexpr Uuid kCollection{1, 2, 3};

/// A real log with some frames, so that damage lands among frames with valid checksums.
void write_log(testing::SimFileSystem& fs) {
  storage::WalWriter writer(fs, {"/wal", kCollection, 32 * 1024}, {});
  const Bytes body(300, std::byte{7});
  for (int group = 0; group < 4; ++group) {
    const std::vector<ByteSpan> bodies(2, ByteSpan(body));
    if (!writer.append(bodies).ok() || !writer.sync().ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  testing::SimFileSystem fs(1);
  if (!fs.create_directory("/wal").ok()) std::abort();
  const std::string path = "/wal/" + storage::segment_name(1);
  const auto input = std::as_bytes(std::span(data, size));
  if (data[0] % 2 == 0) {
    fs.write_whole(path, input.subspan(4)).ignore();
  } else {
    write_log(fs);
    Bytes segment = fs.read_whole(path).value();
    const std::size_t at = (data[1] | data[2] << 8) % segment.size();
    const std::size_t count = std::min(size - 4, segment.size() - at);
    std::copy_n(input.begin() + 4, count, segment.begin() + static_cast<std::ptrdiff_t>(at));
    fs.write_whole(path, segment).ignore();
  }
  storage::ReadLogOptions options;
  options.directory = "/wal";
  options.collection = kCollection;
  std::uint64_t seen = 0;
  const auto tail = storage::read_log(fs, options, [&](const storage::FrameView& frame) {
    seen += frame.body.size();
    return Status();
  });
  if (!tail.ok() || tail->verdict == storage::LogVerdict::damage) return 0;
  if (!storage::seal_tail(fs, options, *tail).ok()) std::abort();
  std::uint64_t again = 0;
  const auto sealed = storage::read_log(fs, options, [&](const storage::FrameView& frame) {
    again += frame.body.size();
    return Status();
  });
  if (!sealed.ok() || sealed->end.lsn != tail->end.lsn || again != seen) std::abort();
  return 0;
}
