// How the integer kernels go through their rows: eight at a time where there are registers for it, then four, then the
// rest. For the files that fill the tables, which bring
//
//   struct Job {                              the query, and what all rows share
//     using Code = ...;                       what a row is made of
//     struct Row { explicit Row(const Code*); ... };   a row and its partial sums
//     static constexpr bool kEight;           are there registers for eight rows?
//     void run(Row&... rows) const;           adds up any number of rows, sharing the loads of the query
//   };
//   std::int32_t sum_of(const Row&);
//   void sums_of(const Row&, const Row&, const Row&, const Row&, std::int32_t out[4]);
//
// in an unnamed namespace. Instances of this template for such types are local to their file, so no two instruction
// sets share one (see kernel_table.h; the reason why nothing here is a plain inline function).
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::simd {

template <class Job>
void for_rows(const Job& job, const typename Job::Code* const* codes, std::size_t count, std::int32_t* out) noexcept {
  using Row = typename Job::Row;
  std::size_t j = 0;
  if constexpr (Job::kEight) {
    for (; j + 8 <= count; j += 8) {
      Row r0(codes[j]), r1(codes[j + 1]), r2(codes[j + 2]), r3(codes[j + 3]);
      Row r4(codes[j + 4]), r5(codes[j + 5]), r6(codes[j + 6]), r7(codes[j + 7]);
      job.run(r0, r1, r2, r3, r4, r5, r6, r7);
      sums_of(r0, r1, r2, r3, out + j);
      sums_of(r4, r5, r6, r7, out + j + 4);
    }
  }
  for (; j + 4 <= count; j += 4) {
    Row r0(codes[j]), r1(codes[j + 1]), r2(codes[j + 2]), r3(codes[j + 3]);
    job.run(r0, r1, r2, r3);
    sums_of(r0, r1, r2, r3, out + j);
  }
  const std::size_t left = count - j;
  if (left == 1) {
    Row row(codes[j]);
    job.run(row);
    out[j] = sum_of(row);
  } else if (left > 1) {  // two or three: cheaper as four with a row repeated than one by one
    Row r0(codes[j]), r1(codes[j + 1]), r2(codes[count - 1]), r3(codes[count - 1]);
    job.run(r0, r1, r2, r3);
    std::int32_t four[4];
    sums_of(r0, r1, r2, r3, four);
    for (std::size_t i = 0; i < left; ++i) out[j + i] = four[i];
  }
}

}  // namespace holdfast::simd
