#include "engines/triton_api.h"

#include <dlfcn.h>

#include <cstring>

#include "core/error.h"

namespace harness {

namespace {

constexpr uint32_t kMajor = 1;
constexpr const char* kInstall = "run `make triton`, or name a server of version 2 with --triton_server=FILE";
constexpr const char* kLog = "see the server's log, triton.txt";

template <typename Function>
void find(void* library, const std::string& name, Function& function) {
  void* found = ::dlsym(library, ("TRITONSERVER_" + name).c_str());
  if (found == nullptr) {
    throw Error(Status::kMissing, "the Triton library has no TRITONSERVER_" + name, "", kInstall);
  }
  std::memcpy(&function, &found, sizeof(found));
}

}  // namespace

TritonApi::TritonApi(const std::string& library) {
  // It stays open: the library starts threads and registers what runs at the process's exit.
  void* opened = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (opened == nullptr) {
    const char* why = ::dlerror();
    throw Error(Status::kMissing, "Triton's library cannot be opened", why == nullptr ? library : why, kInstall);
  }
#define FIND(name) find(opened, #name, name)
  FIND(ApiVersion);
  FIND(ErrorNew);
  FIND(ErrorDelete);
  FIND(ErrorMessage);
  uint32_t major = 0;
  uint32_t minor = 0;
  require(ApiVersion(&major, &minor), "Triton's library does not tell its version");
  if (major != kMajor) {
    throw Error(Status::kMissing, "Triton's library has version " + std::to_string(major) + " of its C API",
                "the harness calls version " + std::to_string(kMajor), kInstall);
  }
  FIND(MessageSerializeToJson);
  FIND(MessageDelete);
  FIND(ServerOptionsNew);
  FIND(ServerOptionsDelete);
  FIND(ServerOptionsSetModelRepositoryPath);
  FIND(ServerOptionsSetBackendDirectory);
  FIND(ServerOptionsSetBackendConfig);
  FIND(ServerOptionsSetLogFile);
  FIND(ServerOptionsSetStrictModelConfig);
  FIND(ServerOptionsSetModelControlMode);
  FIND(ServerOptionsSetModelLoadRetryCount);
  FIND(ServerOptionsSetExitOnError);
  FIND(ServerOptionsSetExitTimeout);
  FIND(ServerOptionsSetBufferManagerThreadCount);
  FIND(ServerOptionsSetMetrics);
  FIND(ServerNew);
  FIND(ServerStop);
  FIND(ServerDelete);
  FIND(ServerIsReady);
  FIND(ServerModelIsReady);
  FIND(ServerModelIndex);
  FIND(ServerMetadata);
  FIND(ServerModelMetadata);
  FIND(ServerModelStatistics);
  FIND(ServerInferAsync);
  FIND(InferenceRequestNew);
  FIND(InferenceRequestDelete);
  FIND(InferenceRequestAddInput);
  FIND(InferenceRequestRemoveAllInputs);
  FIND(InferenceRequestAppendInputData);
  FIND(InferenceRequestSetReleaseCallback);
  FIND(InferenceRequestSetResponseCallback);
  FIND(ResponseAllocatorNew);
  FIND(ResponseAllocatorDelete);
  FIND(InferenceResponseError);
  FIND(InferenceResponseOutputCount);
  FIND(InferenceResponseOutput);
  FIND(InferenceResponseDelete);
#undef FIND
}

std::string TritonApi::words(triton::Error* error) const {
  if (error == nullptr) return "";
  const char* text = ErrorMessage(error);
  std::string out = text == nullptr || *text == '\0' ? "it gave no reason" : text;
  ErrorDelete(error);
  return out;
}

void TritonApi::drop(triton::Error* error) const {
  if (error != nullptr) ErrorDelete(error);
}

void TritonApi::require(triton::Error* error, const std::string& doing) const {
  if (error != nullptr) throw Error(Status::kFailed, doing, last_line(words(error)), kLog);
}

}  // namespace harness
