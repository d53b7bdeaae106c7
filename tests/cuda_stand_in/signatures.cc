// The calls that the harness makes, with the types that CUDA and TensorRT document. Compiled against the project's own
// declarations and, where they are, the SDKs' headers: so neither can differ from what the harness was written for.
#include <NvInferRuntime.h>
#include <cuda_runtime_api.h>

#include <type_traits>

namespace {

#define SAME(name, ...) static_assert(std::is_same_v<decltype(&name), __VA_ARGS__>, #name)

SAME(cudaGetDeviceCount, cudaError_t (*)(int*));
SAME(cudaSetDevice, cudaError_t (*)(int));
SAME(cudaInitDevice, cudaError_t (*)(int, unsigned int, unsigned int));
SAME(cudaGetDevice, cudaError_t (*)(int*));
SAME(cudaSetDeviceFlags, cudaError_t (*)(unsigned int));
SAME(cudaGetDeviceFlags, cudaError_t (*)(unsigned int*));
SAME(cudaDeviceGetPCIBusId, cudaError_t (*)(char*, int, int));
SAME(cudaDeviceGetByPCIBusId, cudaError_t (*)(int*, const char*));
SAME(cudaDeviceGetAttribute, cudaError_t (*)(int*, cudaDeviceAttr, int));
SAME(cudaGetDeviceProperties, cudaError_t (*)(cudaDeviceProp*, int));
SAME(cudaDeviceSynchronize, cudaError_t (*)());
SAME(cudaMalloc, cudaError_t (*)(void**, size_t));
SAME(cudaFree, cudaError_t (*)(void*));
SAME(cudaHostAlloc, cudaError_t (*)(void**, size_t, unsigned int));
SAME(cudaFreeHost, cudaError_t (*)(void*));
SAME(cudaHostRegister, cudaError_t (*)(void*, size_t, unsigned int));
SAME(cudaHostUnregister, cudaError_t (*)(void*));
SAME(cudaMemGetInfo, cudaError_t (*)(size_t*, size_t*));
SAME(cudaPointerGetAttributes, cudaError_t (*)(cudaPointerAttributes*, const void*));
SAME(cudaMemcpy, cudaError_t (*)(void*, const void*, size_t, cudaMemcpyKind));
SAME(cudaMemcpyAsync, cudaError_t (*)(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t));
SAME(cudaMemcpy2DAsync,
     cudaError_t (*)(void*, size_t, const void*, size_t, size_t, size_t, cudaMemcpyKind, cudaStream_t));
SAME(cudaMemsetAsync, cudaError_t (*)(void*, int, size_t, cudaStream_t));
SAME(cudaStreamCreateWithFlags, cudaError_t (*)(cudaStream_t*, unsigned int));
SAME(cudaStreamDestroy, cudaError_t (*)(cudaStream_t));
SAME(cudaStreamSynchronize, cudaError_t (*)(cudaStream_t));
SAME(cudaStreamQuery, cudaError_t (*)(cudaStream_t));
SAME(cudaStreamWaitEvent, cudaError_t (*)(cudaStream_t, cudaEvent_t, unsigned int));
SAME(cudaLaunchHostFunc, cudaError_t (*)(cudaStream_t, cudaHostFn_t, void*));
SAME(cudaEventCreateWithFlags, cudaError_t (*)(cudaEvent_t*, unsigned int));
SAME(cudaEventDestroy, cudaError_t (*)(cudaEvent_t));
SAME(cudaEventRecord, cudaError_t (*)(cudaEvent_t, cudaStream_t));
SAME(cudaEventSynchronize, cudaError_t (*)(cudaEvent_t));
SAME(cudaEventQuery, cudaError_t (*)(cudaEvent_t));
SAME(cudaEventElapsedTime, cudaError_t (*)(float*, cudaEvent_t, cudaEvent_t));
SAME(cudaStreamBeginCapture, cudaError_t (*)(cudaStream_t, cudaStreamCaptureMode));
SAME(cudaStreamEndCapture, cudaError_t (*)(cudaStream_t, cudaGraph_t*));
SAME(cudaStreamIsCapturing, cudaError_t (*)(cudaStream_t, cudaStreamCaptureStatus*));
SAME(cudaGraphInstantiateWithFlags, cudaError_t (*)(cudaGraphExec_t*, cudaGraph_t, unsigned long long));
SAME(cudaGraphUpload, cudaError_t (*)(cudaGraphExec_t, cudaStream_t));
SAME(cudaGraphLaunch, cudaError_t (*)(cudaGraphExec_t, cudaStream_t));
SAME(cudaGraphExecDestroy, cudaError_t (*)(cudaGraphExec_t));
SAME(cudaGraphDestroy, cudaError_t (*)(cudaGraph_t));

static_assert(cudaErrorMemoryAllocation == 2 && cudaErrorInvalidMemcpyDirection == 21 && cudaErrorNoDevice == 100);
static_assert(cudaErrorInvalidDevice == 101 && cudaErrorInvalidResourceHandle == 400 && cudaErrorNotReady == 600);
static_assert(cudaErrorIllegalAddress == 700 && cudaErrorLaunchFailure == 719 && cudaErrorNotSupported == 801);
static_assert(cudaErrorHostMemoryAlreadyRegistered == 712 && cudaErrorHostMemoryNotRegistered == 713);
static_assert(cudaErrorStreamCaptureUnsupported == 900 && cudaErrorStreamCaptureInvalidated == 901);
static_assert(cudaErrorInvalidValue == 1 && cudaErrorUnknown == 999);
static_assert(cudaHostAllocDefault == 0 && cudaHostAllocPortable == 1 && cudaHostAllocWriteCombined == 4);
static_assert(cudaHostRegisterDefault == 0 && cudaHostRegisterReadOnly == 8 && cudaStreamNonBlocking == 1);
static_assert(cudaEventBlockingSync == 1 && cudaEventDisableTiming == 2);
static_assert(cudaDeviceScheduleSpin == 1 && cudaDeviceScheduleBlockingSync == 4 && cudaDeviceScheduleMask == 7);
static_assert(cudaMemcpyHostToDevice == 1 && cudaMemcpyDeviceToHost == 2 && cudaMemcpyDeviceToDevice == 3);
static_assert(cudaDevAttrComputeCapabilityMajor == 75 && cudaDevAttrComputeCapabilityMinor == 76);
static_assert(cudaDevAttrMultiProcessorCount == 16 && cudaDevAttrHostRegisterReadOnlySupported == 113);
static_assert(cudaStreamCaptureModeGlobal == 0 && cudaStreamCaptureModeThreadLocal == 1);

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::ExecutionContextAllocationStrategy;
using nvinfer1::ICudaEngine;
using nvinfer1::IExecutionContext;
using nvinfer1::IRuntime;
using nvinfer1::OptProfileSelector;
using nvinfer1::TensorIOMode;

// Of one of several overloads.
template <typename Type>
constexpr bool has(Type /*member*/) {
  return true;
}
static_assert(has<ICudaEngine* (IRuntime::*)(void const*, size_t) noexcept>(&IRuntime::deserializeCudaEngine));
static_assert(has<IExecutionContext* (ICudaEngine::*)(ExecutionContextAllocationStrategy) noexcept>(
    &ICudaEngine::createExecutionContext));

SAME(IRuntime::getPluginRegistry, nvinfer1::IPluginRegistry& (IRuntime::*)() noexcept);
SAME(IRuntime::setEngineHostCodeAllowed, void (IRuntime::*)(bool) noexcept);
SAME(IRuntime::setMaxThreads, bool (IRuntime::*)(int32_t) noexcept);
SAME(nvinfer1::createInferRuntime, IRuntime* (*)(nvinfer1::ILogger&) noexcept);
SAME(nvinfer1::IPluginRegistry::loadLibrary, void* (nvinfer1::IPluginRegistry::*)(char const*) noexcept);
SAME(getPluginRegistry, nvinfer1::IPluginRegistry* (*)() noexcept);
SAME(ICudaEngine::getNbIOTensors, int32_t (ICudaEngine::*)() const noexcept);
SAME(ICudaEngine::getIOTensorName, char const* (ICudaEngine::*)(int32_t) const noexcept);
SAME(ICudaEngine::getTensorDataType, DataType (ICudaEngine::*)(char const*) const noexcept);
SAME(ICudaEngine::getTensorIOMode, TensorIOMode (ICudaEngine::*)(char const*) const noexcept);
SAME(ICudaEngine::getTensorShape, Dims (ICudaEngine::*)(char const*) const noexcept);
SAME(ICudaEngine::getNbOptimizationProfiles, int32_t (ICudaEngine::*)() const noexcept);
SAME(ICudaEngine::getProfileShape, Dims (ICudaEngine::*)(char const*, int32_t, OptProfileSelector) const noexcept);
SAME(ICudaEngine::getDeviceMemorySizeV2, int64_t (ICudaEngine::*)() const noexcept);
SAME(ICudaEngine::getDeviceMemorySizeForProfileV2, int64_t (ICudaEngine::*)(int32_t) const noexcept);
SAME(IExecutionContext::setDeviceMemoryV2, void (IExecutionContext::*)(void*, int64_t) noexcept);
SAME(IExecutionContext::setOptimizationProfileAsync, bool (IExecutionContext::*)(int32_t, cudaStream_t) noexcept);
SAME(IExecutionContext::setInputShape, bool (IExecutionContext::*)(char const*, Dims const&) noexcept);
SAME(IExecutionContext::getTensorShape, Dims (IExecutionContext::*)(char const*) const noexcept);
SAME(IExecutionContext::setTensorAddress, bool (IExecutionContext::*)(char const*, void*) noexcept);
SAME(IExecutionContext::inferShapes, int32_t (IExecutionContext::*)(int32_t, char const**) noexcept);
SAME(IExecutionContext::setInputConsumedEvent, bool (IExecutionContext::*)(cudaEvent_t) noexcept);
SAME(IExecutionContext::updateDeviceMemorySizeForShapes, size_t (IExecutionContext::*)() noexcept);
SAME(IExecutionContext::enqueueV3, bool (IExecutionContext::*)(cudaStream_t) noexcept);

static_assert(static_cast<int>(DataType::kFLOAT) == 0 && static_cast<int>(DataType::kHALF) == 1);
static_assert(static_cast<int>(DataType::kINT8) == 2 && static_cast<int>(DataType::kINT32) == 3);
static_assert(static_cast<int>(DataType::kBOOL) == 4 && static_cast<int>(DataType::kUINT8) == 5);
static_assert(static_cast<int>(DataType::kFP8) == 6 && static_cast<int>(DataType::kBF16) == 7);
static_assert(static_cast<int>(DataType::kINT64) == 8 && static_cast<int>(DataType::kINT4) == 9);
static_assert(static_cast<int>(TensorIOMode::kINPUT) == 1 && static_cast<int>(TensorIOMode::kOUTPUT) == 2);
static_assert(static_cast<int>(OptProfileSelector::kMIN) == 0 && static_cast<int>(OptProfileSelector::kMAX) == 2);
static_assert(static_cast<int>(ExecutionContextAllocationStrategy::kSTATIC) == 0 &&
              static_cast<int>(ExecutionContextAllocationStrategy::kUSER_MANAGED) == 2);
static_assert(static_cast<int>(nvinfer1::ILogger::Severity::kINTERNAL_ERROR) == 0 &&
              static_cast<int>(nvinfer1::ILogger::Severity::kVERBOSE) == 4);
static_assert(std::is_same_v<decltype(Dims::nbDims), int32_t> && Dims::MAX_DIMS == 8);

}  // namespace
