// Beams without vector instructions: the reference, and what machines without AVX-512 run.
#include <cstring>

#include "simd/beam_kernels.h"

namespace holdfast::simd::scalar {
namespace {

std::uint64_t key_of(float distance, std::uint32_t slot, std::uint32_t flip) noexcept {
  const float positive = distance + 0.0F;  // -0 becomes 0
  std::uint32_t bits = 0;
  std::memcpy(&bits, &positive, sizeof bits);
  bits ^= (bits & 0x80000000U) != 0 ? 0xFFFFFFFFU : 0x80000000U;
  return (std::uint64_t{bits} << 32) | (std::uint64_t{slot ^ flip} << 1);
}

void insert(Beam& beam, std::uint64_t key) noexcept {
  std::uint64_t* const keys = beam.keys;
  const std::uint64_t* low = keys;  // everything before is below `key`
  for (std::size_t rest = beam.size; rest > 0;) {
    const std::size_t half = (rest + 1) / 2;
    low += half & -static_cast<std::size_t>(low[half - 1] < key);  // no branch: nobody could predict it
    rest -= half;
  }
  const auto at = static_cast<std::size_t>(low - keys);
  if (beam.size < beam.capacity) ++beam.size;
  std::memmove(keys + at + 1, keys + at, (beam.size - 1 - at) * sizeof(std::uint64_t));
  keys[at] = key;
  if (at < beam.cursor) beam.cursor = at;
}

std::size_t offer(Beam& beam, const float* distances, const std::uint32_t* slots, std::size_t count, std::uint32_t flip,
                  std::uint32_t* entered) noexcept {
  std::size_t put = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t key = key_of(distances[i], slots[i], flip);
    if (beam.size == beam.capacity && key >= beam.keys[beam.size - 1]) continue;
    insert(beam, key);
    entered[put++] = slots[i];
  }
  return put;
}

}  // namespace

extern const BeamKernels kBeamTable = {"scalar", offer};

}  // namespace holdfast::simd::scalar
