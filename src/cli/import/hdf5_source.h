// A two-dimensional dataset of an HDF5 file, read by hyperslabs of whole rows (ann-benchmarks: "train", "test").
//
// libhdf5 keeps global state and is used from one thread only. Its own error printing is turned off; the reason it
// gives becomes part of our one-line message.
#pragma once

#include <memory>
#include <string>

#include "cli/import/vector_source.h"

namespace holdfast::cli {

[[nodiscard]] Result<std::unique_ptr<VectorSource>> open_hdf5(const std::string& path, const std::string& dataset);

}  // namespace holdfast::cli
