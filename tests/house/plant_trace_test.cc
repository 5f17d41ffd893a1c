// Is a planted bug left in the library that people use?
#include <gtest/gtest.h>

#include "house/plant_table.h"

namespace holdfast::house {
namespace {

TEST(HouseTest, ALibraryWithoutPlantsHoldsNoTraceOfThem) {
  const std::string library = read_text(HOLDFAST_LIBRARY);
  ASSERT_NE(std::string::npos, library.find("there is no store at ")) << "the library was not read";
  const std::vector<PlantRow> plants =
      parse_plants(read_text(std::filesystem::path(HOLDFAST_SOURCE_DIR) / kPlantTable));
  ASSERT_GE(plants.size(), 40u);
  const auto holds = [&](const std::string& text) { return library.find(text) != std::string::npos; };
  EXPECT_EQ(HOLDFAST_BUILT_WITH_PLANTS, holds("HOLDFAST_PLANT"));
  for (const PlantRow& plant : plants) EXPECT_EQ(HOLDFAST_BUILT_WITH_PLANTS, holds(plant.name)) << plant.name;
}

}  // namespace
}  // namespace holdfast::house
