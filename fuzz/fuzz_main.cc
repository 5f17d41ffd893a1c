// One fuzzer: the target HOLDFAST_FUZZ_TARGET under libFuzzer.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fuzz/targets/targets.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

const holdfast::fuzz::Target& target() { return *holdfast::fuzz::find_target(HOLDFAST_FUZZ_TARGET); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string problem = target().check(std::as_bytes(std::span(data, size)));
  if (problem.empty()) return 0;
  std::fprintf(stderr, "FINDING in %s: %s\n", HOLDFAST_FUZZ_TARGET, problem.c_str());
  std::abort();
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
  holdfast::SeededRandom random(seed);
  if (target().mutate == nullptr || random.below(16) == 0) return LLVMFuzzerMutate(data, size, size_max);
  const holdfast::Bytes mutated = target().mutate(std::as_bytes(std::span(data, size)), random, LLVMFuzzerMutate);
  if (mutated.empty() || mutated.size() > size_max) return LLVMFuzzerMutate(data, size, size_max);
  std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}
