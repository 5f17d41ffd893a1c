// Beams by eight keys at a time: eight candidates are compared with the limit at once, and one that enters finds its
// place while the keys above it move up, from the end of the beam, a register at a time. Expected cost: some 10
// instructions for eight candidates of which none enters, 5 for every eight keys that one which does has above it.
#include <immintrin.h>

#include "simd/beam_kernels.h"

namespace holdfast::simd::avx512 {
namespace {

__m512i keys_of(__m256 distances, __m256i slots, __m256i flip) noexcept {
  const __m256i bits = _mm256_castps_si256(_mm256_add_ps(distances, _mm256_setzero_ps()));  // -0 becomes 0
  const __m256i top = _mm256_set1_epi32(static_cast<int>(0x80000000U));
  const __m256i ordered = _mm256_xor_si256(bits, _mm256_or_si256(_mm256_srai_epi32(bits, 31), top));
  const __m512i high = _mm512_slli_epi64(_mm512_cvtepu32_epi64(ordered), 32);
  const __m512i low = _mm512_slli_epi64(_mm512_cvtepu32_epi64(_mm256_xor_si256(slots, flip)), 1);
  return _mm512_or_si512(high, low);
}

void insert(Beam& beam, std::uint64_t key) noexcept {
  std::uint64_t* const keys = beam.keys;
  std::size_t end = beam.size < beam.capacity ? beam.size : beam.size - 1;  // of the keys that stay
  beam.size = end + 1;
  const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(key));
  std::size_t at = 0;
  while (end >= 8) {
    const __m512i block = _mm512_loadu_si512(keys + end - 8);
    const __mmask8 below = _mm512_cmplt_epu64_mask(block, wanted);
    _mm512_mask_storeu_epi64(keys + end - 7, static_cast<__mmask8>(~below), block);
    if (below != 0) {
      at = end - 8 + static_cast<std::size_t>(__builtin_popcount(below));
      end = 0;
      break;
    }
    end -= 8;
  }
  if (end > 0) {  // fewer than eight are left at the beginning
    const auto there = static_cast<__mmask8>((1U << end) - 1U);
    const __m512i block = _mm512_maskz_loadu_epi64(there, keys);
    const __mmask8 below = _mm512_mask_cmplt_epu64_mask(there, block, wanted);
    _mm512_mask_storeu_epi64(keys + 1, static_cast<__mmask8>(there & ~below), block);
    at = static_cast<std::size_t>(__builtin_popcount(below));
  }
  keys[at] = key;
  if (at < beam.cursor) beam.cursor = at;
}

std::size_t offer(Beam& beam, const float* distances, const std::uint32_t* slots, std::size_t count, std::uint32_t flip,
                  std::uint32_t* entered) noexcept {
  const auto limit_of = [&] { return beam.size < beam.capacity ? ~std::uint64_t{0} : beam.keys[beam.size - 1]; };
  const __m256i flips = _mm256_set1_epi32(static_cast<int>(flip));
  std::size_t put = 0;
  std::uint64_t limit = limit_of();
  for (std::size_t i = 0; i < count; i += 8) {
    const auto part = static_cast<__mmask8>(count - i >= 8 ? 0xFFU : (1U << (count - i)) - 1U);
    const __m512i keys =
        keys_of(_mm256_maskz_loadu_ps(part, distances + i), _mm256_maskz_loadu_epi32(part, slots + i), flips);
    unsigned near = _mm512_mask_cmplt_epu64_mask(part, keys, _mm512_set1_epi64(static_cast<long long>(limit)));
    if (near == 0) continue;
    alignas(64) std::uint64_t all[8];
    _mm512_store_si512(all, keys);
    for (; near != 0; near &= near - 1) {
      const auto j = static_cast<std::size_t>(__builtin_ctz(near));
      if (all[j] >= limit) continue;  // by one that entered before it
      insert(beam, all[j]);
      entered[put++] = slots[i + j];
      limit = limit_of();
    }
  }
  return put;
}

}  // namespace

extern const BeamKernels kBeamTable = {"avx512", offer};

}  // namespace holdfast::simd::avx512
