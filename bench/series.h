// One curve of `compare`: the turns that one contestant took in one mode, and the points that they make.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench/contestant.h"
#include "bench/curve.h"

namespace holdfast::bench {

/// Widths of the beam that are measured, ascending.
[[nodiscard]] std::span<const std::uint32_t> beams();

class Series {
 public:
  explicit Series(std::string name);

  void add(std::size_t beam, const Turn& turn, const Neighbors& nearest);
  /// After the last turn: makes `points`.
  void summarise();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<CurvePoint>& points() const { return points_; }
  /// Per query; not counted: the machine has no counters.
  [[nodiscard]] Counts counts_per_query(std::size_t beam) const;
  /// The point of the smallest measured beam from which on the recall is reached; nullptr if none does.
  [[nodiscard]] const CurvePoint* first_with(double recall) const;
  [[nodiscard]] const CurvePoint& at_ef(std::uint32_t ef) const;
  [[nodiscard]] nlohmann::json json() const;

 private:
  struct Turns {
    std::vector<double> qps;
    std::vector<double> latency_us;
    double processor_s = 0;
    Counts counts;
  };
  std::string name_;
  std::vector<CurvePoint> points_;
  std::vector<Turns> turns_;
};

}  // namespace holdfast::bench
