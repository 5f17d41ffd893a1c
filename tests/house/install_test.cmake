# Installs the build into a prefix of its own, moves that prefix, and lets a stranger's project find it there.
#
#   cmake -D BUILD=<build directory> -D STRANGER=<project> -D WORK=<scratch> -D COMPILER=<c++> -D VERSION=<x.y.z>
#         -D COMMAND_LINE=<is the command built?> -P install_test.cmake
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed with ${status}: ${command}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
# An installed tree may be moved: nothing in it may remember where it was put, or where it was built.
set(prefix ${WORK}/moved)
file(RENAME ${WORK}/first ${prefix})

foreach(file include/holdfast/holdfast.hpp include/holdfast/version.h lib/libholdfast.a lib/pkgconfig/holdfast.pc
             lib/cmake/holdfast/holdfast-config.cmake)
  if(NOT EXISTS ${prefix}/${file})
    message(FATAL_ERROR "not installed: ${file}")
  endif()
endforeach()

# 1. CMake
run(${CMAKE_COMMAND} -S ${STRANGER} -B ${WORK}/cmake -G Ninja -D CMAKE_BUILD_TYPE=Release
    -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run(${CMAKE_COMMAND} --build ${WORK}/cmake)
run(${WORK}/cmake/stranger ${WORK}/store)

# 2. pkg-config
find_program(pkg_config NAMES pkg-config pkgconf)
if(pkg_config)
  set(ENV{PKG_CONFIG_PATH} ${prefix}/lib/pkgconfig)
  execute_process(COMMAND ${pkg_config} --cflags --libs holdfast OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  separate_arguments(flags UNIX_COMMAND ${flags})
  run(${COMPILER} -O1 ${STRANGER}/main.cc -o ${WORK}/by_pkg_config ${flags})
  run(${WORK}/by_pkg_config ${WORK}/store_of_pkg_config)
else()
  message(STATUS "skipped: pkg-config is not installed")
endif()

# 3. the command
if(COMMAND_LINE AND EXISTS ${prefix}/bin)
  execute_process(COMMAND ${prefix}/bin/holdfast --version OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  string(FIND "${text}" "${VERSION}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "holdfast --version does not say ${VERSION} but: ${text}")
  endif()
  run(${prefix}/bin/holdfast info ${WORK}/store)
  run(${prefix}/bin/holdfast verify ${WORK}/store)
endif()
