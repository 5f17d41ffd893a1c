// The programs of holdfast_bench and what they are told on the command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "bench/datasets.h"
#include "bench/durable_build.h"

namespace holdfast::bench {

struct CommonArguments {
  std::string data;                                        ///< empty: see data_root()
  std::filesystem::path out = "build/bench-results/last";  ///< results, and the stores while they are measured
  std::uint32_t rows = 0;                                  ///< only the first rows of every set; 0: all
  std::uint32_t queries = 0;                               ///< only the first queries; 0: all
};

struct CompareArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t builds = 3;
  std::uint32_t turns = 5;
};
void run_compare(const CompareArguments& arguments);

struct OpenArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t frames = 20'000;  ///< in the log when the process is killed
  std::uint32_t repetitions = 9;
  std::uint32_t small_rows = 100'000;  ///< two synthetic stores, for what grows with the size
  std::uint32_t large_rows = 400'000;
};
void run_open(const OpenArguments& arguments);

struct IngestArguments {
  CommonArguments common;
  std::uint32_t dim = 128;
  std::uint32_t writers = 8;
  std::uint32_t rounds = 3;
  double seconds = 3;  ///< of each measurement
};
void run_ingest(const IngestArguments& arguments);

/// The set if it is there, else SKIPPED is printed and a synthetic set of its shape returned.
[[nodiscard]] Dataset dataset_or_stand_in(const CommonArguments& common, const std::string& name);

/// What run_open does in processes of its own; see open_child.cc.
/// Opens, asks query `row` of a file in the format of .fbin, prints one line of JSON.
void run_open_once(const std::filesystem::path& store, const std::filesystem::path& queries, std::uint32_t row);
/// Checkpoints, then writes single points from many threads, each durable; one byte on standard output for each.
void run_write_until_killed(const std::filesystem::path& store);

}  // namespace holdfast::bench
