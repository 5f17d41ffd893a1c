#include "house/plant_table.h"

#include <algorithm>
#include <fstream>
#include <map>

namespace holdfast::house {

namespace {

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(by, begin), text.size());
    parts.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return parts;
}

std::vector<std::string> in_backticks(std::string_view text) {
  std::vector<std::string> found;
  const std::vector<std::string> parts = split(text, '`');
  for (std::size_t i = 1; i + 1 < parts.size(); i += 2) found.push_back(parts[i]);
  return found;
}

/// Calls visit(line number from 1, line).
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    visit(++number, text.substr(begin, end - begin));
    begin = end + 1;
  }
}

bool is_plant_line(std::string_view line) { return !trimmed(line).empty() && line.front() != '#'; }

/// Names in HF_PLANTED(...), with the place of the first.
std::map<std::string, Violation> planted_in(const std::vector<SourceFile>& sources) {
  constexpr std::string_view kMacro = "HF_PLANTED(";
  std::map<std::string, Violation> found;
  for (const SourceFile& file : sources) {
    if (file.path == "src/base/plant.h") continue;
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      const std::string& line = file.code[i];
      for (std::size_t at = line.find(kMacro); at != std::string::npos; at = line.find(kMacro, at + 1)) {
        const std::size_t begin = at + kMacro.size();
        const std::string name = line.substr(begin, line.find(')', begin) - begin);
        found.emplace(name, Violation{file.path, i + 1, name + ": this plant is not in " + std::string(kPlantTable)});
      }
    }
  }
  return found;
}

/// Second arguments of TEST, TEST_F and TEST_P.
std::set<std::string> names_of_tests(const std::vector<SourceFile>& tests) {
  std::set<std::string> names;
  for (const SourceFile& file : tests) {
    for (const std::string& line : file.code) {
      if (!line.starts_with("TEST")) continue;
      const std::size_t comma = line.find(',');
      const std::size_t close = line.find(')');
      if (comma < close && close != std::string::npos) names.insert(trimmed(line.substr(comma + 1, close - comma - 1)));
    }
  }
  return names;
}

std::string hole_name(int number) { return (number < 10 ? "H0" : "H") + std::to_string(number); }

}  // namespace

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<PlantRow> parse_plants(std::string_view text) {
  std::vector<PlantRow> rows;
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    if (!is_plant_line(line)) return;
    const std::vector<std::string> fields = split(line, '|');
    if (fields.size() != 6) return;
    PlantRow row{number, fields[0], {}, fields[2], fields[3], fields[4], fields[5]};
    if (fields[1] != "-") {
      for (const std::string& hole : split(fields[1], ',')) row.holes.insert(hole);
    }
    rows.push_back(std::move(row));
  });
  return rows;
}

std::vector<HoleRow> parse_holes(std::string_view text) {
  std::vector<HoleRow> rows;
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    if (!line.starts_with("| H") || line.size() < 5 || line[3] < '0' || line[3] > '9') return;
    std::vector<std::string> fields = split(line, '|');
    fields.resize(std::max<std::size_t>(fields.size(), 6));
    rows.push_back({number, fields[1], fields[3], in_backticks(fields[4]), in_backticks(fields[5])});
  });
  return rows;
}

Violations check_plant_table(std::string_view text, const std::vector<SourceFile>& sources) {
  Violations found;
  const std::string file(kPlantTable);
  std::map<std::string, Violation> planted = planted_in(sources);
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    if (!is_plant_line(line)) return;
    const std::vector<std::string> fields = split(line, '|');
    const bool whole = fields.size() == 6 &&
                       std::none_of(fields.begin(), fields.end(), [](const auto& field) { return field.empty(); });
    if (!whole) found.push_back({file, number, "expected name | holes | executable | filter | outcome | what"});
  });
  std::set<std::string> names;
  for (const PlantRow& row : parse_plants(text)) {
    if (!names.insert(row.name).second) found.push_back({file, row.line, row.name + " stands twice"});
    if (row.outcome != "fails" && row.outcome != "aborts" && row.outcome != "hangs") {
      found.push_back({file, row.line, row.name + ": '" + row.outcome + "' is no outcome"});
    }
    if (!planted.contains(row.name)) found.push_back({file, row.line, row.name + " is planted nowhere in src"});
  }
  for (const auto& [name, place] : planted) {
    if (!names.contains(name)) found.push_back(place);
  }
  return found;
}

Violations check_hole_table(std::string_view holes, std::string_view plants, const std::vector<SourceFile>& tests) {
  Violations found;
  const std::string file(kHoleTable);
  const std::set<std::string> known = names_of_tests(tests);
  std::map<std::string, std::set<std::string>> plants_of;
  for (const PlantRow& row : parse_plants(plants)) {
    for (const std::string& hole : row.holes) plants_of[hole].insert(row.name);
  }
  std::set<std::string> seen;
  for (const HoleRow& row : parse_holes(holes)) {
    if (!seen.insert(row.hole).second) found.push_back({file, row.line, row.hole + " has two rows"});
    if (row.guard.empty()) found.push_back({file, row.line, row.hole + " has no guard"});
    if (row.tests.empty()) found.push_back({file, row.line, row.hole + " has no test"});
    for (const std::string& test : row.tests) {
      if (!known.contains(test.substr(test.find('.') + 1)))
        found.push_back({file, row.line, row.hole + ": there is no test " + test});
    }
    const std::set<std::string> named(row.plants.begin(), row.plants.end());
    if (named.empty()) found.push_back({file, row.line, row.hole + " has no plant"});
    if (named != plants_of[row.hole]) {
      std::string wanted;
      for (const std::string& name : plants_of[row.hole]) wanted += " `" + name + "`";
      found.push_back({file, row.line, row.hole + ": " + std::string(kPlantTable) + " has other plants:" + wanted});
    }
  }
  for (int number = 1; number <= kHoles; ++number) {
    if (!seen.contains(hole_name(number))) found.push_back({file, 0, hole_name(number) + " has no row"});
  }
  for (const auto& [hole, names] : plants_of) {
    if (!seen.contains(hole)) found.push_back({std::string(kPlantTable), 0, hole + " is no hole: " + *names.begin()});
  }
  return found;
}

}  // namespace holdfast::house
