#include "engines/row_kernels.h"

namespace harness::cuda {

namespace {

constexpr uint32_t kThreads = 128;

// One block copies one row.
__global__ void gather(const uint32_t* __restrict__ data, size_t stride, const uint32_t* __restrict__ rows,
                       uint32_t words, uint32_t* __restrict__ to) {
  const uint32_t* from = data + rows[blockIdx.x] * stride;
  to += static_cast<size_t>(blockIdx.x) * words;
  for (uint32_t word = threadIdx.x; word < words; word += kThreads) to[word] = from[word];
}

}  // namespace

cudaError_t gather_rows(const void* data, size_t stride, const uint32_t* rows, size_t count, size_t words, void* to,
                        cudaStream_t stream) {
  if (count == 0 || words == 0) return cudaSuccess;
  gather<<<static_cast<unsigned>(count), kThreads, 0, stream>>>(
      static_cast<const uint32_t*>(data), stride, rows, static_cast<uint32_t>(words), static_cast<uint32_t*>(to));
  return cudaGetLastError();
}

}  // namespace harness::cuda
