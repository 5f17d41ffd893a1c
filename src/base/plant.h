// Planted bugs: the test of the tests.
//
//   if (!HF_PLANTED(wal_no_directory_sync)) HF_TRY(fs.sync_directory(directory));
//
// In a build with -DHOLDFAST_PLANTS=ON the environment variable HOLDFAST_PLANT names one bug of
// tests/plants/plants.txt. HF_PLANTED(name) is true for that one, and takes a guard out or does the classic wrong thing
// instead. tests/plants/run checks that the test which the table names notices.
//
// In every other build HF_PLANTED is the constant false: no code, no name and no look at the environment is left, which
// tests/house checks in the library that was built. A plant is one line beside the guard; nothing is rearranged for it.
#pragma once

#ifdef HOLDFAST_PLANTS

#include <cstdlib>
#include <string_view>

namespace holdfast {

inline bool is_planted(std::string_view name) noexcept {
  static const char* const wanted = std::getenv("HOLDFAST_PLANT");
  return wanted != nullptr && name == wanted;
}

}  // namespace holdfast

#define HF_PLANTED(name)                                       \
  ([]() noexcept -> bool {                                     \
    static const bool planted = ::holdfast::is_planted(#name); \
    return planted;                                            \
  }())

#else

#define HF_PLANTED(name) false

#endif
