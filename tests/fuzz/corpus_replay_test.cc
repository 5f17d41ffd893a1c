// Every input of the fuzzers' corpus, without a fuzzer: what was found once stays found under every compiler and
// sanitizer.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/targets/targets.h"

namespace holdfast::fuzz {
namespace {

class FuzzCorpus : public ::testing::TestWithParam<Target> {};

std::string read_input(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_P(FuzzCorpus, replay) {
  const Target& target = GetParam();
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(HOLDFAST_FUZZ_CORPUS) / target.name)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ASSERT_GE(paths.size(), 5u) << "the corpus of " << target.name << " is not there";
  for (const auto& path : paths) {
    SCOPED_TRACE(path.string());
    const std::string input = read_input(path);
    EXPECT_EQ(target.check(std::as_bytes(std::span(input))), "");
  }
  std::printf("fuzz corpus replay: %s, %zu inputs\n", std::string(target.name).c_str(), paths.size());
}

INSTANTIATE_TEST_SUITE_P(Targets, FuzzCorpus, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace holdfast::fuzz
