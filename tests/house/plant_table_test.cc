#include "house/plant_table.h"

#include <gtest/gtest.h>

namespace holdfast::house {
namespace {

std::string joined(const Violations& violations) {
  std::string text;
  for (const Violation& violation : violations) text += violation.to_string() + "\n";
  return text;
}

std::vector<SourceFile> planted(std::string_view code) { return {SourceFile::parse("src/a/b.cc", code)}; }

TEST(PlantTable, EveryPlantOfTheSourcesIsInTheTable) {
  const std::string row = "one | H01,H02 | holes_test | A.b | fails | what\n";
  EXPECT_EQ("", joined(check_plant_table("# one\n\n" + row, planted("if (!HF_PLANTED(one)) guard();"))));
  EXPECT_NE("", joined(check_plant_table(row, planted("// HF_PLANTED(one)"))));
  EXPECT_NE("", joined(check_plant_table(row, planted("HF_PLANTED(one) || HF_PLANTED(two)"))));
  EXPECT_NE("", joined(check_plant_table(row + row, planted("HF_PLANTED(one)"))));
  EXPECT_NE("", joined(check_plant_table("one | - | x | fails | what\n", planted("HF_PLANTED(one)"))));
  EXPECT_NE("", joined(check_plant_table("one | - | x | A.b | sinks | what\n", planted("HF_PLANTED(one)"))));
}

TEST(PlantTable, EveryHoleHasAGuardATestAndItsPlants) {
  std::string holes, plants;
  for (int number = 1; number <= kHoles; ++number) {
    const std::string hole = (number < 10 ? "H0" : "H") + std::to_string(number);
    holes += "| " + hole + " | what | guard | `Test` | `plant_" + hole + "`, `both` |\n";
    plants += "plant_" + hole + " | " + hole + " | x | y | fails | z\n";
    plants += "both | " + hole + " | x | y | fails | z\n";
  }
  const std::vector<SourceFile> tests{SourceFile::parse("tests/a.cc", "TEST_F(A, Test) {\n")};
  const auto without = [](std::string text, const std::string& part) {
    text.erase(text.find(part), part.size());
    return text;
  };
  EXPECT_EQ("", joined(check_hole_table(holes, plants, tests)));
  EXPECT_NE("", joined(check_hole_table(holes, plants, {}))) << "no such test";
  EXPECT_NE("", joined(check_hole_table(without(holes, "| H07 "), plants, tests)));
  EXPECT_NE("", joined(check_hole_table(holes + "| H07 | w | g | `Test` | `plant_H07`, `both` |\n", plants, tests)));
  EXPECT_NE("", joined(check_hole_table(without(holes, "`Test`"), plants, tests)));
  EXPECT_NE("", joined(check_hole_table(without(holes, "`plant_H31`, "), plants, tests)));
  EXPECT_NE("", joined(check_hole_table(holes, without(plants, "plant_H55 | H55 | x | y | fails | z\n"), tests)));
  EXPECT_NE("", joined(check_hole_table(holes, plants + "more | H56 | x | y | fails | z\n", tests)));
}

TEST(HouseTest, PlantsAndTheirTableAgree) {
  const std::filesystem::path root = HOLDFAST_SOURCE_DIR;
  const std::string table = read_text(root / kPlantTable);
  EXPECT_GE(parse_plants(table).size(), 40u);
  EXPECT_EQ("", joined(check_plant_table(table, SourceFile::load_all(root, {"src"}))));
}

TEST(HouseTest, HolesTestsAndPlantsAgree) {
  const std::filesystem::path root = HOLDFAST_SOURCE_DIR;
  const std::vector<SourceFile> tests = SourceFile::load_all(root, {"tests"});
  EXPECT_EQ("", joined(check_hole_table(read_text(root / kHoleTable), read_text(root / kPlantTable), tests)));
}

}  // namespace
}  // namespace holdfast::house
