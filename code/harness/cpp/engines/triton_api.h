// Triton Inference Server's C API. Its library is opened at run time, so that the harness builds and starts without it.
// Source: triton-inference-server/core, include/triton/core/tritonserver.h, version 1 of the API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace harness {

// Objects of the library, which only it can look into.
namespace triton {
struct Error;
struct Message;
struct Options;
struct Server;
struct Request;
struct Response;
struct Allocator;
struct Trace;

// enum TRITONSERVER_DataType.
constexpr int kInt8 = 6;
constexpr int kInt32 = 8;
constexpr int kInt64 = 9;
constexpr int kFp16 = 10;
constexpr int kFp32 = 11;
// Of TRITONSERVER_MemoryType, TRITONSERVER_Error_Code, TRITONSERVER_ModelControlMode, and the flags of a response.
constexpr int kMemoryCpu = 0;
constexpr int kErrorInternal = 1;
constexpr int kControlNone = 0;
constexpr uint32_t kFinal = 1;
constexpr int64_t kAnyVersion = -1;

using AllocateFn = Error* (*)(Allocator*, const char* name, size_t bytes, int kind, int64_t kind_id, void* user,
                              void** buffer, void** buffer_user, int* actual_kind, int64_t* actual_id);
using FreeFn = Error* (*)(Allocator*, void* buffer, void* buffer_user, size_t bytes, int kind, int64_t kind_id);
using StartFn = Error* (*)(Allocator*, void* user);
using ReleasedFn = void (*)(Request*, uint32_t flags, void* user);
using AnsweredFn = void (*)(Response*, uint32_t flags, void* user);
}  // namespace triton

// The functions that the harness calls, named as in the header without TRITONSERVER_.
struct TritonApi {
  // Opens `library` and finds them. Throws Error (kMissing) where the file cannot be opened, lacks one, or has another
  // version of the API.
  explicit TritonApi(const std::string& library);

  triton::Error* (*ApiVersion)(uint32_t*, uint32_t*) = nullptr;
  triton::Error* (*ErrorNew)(int, const char*) = nullptr;
  void (*ErrorDelete)(triton::Error*) = nullptr;
  const char* (*ErrorMessage)(triton::Error*) = nullptr;

  triton::Error* (*MessageSerializeToJson)(triton::Message*, const char**, size_t*) = nullptr;
  triton::Error* (*MessageDelete)(triton::Message*) = nullptr;

  triton::Error* (*ServerOptionsNew)(triton::Options**) = nullptr;
  triton::Error* (*ServerOptionsDelete)(triton::Options*) = nullptr;
  triton::Error* (*ServerOptionsSetModelRepositoryPath)(triton::Options*, const char*) = nullptr;
  triton::Error* (*ServerOptionsSetBackendDirectory)(triton::Options*, const char*) = nullptr;
  triton::Error* (*ServerOptionsSetBackendConfig)(triton::Options*, const char*, const char*, const char*) = nullptr;
  triton::Error* (*ServerOptionsSetLogFile)(triton::Options*, const char*) = nullptr;
  triton::Error* (*ServerOptionsSetStrictModelConfig)(triton::Options*, bool) = nullptr;
  triton::Error* (*ServerOptionsSetModelControlMode)(triton::Options*, int) = nullptr;
  triton::Error* (*ServerOptionsSetModelLoadRetryCount)(triton::Options*, unsigned) = nullptr;
  triton::Error* (*ServerOptionsSetExitOnError)(triton::Options*, bool) = nullptr;
  triton::Error* (*ServerOptionsSetExitTimeout)(triton::Options*, unsigned) = nullptr;
  triton::Error* (*ServerOptionsSetBufferManagerThreadCount)(triton::Options*, unsigned) = nullptr;
  triton::Error* (*ServerOptionsSetMetrics)(triton::Options*, bool) = nullptr;

  triton::Error* (*ServerNew)(triton::Server**, triton::Options*) = nullptr;
  triton::Error* (*ServerStop)(triton::Server*) = nullptr;
  triton::Error* (*ServerDelete)(triton::Server*) = nullptr;
  triton::Error* (*ServerIsReady)(triton::Server*, bool*) = nullptr;
  triton::Error* (*ServerModelIsReady)(triton::Server*, const char*, int64_t, bool*) = nullptr;
  triton::Error* (*ServerModelIndex)(triton::Server*, uint32_t, triton::Message**) = nullptr;
  triton::Error* (*ServerMetadata)(triton::Server*, triton::Message**) = nullptr;
  triton::Error* (*ServerModelMetadata)(triton::Server*, const char*, int64_t, triton::Message**) = nullptr;
  triton::Error* (*ServerModelStatistics)(triton::Server*, const char*, int64_t, triton::Message**) = nullptr;
  triton::Error* (*ServerInferAsync)(triton::Server*, triton::Request*, triton::Trace*) = nullptr;

  triton::Error* (*InferenceRequestNew)(triton::Request**, triton::Server*, const char*, int64_t) = nullptr;
  triton::Error* (*InferenceRequestDelete)(triton::Request*) = nullptr;
  triton::Error* (*InferenceRequestAddInput)(triton::Request*, const char*, int, const int64_t*, uint64_t) = nullptr;
  triton::Error* (*InferenceRequestRemoveAllInputs)(triton::Request*) = nullptr;
  triton::Error* (*InferenceRequestAppendInputData)(triton::Request*, const char*, const void*, size_t, int,
                                                    int64_t) = nullptr;
  triton::Error* (*InferenceRequestSetReleaseCallback)(triton::Request*, triton::ReleasedFn, void*) = nullptr;
  triton::Error* (*InferenceRequestSetResponseCallback)(triton::Request*, triton::Allocator*, void*, triton::AnsweredFn,
                                                        void*) = nullptr;

  triton::Error* (*ResponseAllocatorNew)(triton::Allocator**, triton::AllocateFn, triton::FreeFn,
                                         triton::StartFn) = nullptr;
  triton::Error* (*ResponseAllocatorDelete)(triton::Allocator*) = nullptr;
  triton::Error* (*InferenceResponseError)(triton::Response*) = nullptr;
  triton::Error* (*InferenceResponseOutputCount)(triton::Response*, uint32_t*) = nullptr;
  triton::Error* (*InferenceResponseOutput)(triton::Response*, uint32_t, const char**, int*, const int64_t**, uint64_t*,
                                            const void**, size_t*, int*, int64_t*, void**) = nullptr;
  triton::Error* (*InferenceResponseDelete)(triton::Response*) = nullptr;

  // "" for success; otherwise the library's words, and the error is gone.
  [[nodiscard]] std::string words(triton::Error* error) const;
  // Discards an error that nothing can be done about, such as one of clearing up.
  void drop(triton::Error* error) const;
  // Throws Error (kFailed): `doing` did not succeed, for the library's reason.
  void require(triton::Error* error, const std::string& doing) const;
};

}  // namespace harness
