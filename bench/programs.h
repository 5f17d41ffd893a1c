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
  std::uint32_t builds = 3;  ///< of Holdfast and hnswlib; everybody else is built once
  std::uint32_t turns = 5;
  double turn_seconds = 0.03;        ///< at least; or one time slice would decide where there are few queries
  std::string peers;                 ///< beginnings of names, separated by commas; empty: all
  std::filesystem::path node_peers;  ///< folder of the Node driver with its packages; empty: without them
};
void run_compare(const CompareArguments& arguments);

struct ProfileArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t ef = 100;
};
/// Instructions and cache misses per search, counted by callgrind.
void run_profile(const ProfileArguments& arguments);

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

struct RecallArguments {
  CommonArguments common;
  BuildSettings build;
  std::string dataset;  ///< empty: all that there are
};
/// Recall that searches reach against the one that they ask for (SearchOptions::recall).
void run_recall(const RecallArguments& arguments);

struct IngestArguments {
  CommonArguments common;
  std::uint32_t dim = 128;
  std::uint32_t writers = 16;  ///< besides one alone
  std::uint32_t rounds = 3;
  double seconds = 3;  ///< of each measurement
};
void run_ingest(const IngestArguments& arguments);

struct MultiQueryArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t ef = 100;
  std::uint32_t rounds = 7;
  double seconds = 1;  ///< of a turn, at least
};
/// Batch search on all cores against independent processes.
void run_multi_query(const MultiQueryArguments& arguments);

struct BuildScalingArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;  ///< `threads` is what varies
  std::uint32_t rounds = 3;
};
/// Time of a durable build against the threads that build the graph.
void run_build_scaling(const BuildScalingArguments& arguments);

struct MillionArguments {
  CommonArguments common;
  BuildSettings build;
  std::uint32_t dim = 128;
  std::uint32_t rows = 1'000'000;
  std::uint32_t small_rows = 100'000;
  std::uint32_t queries = 2'000;  ///< that are timed
  std::uint32_t judged = 500;     ///< of them, by exact search
  std::uint32_t checked = 20;     ///< of those, by float64
  std::uint32_t turns = 3;
  double turn_seconds = 0.1;        ///< at least
  std::uint32_t percent = 10;       ///< of the points are replaced or deleted
  std::uint32_t churn_batch = 100;  ///< operations per write
  std::uint64_t seed = 1;
};
/// A large synthetic store, built, searched and churned, beside a small one.
void run_million(const MillionArguments& arguments);

/// The set if it is there, else SKIPPED is printed and a synthetic set of its shape returned.
[[nodiscard]] Dataset dataset_or_stand_in(const CommonArguments& common, const std::string& name);

/// What run_open does in processes of its own; see open_child.cc.
/// Opens, asks query `row` of a file in the format of .fbin, prints one line of JSON.
void run_open_once(const std::filesystem::path& store, const std::filesystem::path& queries, std::uint32_t row);
struct ServeArguments {
  std::filesystem::path store;
  std::filesystem::path queries;  ///< in the format of .fbin
  std::uint32_t ef = 100;
  std::size_t kind = 0;  ///< of store_kinds()
  std::size_t mode = 0;  ///< of its searches
};
/// Opens, asks all queries, prints where its memory lies as one line of JSON; see serve_child.cc.
void run_serve_once(const ServeArguments& arguments);
struct MultiQueryChildArguments {
  std::filesystem::path store;
  std::filesystem::path queries;  ///< in the format of .fbin
  std::uint32_t ef = 100;
  std::uint32_t first = 0;  ///< query that it begins with
};
/// Opens, prints a line of JSON when it is warm, then for each line with a number of seconds one with its rate.
void run_multi_query_child(const MultiQueryChildArguments& arguments);
/// Checkpoints, then writes single points from many threads, each durable; one byte on standard output for each.
void run_write_until_killed(const std::filesystem::path& store);

}  // namespace holdfast::bench
