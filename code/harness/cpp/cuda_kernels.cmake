# Kernels of our own (engines/*_kernels.cu), where CUDA's compiler is there, works, and is of the CUDA runtime's major version. Without
# them the TensorRT engine cuts and adds windows on the processor, and copies rows of an input that it keeps one by one. Sets
# HARNESS_CUDA_KERNELS.
#   HARNESS_CUDA_ARCHITECTURES  GPUs to compile for, as CMAKE_CUDA_ARCHITECTURES; by default all that TensorRT 10 and the compiler have
set(HARNESS_CUDA_ARCHITECTURES "" CACHE STRING "GPUs to compile kernels for, such as 90")

set(no_kernels "CUDA kernels: not built,")
if(NOT SANITIZE STREQUAL "")
  message(STATUS "${no_kernels} a sanitizer")
  return()
endif()
find_program(NVCC nvcc HINTS ${CUDA_PLACES} PATH_SUFFIXES bin)
if(NOT NVCC)
  message(STATUS "${no_kernels} nvcc was not found")
  return()
endif()

# The check runs in a project of its own, so a compiler that does not work (of another host compiler's time, say) leaves this one alone.
if(NOT DEFINED ENV{CUDACXX})
  set(ENV{CUDACXX} ${NVCC})
endif()
if(NOT DEFINED ENV{CUDAHOSTCXX})
  set(ENV{CUDAHOSTCXX} ${CMAKE_CXX_COMPILER})
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  unset(CMAKE_CUDA_COMPILER CACHE)  # to be looked for again
  message(STATUS "${no_kernels} $ENV{CUDACXX} does not work with $ENV{CUDAHOSTCXX}")
  return()
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # ${CUDART_LIBRARY} is linked as it is
enable_language(CUDA)

file(STRINGS ${CUDART_INCLUDE}/cuda_runtime_api.h runtime REGEX "#define CUDART_VERSION +[0-9]+")
string(REGEX REPLACE ".* ([0-9]+)[0-9][0-9][0-9]$" "\\1" runtime "${runtime}")
string(REGEX MATCH "^[0-9]+" compiler "${CMAKE_CUDA_COMPILER_VERSION}")
if(NOT runtime STREQUAL compiler)
  message(STATUS "${no_kernels} ${CMAKE_CUDA_COMPILER} is of CUDA ${compiler} and the runtime in ${CUDART_INCLUDE} of CUDA ${runtime}")
  return()
endif()

set(architectures "${HARNESS_CUDA_ARCHITECTURES}")
if("${architectures}" STREQUAL "")
  set(architectures 75-real 80-real 86-real 89-real 90)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
    set(architectures 75-real 80-real 86-real 89-real 90-real 100-real 120)
  endif()
endif()

add_library(cuda_kernels STATIC engines/row_kernels.cu engines/window_kernels.cu)
set_target_properties(cuda_kernels PROPERTIES
  CUDA_ARCHITECTURES "${architectures}" CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
target_include_directories(cuda_kernels PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(cuda_kernels PUBLIC ${CUDART_LIBRARY} ${CMAKE_DL_LIBS} rt Threads::Threads)
target_compile_options(cuda_kernels PRIVATE -Xcompiler=-Wall,-Wextra,-Werror --Werror=all-warnings)
target_sources(harness_core PRIVATE engines/cuda_windows.cc)
target_compile_definitions(harness_core PRIVATE HARNESS_CUDA_KERNELS)
target_link_libraries(harness_core PUBLIC cuda_kernels)
set(HARNESS_CUDA_KERNELS ON)
message(STATUS "CUDA kernels: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION} for ${architectures}")
