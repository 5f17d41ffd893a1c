// The shape of a kernel table, and the table of each instruction set.
//
// Apart from kernels.h because the files that fill the tables are compiled for instruction sets that the machine may
// lack: an inline function of the standard library that is compiled there (say std::string's) would be merged by the
// linker with the copies of everybody else, and run everywhere. So those files include this header and the
// intrinsics, and define nothing with external linkage but their table. tests/simd/check_objects.cmake looks.
#pragma once

#include <cstddef>

namespace holdfast::simd {

struct Kernels {
  const char* name;  ///< "scalar", "avx2", "avx512", "neon"

  /// sum (a_i - b_i)^2
  float (*l2)(const float* a, const float* b, std::size_t dim) noexcept;
  /// sum a_i b_i
  float (*dot)(const float* a, const float* b, std::size_t dim) noexcept;
  /// Four vectors against one query: out[j] = l2(query, vectors[j]). Shares the loads of the query.
  void (*l2_x4)(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept;
  void (*dot_x4)(const float* query, const float* const vectors[4], std::size_t dim, float out[4]) noexcept;
};

namespace scalar {
extern const Kernels kTable;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Kernels kTable;
}
namespace avx512 {
extern const Kernels kTable;
}
#elif defined(__aarch64__)
namespace neon {
extern const Kernels kTable;
}
#endif

}  // namespace holdfast::simd
