# Options, warnings and sanitizers that every target shares.
option(HOLDFAST_BUILD_TESTS "Build the tests" ON)
option(HOLDFAST_BUILD_EXAMPLES "Build the examples" ON)
option(HOLDFAST_BUILD_BENCH "Build the benchmarks" OFF)
option(HOLDFAST_BUILD_CLI "Build the command line" ON)
option(HOLDFAST_BUILD_FUZZ "Build the fuzzers (clang, -fsanitize=fuzzer)" OFF)
option(HOLDFAST_PLANTS "Compile the planted bugs of tests/plants into the library: never for use" OFF)
option(HOLDFAST_WERROR "Treat warnings as errors; packagers with other compilers turn it off" ON)
set(HOLDFAST_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")
set(HOLDFAST_COVERAGE "" CACHE STRING "Rooms of src/ to instrument for llvm-cov (clang), e.g. storage;engine")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(HOLDFAST_CCACHE ccache)
if(HOLDFAST_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HOLDFAST_CCACHE})
endif()

find_package(Threads REQUIRED)

add_library(hf_options INTERFACE)
target_compile_options(hf_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(HOLDFAST_WERROR)
  target_compile_options(hf_options INTERFACE -Werror)
endif()
# GCC 12 reports false overlaps inside std::string concatenation (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(hf_options INTERFACE -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(hf_options INTERFACE -Wthread-safety)
endif()
# Bounds and preconditions of the standard library, checked wherever asserts are.
target_compile_definitions(hf_options INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(HOLDFAST_SANITIZE)
  target_compile_options(hf_options INTERFACE -fsanitize=${HOLDFAST_SANITIZE} -fno-omit-frame-pointer
                                              -fno-sanitize-recover=all)
  target_link_options(hf_options INTERFACE -fsanitize=${HOLDFAST_SANITIZE})
  # Every test, and the listing of tests after the build, runs through this script (it says why).
  set(CMAKE_CROSSCOMPILING_EMULATOR ${PROJECT_SOURCE_DIR}/scripts/run-sanitized)
endif()
if(HOLDFAST_COVERAGE)
  target_link_options(hf_options INTERFACE -fprofile-instr-generate)
endif()
target_include_directories(hf_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(hf_options INTERFACE Threads::Threads)
