// tests/plants/plants.txt, the table of holes in docs/holes.md, and what the sources say: do they agree?
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "house/source_file.h"

namespace holdfast::house {

struct PlantRow {
  std::size_t line = 0;
  std::string name;
  std::set<std::string> holes;  ///< "H01"
  std::string executable, filter, outcome, what;
};

/// A row of docs/holes.md: | H01 | what goes wrong | guard | tests | plants |
struct HoleRow {
  std::size_t line = 0;
  std::string hole;
  std::string guard;
  std::vector<std::string> tests;   ///< what stands in backticks
  std::vector<std::string> plants;  ///< what stands in backticks
};

inline constexpr std::string_view kPlantTable = "tests/plants/plants.txt";
inline constexpr std::string_view kHoleTable = "docs/holes.md";
inline constexpr int kHoles = 55;

[[nodiscard]] std::string read_text(const std::filesystem::path& path);
/// Rows that have not six fields are left out, and reported by check_plant_table().
[[nodiscard]] std::vector<PlantRow> parse_plants(std::string_view text);
[[nodiscard]] std::vector<HoleRow> parse_holes(std::string_view text);

/// Form of the table; every plant of the sources is in it, once, and the other way round.
[[nodiscard]] Violations check_plant_table(std::string_view text, const std::vector<SourceFile>& sources);
/// H01 to H55 have a row each, with a guard, a test that exists and plants: those that the table of plants gives it.
[[nodiscard]] Violations check_hole_table(std::string_view holes, std::string_view plants,
                                          const std::vector<SourceFile>& tests);

}  // namespace holdfast::house
