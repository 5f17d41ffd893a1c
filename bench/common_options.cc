#include "bench/common_options.h"

#include <string>

namespace holdfast::bench {

void add_out(CLI::App& program, CommonArguments& common) {
  program.add_option("--out", common.out, "folder for results and, meanwhile, for the stores")->capture_default_str();
}

void add_common(CLI::App& program, CommonArguments& common) {
  program.add_option("--data", common.data, "folder of the data sets [HOLDFAST_DATA, ../shared/data]");
  add_out(program, common);
  program.add_option("--rows", common.rows, "only the first rows; 0: all")->capture_default_str();
  program.add_option("--queries", common.queries, "only the first queries; 0: all")->capture_default_str();
}

void add_graph(CLI::App& program, BuildSettings& build) {
  program.add_option("--m", build.m)->capture_default_str();
  program.add_option("--ef-construction", build.ef_construction)->capture_default_str();
  program.add_option("--threads", build.threads, "that build")->capture_default_str();
}

void add_batch(CLI::App& program, BuildSettings& build) {
  program.add_option("--batch", build.batch, "points per write")->capture_default_str()->check(CLI::PositiveNumber);
}

void add_durability(CLI::App& program, Durability& durability) {
  const auto parse = [&durability](const std::string& name) {
    for (const Durability one : {Durability::sync, Durability::interval, Durability::none}) {
      if (name == to_string(one)) durability = one;
    }
  };
  program
      .add_option_function<std::string>("--durability", parse,
                                        "of the writers [" + std::string(to_string(durability)) + "]")
      ->check(CLI::IsMember({"sync", "interval", "none"}));
}

}  // namespace holdfast::bench
