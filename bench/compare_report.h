// What `compare` prints and writes: tables, curves.csv, libraries.csv, and the figures that have a goal.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/datasets.h"
#include "bench/report.h"
#include "bench/series.h"

namespace holdfast::bench {

/// What is known of a contestant besides its curves.
struct Entry {
  std::string name;
  std::vector<double> build_s = {};
  std::vector<double> processor_s = {};
  double resident_bytes = 0;  ///< growth of its process in the first build, vectors included
  double trimmed_bytes = 0;   ///< the same after the allocator gave back what it could
  double disk_bytes = 0;
  double call_overhead_us = 0;
};

/// Prints the recall and the QPS of all curves, beam by beam.
void print_curves(const std::string& state, const std::vector<Series>& curves, std::uint32_t turns);
/// Prints one line per curve: QPS at equal recall, its ratio to `reference`, and latencies.
void print_at_recall(double recall, const std::vector<Series>& curves, const Series& reference);
/// Prints one line per contestant: building, memory, disk, overhead of a call.
void print_entries(const std::vector<Entry>& entries, const Entry& reference, const Dataset& set);

/// Appends to the files of `directory`; writes the heading if there is no such file yet.
void write_curves(const std::filesystem::path& directory, const Dataset& set, const std::string& state,
                  const std::vector<Series>& curves);
void write_entries(const std::filesystem::path& directory, const Dataset& set, const std::vector<Entry>& entries);

/// QPS at the recalls of interest against `reference`, with the goals of the project where `curve` is Holdfast's.
void report_ratios(Report& report, const Dataset& set, const std::string& state, const Series& curve,
                   const Series& reference);

}  // namespace holdfast::bench
