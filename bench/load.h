// `holdfast_bench load <program>`: the store under load, with everything running at once. What the programs are told,
// and what they share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "bench/programs.h"
#include "holdfast/database.h"

namespace holdfast::bench {

// --- capture and release of a snapshot, at two sizes ---
struct LoadCaptureArguments {
  CommonArguments common;
  std::uint32_t dim = 4;  ///< small, so that a million points fit
  std::uint32_t small_rows = 10'000;
  std::uint32_t large_rows = 1'000'000;
  std::uint32_t rounds = 51;
  std::uint32_t captures = 100'000;  ///< per round and size
};
void run_load_capture(const LoadCaptureArguments& arguments);

// --- latency of one reader beside checkpoints, vacuum, the indexer ---
struct LoadInterferenceArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t ef = 100;
  std::uint32_t rounds = 5;
  double seconds = 1;          ///< of a slice beside the idle spinning thread, and at least of one beside checkpoints
  std::uint32_t percent = 10;  ///< of the points arrive while the indexer is watched, and go while vacuum is
  std::uint64_t seed = 1;
};
void run_load_interference(const LoadInterferenceArguments& arguments);

// --- what a checkpoint writes, by how much changed ---
struct LoadCheckpointArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t rounds = 3;                       ///< of each change
  std::vector<double> percent = {0, 0.1, 1, 10};  ///< of the points get a new vector between two checkpoints
  bool vacuum = false;                            ///< dead rows are taken out, and used again, before each checkpoint
  std::uint64_t seed = 1;
};
void run_load_checkpoint(const LoadCheckpointArguments& arguments);

// --- random upserts and deletes for long, then compared with a fresh store ---
struct LoadChurnArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint64_t operations = 1'000'000;
  std::uint32_t writers = 2;
  std::uint32_t batch = 10;  ///< operations per write
  std::uint32_t ef = 100;
  Durability durability = Durability::none;
  std::uint64_t seed = 1;
};
void run_load_churn(const LoadChurnArguments& arguments);

/// What run_load_churn does in processes of its own, so that their memory can be compared; see load_churn_child.cc.
struct LoadChurnChildArguments {
  std::filesystem::path store;    ///< does not exist yet
  std::filesystem::path pool;     ///< vectors, in the format of .fbin
  std::filesystem::path queries;  ///< the same
  std::filesystem::path live;     ///< points at the end: written by the churn, read by the fresh store
  bool fresh = false;
  std::uint32_t live_points = 0;
  Metric metric = Metric::l2;
  LoadChurnArguments churn;
};
/// Prints lines for people, then one line of JSON.
void run_load_churn_child(const LoadChurnChildArguments& arguments);

// --- ingest with and without a snapshot that lives ---
struct LoadSnapshotCostArguments {
  CommonArguments common;
  std::string dataset = "fashion-mnist-784-l2";
  BuildSettings build;
  std::uint32_t rounds = 3;
};
void run_load_snapshot_cost(const LoadSnapshotCostArguments& arguments);

// --- holders of snapshots that ask the same again and again, beside writers at full speed ---
struct LoadHoldersArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t holders = 8;
  std::uint32_t writers = 2;
  std::uint32_t asked = 100;  ///< queries of each holder
  std::uint32_t batch = 10;   ///< operations per write
  double seconds = 60;
  Durability durability = Durability::none;
  std::uint64_t seed = 1;
};
void run_load_holders(const LoadHoldersArguments& arguments);

// --- one writer that is faster than the indexer, second by second ---
struct LoadSmoothArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  double seconds = 20;      ///< of each mode
  std::uint32_t batch = 1;  ///< points per write
  Durability durability = Durability::none;
};
void run_load_smooth(const LoadSmoothArguments& arguments);

// --- a reader on a snapshot, beside other snapshots and a writer ---
struct LoadPinnedArguments {
  CommonArguments common;
  std::string dataset = "sift-100k-128-l2";
  BuildSettings build;
  std::uint32_t ef = 100;
  std::uint32_t snapshots = 10;  ///< besides the reader's
  std::uint32_t rounds = 8;
  double seconds = 2;  ///< of a slice
  std::uint64_t seed = 1;
};
void run_load_pinned(const LoadPinnedArguments& arguments);

/// Adds `load` with all its programs.
void add_load_programs(CLI::App& app);

}  // namespace holdfast::bench
