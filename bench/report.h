// Where results go: a table on the terminal, a JSON file per run, and one line per figure in figures.tsv.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "holdfast/status.h"

namespace holdfast::bench {

/// Says what went wrong and ends the program with status 1: a benchmark has nothing to recover.
[[noreturn]] void fail(const std::string& message);
inline void must(const Status& status) {
  if (!status.ok()) fail(status.to_string());
}
template <class T>
[[nodiscard]] T must(Result<T> result) {
  must(result.status());
  return std::move(result).value();
}

/// What a figure should reach.
struct Goal {
  enum class Kind : std::uint8_t { none, at_least, at_most };
  Kind kind = Kind::none;
  double value = 0;
};
[[nodiscard]] inline Goal at_least(double value) { return {Goal::Kind::at_least, value}; }
[[nodiscard]] inline Goal at_most(double value) { return {Goal::Kind::at_most, value}; }

class Report {
 public:
  /// Files go to `directory`, named after `run`.
  Report(std::filesystem::path directory, std::string run);

  /// Everything else worth keeping, e.g. all points of all curves.
  [[nodiscard]] nlohmann::json& details() { return details_; }
  /// One result. A `remark` says how to read it, e.g. that it was not reached.
  void figure(const std::string& name, double value, const std::string& unit, Goal goal = {},
              const std::string& remark = {});
  /// Prints the figures with their goals and writes <run>.json and the lines of figures.tsv.
  void finish();

 private:
  struct Figure {
    std::string name;
    double value;
    std::string unit;
    Goal goal;
    std::string remark;
  };
  std::filesystem::path directory_;
  std::string run_;
  nlohmann::json details_;
  std::vector<Figure> figures_;
};

}  // namespace holdfast::bench
