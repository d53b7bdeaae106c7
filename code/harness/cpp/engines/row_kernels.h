// Kernel that gathers rows of an array in device memory.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

namespace harness::cuda {

// to[count, words] = the first `words` of the rows `rows` of `data`, whose rows are `stride` words apart; a word has 4
// bytes. `rows` may be page-locked host memory. Launches on `stream` and returns the launch's error code.
cudaError_t gather_rows(const void* data, size_t stride, const uint32_t* rows, size_t count, size_t words, void* to,
                        cudaStream_t stream);

}  // namespace harness::cuda
