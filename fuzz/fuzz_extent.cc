// Any bytes over a real extent: it is refused, or every page that verifies holds what was written.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "storage/extent.h"
#include "storage/file_names.h"
#include "support/sim_file_system.h"

namespace {

using namespace holdfast;

constexpr Uuid kCollection{1, 2, 3};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  testing::SimFileSystem fs(1);
  if (!fs.create_directory("/ext").ok()) std::abort();
  storage::ExtentInfo info;
  info.number = 1;
  info.kind = 3;
  info.slot_count = 100;
  auto writer = storage::ExtentWriter::create(fs, "/ext", kCollection, info);
  if (!writer.ok()) std::abort();
  Bytes content(storage::kExtentPageBytes + 777);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i * 31 >> 3);
  if (!(*writer)->append(content).ok()) std::abort();
  info = (*writer)->finish().value();

  const std::string path = "/ext/" + storage::extent_name(1);
  Bytes file = fs.read_whole(path).value();
  if (data[0] % 4 == 0) file.resize(file.size() * data[1] / 256);
  const std::size_t at = file.empty() ? 0 : (data[1] | data[2] << 8 | data[3] << 16) % file.size();
  std::copy_n(std::as_bytes(std::span(data, size)).begin() + 4, std::min(size - 4, file.size() - at),
              file.begin() + static_cast<std::ptrdiff_t>(at));
  fs.write_whole(path, file).ignore();

  const auto extent = storage::Extent::open(fs, "/ext", kCollection, info);
  if (!extent.ok()) return 0;
  if ((*extent)->verify_all().ok() && std::memcmp((*extent)->data().data(), content.data(), content.size()) != 0) {
    std::abort();
  }
  return 0;
}
