// The options by which commands let a file be read: the same names wherever a file of vectors is taken.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/import/vector_source.h"

namespace holdfast::cli {

inline void add_source_options(CLI::App& command, SourceOptions& options) {
  command.add_option("--format", options.format,
                     "npy, fvecs, bvecs, fbin, hbin, u8bin, i8bin, hdf5 or jsonl; by the extension if not given");
  command.add_option("--dataset", options.dataset, "HDF5: name of the dataset")->capture_default_str();
  command.add_option("--vector-field", options.vector_field, "JSONL: member that holds the vector")
      ->capture_default_str();
}

}  // namespace holdfast::cli
