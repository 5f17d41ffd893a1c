// Copying one collection of a store that may be open and written to, as it is on disk, into a directory of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "holdfast/admin.h"
#include "os/file_system.h"
#include "storage/manifest.h"

namespace holdfast::engine {

struct CopyRequest {
  storage::CatalogEntry entry;
  std::string source;    ///< the collection's directory
  std::string previous;  ///< an earlier copy of it, whose extents are used again; empty: none
  std::string staged;    ///< the directory to make; removed first if it exists
  bool hard_links = true;
  bool read_all = false;  ///< check the pages of linked and kept extents, too
};

/// Progress over the whole store. Bytes of a piece of work that is begun again are taken back.
class CopyMeter {
 public:
  explicit CopyMeter(std::function<void(std::uint64_t, std::uint64_t)> report) : report_(std::move(report)) {}
  void expect(std::uint64_t bytes) noexcept { total_ += bytes; }
  void advance(std::uint64_t bytes);
  struct Mark {
    std::uint64_t done = 0, total = 0;
  };
  [[nodiscard]] Mark mark() const noexcept { return {done_, total_}; }
  void back_to(Mark mark) noexcept {
    done_ = mark.done;
    total_ = mark.total;
  }

 private:
  std::function<void(std::uint64_t, std::uint64_t)> report_;
  std::uint64_t done_ = 0, total_ = 0;
};

/// Makes `staged`: the extents of the newest sound manifest, the log behind it up to its last frame, the manifest. All
/// of it is synced, but the name of `staged` is not. Adds to `report`. After an error, nothing is left of `staged`, as
/// far as the file system lets go.
/// Errors: data_damaged (names the file), disk_full, io_error; not_found: the collection was dropped.
Status copy_collection(os::FileSystem& fs, const CopyRequest& request, CopyMeter& meter, BackupReport& report);

}  // namespace holdfast::engine
