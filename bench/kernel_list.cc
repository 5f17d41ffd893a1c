#include "bench/kernel_list.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/random.h"
#include "simd/code_kernels.h"
#include "simd/typed_kernels.h"

namespace holdfast::bench {

namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kGroup = 32;  // rows per call of the integer kernels: about what a visited node has
constexpr int kPlanes = 4;          // of the query, against one-bit codes

std::size_t round_up(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

/// Keeps the compiler from leaving out what made `value`.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

/// A query that begins on a cache line, as a search makes it; shared by everything that scores with it.
template <class T>
class Query {
 public:
  explicit Query(std::size_t count) : lines_(std::make_shared<std::vector<Line>>(count * sizeof(T) / kLine + 1)) {
    SeededRandom random(2);
    for (std::size_t i = 0; i < count; ++i) {
      T component;
      if constexpr (std::is_floating_point_v<T>) {
        component = static_cast<T>(random.unit());
      } else {
        component = static_cast<T>(random.next());
      }
      std::memcpy(reinterpret_cast<std::byte*>(lines_->data()) + i * sizeof(T), &component, sizeof(T));
    }
  }
  [[nodiscard]] const T* data() const { return reinterpret_cast<const T*>(lines_->data()); }

 private:
  struct alignas(kLine) Line {
    std::byte bytes[kLine];
  };
  std::shared_ptr<std::vector<Line>> lines_;
};

// ---- rows of vectors
// -------------------------------------------------------------------------------------------------

/// `One`, `Four`: pointers to functions of a query, and a row or four of them.
template <class One, class Q>
ScoreRows one_by_one(One distance, Query<Q> query, std::size_t dim) {
  return [=](std::span<const std::byte* const> rows) {
    for (const std::byte* const row : rows) keep(distance(query.data(), row, dim));
  };
}

template <class Four, class Q>
ScoreRows four_by_four(Four distance, Query<Q> query, std::size_t dim) {
  return [=](std::span<const std::byte* const> rows) {
    for (std::size_t i = 0; i + 4 <= rows.size(); i += 4) {
      const void* const four[4] = {rows[i], rows[i + 1], rows[i + 2], rows[i + 3]};
      float out[4];
      distance(query.data(), four, dim, out);
      keep(out);
    }
  };
}

/// Both distances, alone and four at once, of what `functions_of(table)` names. Rows begin on a cache line, as they do
/// in a collection.
template <class Q, class Tables, class FunctionsOf>
void add_rows(const std::string& name, std::size_t dim, std::size_t component_bytes, const Tables& tables,
              FunctionsOf functions_of, std::vector<KernelCase>& cases) {
  const Query<Q> query(dim);
  const std::size_t bytes = dim * component_bytes;
  const std::size_t stride = round_up(bytes, kLine);
  KernelCase l2{name + " l2", dim, bytes, stride, {}};
  KernelCase l2_four{name + " l2, four", dim, bytes, stride, {}};
  KernelCase dot{name + " dot", dim, bytes, stride, {}};
  KernelCase dot_four{name + " dot, four", dim, bytes, stride, {}};
  for (const auto* const table : tables) {
    const auto& functions = functions_of(*table);
    l2.tables.push_back({table->name, one_by_one(functions.l2, query, dim)});
    l2_four.tables.push_back({table->name, four_by_four(functions.l2_x4, query, dim)});
    dot.tables.push_back({table->name, one_by_one(functions.dot, query, dim)});
    dot_four.tables.push_back({table->name, four_by_four(functions.dot_x4, query, dim)});
  }
  cases.insert(cases.end(), {l2, l2_four, dot, dot_four});
}

void add_vectors(std::size_t dim, std::vector<KernelCase>& cases) {
  struct Element {
    const char* name;
    std::size_t bytes;
    simd::RowKernels simd::TypedKernels::*functions;
  };
  constexpr Element kElements[] = {{"f32", 4, &simd::TypedKernels::f32},
                                   {"f16", 2, &simd::TypedKernels::f16},
                                   {"bf16", 2, &simd::TypedKernels::bf16},
                                   {"i8", 1, &simd::TypedKernels::i8},
                                   {"u8", 1, &simd::TypedKernels::u8}};
  for (const Element& element : kElements) {
    const auto functions_of = [&](const simd::TypedKernels& table) { return table.*element.functions; };
    add_rows<float>(element.name, dim, element.bytes, simd::available_typed_kernels(), functions_of, cases);
  }
  const auto i8_of = [](const simd::BytePairKernels& table) { return table.i8; };
  const auto u8_of = [](const simd::BytePairKernels& table) { return table.u8; };
  add_rows<std::int8_t>("i8 query, i8", dim, 1, simd::available_byte_pair_kernels(), i8_of, cases);
  add_rows<std::uint8_t>("u8 query, u8", dim, 1, simd::available_byte_pair_kernels(), u8_of, cases);
}

// ---- compact codes -------------------------------------------------------------------------------------------------

/// `call(rows of one group, count, out)` for one group after the other.
template <class Code, class Call>
ScoreRows in_groups(Call call) {
  return [=](std::span<const std::byte* const> rows) {
    std::array<std::int32_t, kGroup> out;
    for (std::size_t i = 0; i < rows.size(); i += kGroup) {
      const std::size_t count = std::min(kGroup, rows.size() - i);
      call(reinterpret_cast<const Code* const*>(rows.data() + i), count, out.data());
      keep(out);
    }
  };
}

void add_codes(std::size_t dim, std::vector<KernelCase>& cases) {
  const Query<std::int8_t> query(dim);
  const std::size_t words = round_up(dim, 64) / 64;
  const Query<std::uint64_t> planes(words * kPlanes);
  const std::size_t nibbles = round_up(dim, simd::kNibbleBlock) / simd::kNibbleBlock * simd::kNibbleBlockBytes;
  KernelCase bytes{"codes of 8 bits, dot", dim, dim, round_up(dim, kLine), {}};
  KernelCase halves{"codes of 4 bits, dot", dim, nibbles, round_up(nibbles, kLine), {}};
  KernelCase bits{"codes of 1 bit, dot with 4 planes", dim, words * 8, round_up(words * 8, kLine), {}};
  for (const simd::CodeKernels* table : simd::available_code_kernels()) {
    bytes.tables.push_back({table->name, in_groups<std::uint8_t>([=](const std::uint8_t* const* rows, std::size_t count,
                                                                     std::int32_t* out) {
                              table->dot_u8(query.data(), rows, count, dim, out);
                            })});
    halves.tables.push_back({table->name, in_groups<std::uint8_t>([=](const std::uint8_t* const* rows,
                                                                      std::size_t count, std::int32_t* out) {
                               table->dot_u4(query.data(), rows, count, dim, out);
                             })});
    bits.tables.push_back({table->name, in_groups<std::uint64_t>([=](const std::uint64_t* const* rows,
                                                                     std::size_t count, std::int32_t* out) {
                             table->dot_bits(planes.data(), kPlanes, rows, count, words, out);
                           })});
  }
  cases.insert(cases.end(), {bytes, halves, bits});
}

// ---- the limit -----------------------------------------------------------------------------------------------------

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void read_avx512(std::span<const std::byte* const> rows, std::size_t bytes) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  for (const std::byte* const row : rows) {
    std::size_t at = 0;
    for (; at + 64 < bytes; at += 128) {
      even = _mm512_xor_si512(even, _mm512_loadu_si512(row + at));
      odd = _mm512_xor_si512(odd, _mm512_loadu_si512(row + at + 64));
    }
    if (at < bytes) even = _mm512_xor_si512(even, _mm512_loadu_si512(row + at));
  }
  keep(_mm512_xor_si512(even, odd));
}
__attribute__((target("avx2"))) void read_avx2(std::span<const std::byte* const> rows, std::size_t bytes) {
  __m256i even = _mm256_setzero_si256();
  __m256i odd = _mm256_setzero_si256();
  for (const std::byte* const row : rows) {
    std::size_t at = 0;
    for (; at + 32 < bytes; at += 64) {
      even = _mm256_xor_si256(even, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + at)));
      odd = _mm256_xor_si256(odd, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + at + 32)));
    }
    if (at < bytes) even = _mm256_xor_si256(even, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + at)));
  }
  keep(_mm256_xor_si256(even, odd));
}
#endif
void read_words(std::span<const std::byte* const> rows, std::size_t bytes) {
  std::uint64_t sums[4] = {};
  for (const std::byte* const row : rows) {
    for (std::size_t at = 0; at < bytes; at += sizeof sums) {
      std::uint64_t words[4];
      std::memcpy(words, row + at, sizeof words);
      for (std::size_t i = 0; i < 4; ++i) sums[i] ^= words[i];
    }
  }
  keep(sums[0] ^ sums[1] ^ sums[2] ^ sums[3]);
}

}  // namespace

std::vector<KernelCase> kernel_cases(std::span<const std::size_t> dims) {
  std::vector<KernelCase> cases;
  for (const std::size_t dim : dims) add_vectors(dim, cases);
  for (const std::size_t dim : dims) add_codes(dim, cases);
  std::stable_sort(cases.begin(), cases.end(),
                   [](const KernelCase& a, const KernelCase& b) { return a.kind < b.kind; });
  return cases;
}

ScoreRows plain_read(std::size_t row_bytes) {
  auto* read = read_words;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    read = read_avx512;
  } else if (__builtin_cpu_supports("avx2")) {
    read = read_avx2;
  }
#endif
  return [=](std::span<const std::byte* const> rows) { read(rows, row_bytes); };
}

}  // namespace holdfast::bench
