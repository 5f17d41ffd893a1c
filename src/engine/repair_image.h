// A checkpoint image that may be damaged: what is wrong with its files, and loading what is left of it.
//
// Loading goes through the same doors as a sound image (load.cc). What differs is that rows with a damaged byte are
// taken out beforehand, and that the graph is left out if it cannot be believed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/image.h"
#include "engine/recovery.h"
#include "storage/manifest.h"

namespace holdfast::engine {

/// What is wrong with one extent. Sound ones have none.
struct ExtentDamage {
  std::string message;
  std::uint64_t offset = 0;           ///< in the file, of the first damage
  std::uint64_t length = 0;           ///< 0: unknown
  bool lost = false;                  ///< nothing of it can be believed
  std::set<std::uint64_t> bad_pages;  ///< otherwise
  [[nodiscard]] bool hits(std::uint64_t offset, std::uint64_t length) const;
};

/// By number, of one or several manifests.
using ExtentDamages = std::map<std::uint64_t, ExtentDamage>;

/// Reads every page of the extents of `manifest` that `checked` does not hold yet; adds to both.
Status assess_extents(os::FileSystem& fs, const std::string& directory, const storage::Manifest& manifest,
                      std::set<std::uint64_t>& checked, ExtentDamages& damages);

/// Rows that are left out of a salvaged image.
struct RowLosses {
  std::set<PointId> ids;             ///< of points with a damaged row
  std::uint64_t unknown_points = 0;  ///< rows that may have been points whose ids cannot be read
  std::uint64_t rows = 0;
  [[nodiscard]] bool nothing() const noexcept { return rows == 0; }
};

struct SalvagedImage {
  std::shared_ptr<CollectionState> state;
  RowLosses losses;
  std::string graph_damage;  ///< why the graph was left out; empty: it is there
  std::string graph_file;    ///< where, relative to the collection
  std::uint64_t graph_offset = 0;
  /// Extents that hold exactly what the image says still: a checkpoint may name them again.
  std::vector<storage::ExtentInfo> sound;
};

/// `request.directory` is where the state will write; the image is read from `source`. `manifest` may be one that was
/// rebuilt. Errors: data_damaged if even the image without damaged rows contradicts itself, io_error,
/// resource_exhausted.
[[nodiscard]] Result<SalvagedImage> salvage_image(const RecoveryRequest& request, const std::string& source,
                                                  const storage::Manifest& manifest, const ImageState& image,
                                                  const ExtentDamages& damages);

}  // namespace holdfast::engine
