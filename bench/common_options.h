// Options of the command line that many programs have.
#pragma once

#include <CLI/CLI.hpp>

#include "bench/programs.h"

namespace holdfast::bench {

/// Where results go; for programs that read no data sets.
void add_out(CLI::App& program, CommonArguments& common);
void add_common(CLI::App& program, CommonArguments& common);
/// Without `batch`, which means something else to some programs.
void add_graph(CLI::App& program, BuildSettings& build);
/// Points per write of a build.
void add_batch(CLI::App& program, BuildSettings& build);
/// Of writers: sync, interval or none.
void add_durability(CLI::App& program, Durability& durability);

}  // namespace holdfast::bench
