#include "bench/report.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bench/machine.h"

namespace holdfast::bench {

namespace {

std::string number(double value) {
  char text[32];
  const double size = value < 0 ? -value : value;
  std::snprintf(text, sizeof text, size >= 1000 ? "%.0f" : size >= 100 ? "%.1f" : size >= 10 ? "%.2f" : "%.4f", value);
  return text;
}

std::string goal_text(const Goal& goal) {
  if (goal.kind == Goal::Kind::none) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%s %g", goal.kind == Goal::Kind::at_least ? ">=" : "<=", goal.value);
  return text;
}

std::string verdict(double value, const Goal& goal) {
  if (goal.kind == Goal::Kind::none) return "-";
  return (goal.kind == Goal::Kind::at_least ? value >= goal.value : value <= goal.value) ? "reached" : "MISSED";
}

}  // namespace

void fail(const std::string& message) {
  std::fflush(stdout);
  std::fprintf(stderr, "holdfast_bench: %s\n", message.c_str());
  std::exit(1);
}

Report::Report(std::filesystem::path directory, std::string run)
    : directory_(std::move(directory)), run_(std::move(run)) {
  std::filesystem::create_directories(directory_);
  details_["machine"] = describe_machine(directory_);
  std::printf("%s\n", machine_text(details_["machine"]).c_str());
}

void Report::figure(const std::string& name, double value, const std::string& unit, Goal goal,
                    const std::string& remark) {
  figures_.push_back({name, value, unit, goal, remark});
}

void Report::finish() {
  const auto table = directory_ / "figures.tsv";
  const bool first = !std::filesystem::exists(table);
  std::ofstream lines(table, std::ios::app);
  if (first) lines << "run\tfigure\tvalue\tunit\tgoal\tverdict\tremark\n";
  std::printf("\n%-82s %10s %-10s %-9s %s\n", "figure", "value", "unit", "goal", "");
  details_["machine"]["load_after"] = load_average();
  for (const Figure& figure : figures_) {
    const std::string value = number(figure.value);
    const std::string goal = goal_text(figure.goal);
    const std::string outcome = verdict(figure.value, figure.goal);
    std::printf("%-82s %10s %-10s %-9s %s %s\n", figure.name.c_str(), value.c_str(), figure.unit.c_str(), goal.c_str(),
                outcome == "-" ? "" : outcome.c_str(), figure.remark.c_str());
    lines << run_ << '\t' << figure.name << '\t' << value << '\t' << figure.unit << '\t' << goal << '\t' << outcome
          << '\t' << figure.remark << '\n';
    details_["figures"].push_back({{"name", figure.name},
                                   {"value", figure.value},
                                   {"unit", figure.unit},
                                   {"goal", goal},
                                   {"verdict", outcome},
                                   {"remark", figure.remark}});
  }
  const auto file = directory_ / (run_ + ".json");
  std::ofstream json(file);
  json << details_.dump(1) << '\n';
  if (!lines.flush() || !json.flush()) fail("cannot write to " + directory_.string());
  std::printf("\nwritten: %s\n", file.c_str());
  std::fflush(stdout);
}

}  // namespace holdfast::bench
