// TensorRT's own virtual classes have members that the harness does not call. Here they abort, so that the bodies in
// objects.h need only what it calls. With the project's own declarations there are none.
#pragma once

#include <NvInferRuntime.h>

#include <string>

#include "../stand_in.h"

namespace stand_in {

[[noreturn]] inline void unused(const char* name) {
  violation("unknown", std::string("the stand-in does not have ") + name);
}

#ifndef CUDA_STAND_IN_TENSORRT_HEADERS

using RuntimeBase = nvinfer1::apiv::VRuntime;
using EngineBase = nvinfer1::apiv::VCudaEngine;
using ContextBase = nvinfer1::apiv::VExecutionContext;
using RegistryBase = nvinfer1::IPluginRegistry;

#else

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define UNUSED(type, name, parameters)     \
  type name parameters noexcept override { \
    unused(#name);                         \
  }
#define UNUSED_CONST(type, name, parameters)     \
  type name parameters const noexcept override { \
    unused(#name);                               \
  }
#define UNUSED_THROWING(type, name, parameters) \
  type name parameters override {               \
    unused(#name);                              \
  }

namespace trt = nvinfer1;

class RuntimeBase : public trt::apiv::VRuntime {
 public:
  UNUSED(trt::IRuntime*, getPImpl, ())
#if NV_TENSORRT_MAJOR < 11
  UNUSED(trt::ICudaEngine*, deserializeCudaEngine, (trt::IStreamReader&))
#endif
  UNUSED(trt::ICudaEngine*, deserializeCudaEngineV2, (trt::IStreamReaderV2&))
  UNUSED(void, setDLACore, (int32_t))
  UNUSED_CONST(int32_t, getDLACore, ())
  UNUSED_CONST(int32_t, getNbDLACores, ())
  UNUSED(void, setGpuAllocator, (trt::IGpuAllocator*))
  UNUSED(void, setErrorRecorder, (trt::IErrorRecorder*))
  UNUSED_CONST(trt::IErrorRecorder*, getErrorRecorder, ())
  UNUSED_CONST(int32_t, getMaxThreads, ())
  UNUSED(void, setTemporaryDirectory, (char const*))
  UNUSED_CONST(char const*, getTemporaryDirectory, ())
  UNUSED(void, setTempfileControlFlags, (trt::TempfileControlFlags))
  UNUSED_CONST(trt::TempfileControlFlags, getTempfileControlFlags, ())
  UNUSED(void, setPluginRegistryParent, (trt::IPluginRegistry*))
  UNUSED(trt::IRuntime*, loadRuntime, (char const*))
};

class EngineBase : public trt::apiv::VCudaEngine {
 public:
  UNUSED(trt::ICudaEngine*, getPImpl, ())
  UNUSED_CONST(trt::IHostMemory*, serialize, ())
  UNUSED_CONST(bool, isRefittable, ())
  UNUSED_CONST(trt::EngineCapability, getEngineCapability, ())
  UNUSED(void, setErrorRecorder, (trt::IErrorRecorder*))
  UNUSED_CONST(trt::IErrorRecorder*, getErrorRecorder, ())
  UNUSED_CONST(trt::TacticSources, getTacticSources, ())
  UNUSED_CONST(trt::ProfilingVerbosity, getProfilingVerbosity, ())
  UNUSED_CONST(trt::IEngineInspector*, createEngineInspector, ())
  UNUSED_CONST(bool, isShapeInferenceIO, (char const*))
  UNUSED_CONST(int32_t, getTensorBytesPerComponent, (char const*))
  UNUSED_CONST(int32_t, getTensorComponentsPerElement, (char const*))
  UNUSED_CONST(trt::TensorFormat, getTensorFormat, (char const*))
  UNUSED_CONST(char const*, getTensorFormatDesc, (char const*))
  UNUSED_CONST(int32_t, getTensorVectorizedDim, (char const*))
  UNUSED_CONST(trt::HardwareCompatibilityLevel, getHardwareCompatibilityLevel, ())
  UNUSED_CONST(int32_t, getTensorBytesPerComponentV2, (char const*, int32_t))
  UNUSED_CONST(int32_t, getTensorComponentsPerElementV2, (char const*, int32_t))
  UNUSED_CONST(trt::TensorFormat, getTensorFormatV2, (char const*, int32_t))
  UNUSED_CONST(char const*, getTensorFormatDescV2, (char const*, int32_t))
  UNUSED_CONST(int32_t, getTensorVectorizedDimV2, (char const*, int32_t))
  UNUSED(trt::ISerializationConfig*, createSerializationConfig, ())
  UNUSED_CONST(trt::IHostMemory*, serializeWithConfig, (trt::ISerializationConfig&))
  UNUSED(trt::IRefitter*, createRefitter, (trt::ILogger&))
  UNUSED_CONST(int64_t, getStreamableWeightsSize, ())
  UNUSED_CONST(bool, isDebugTensor, (char const*))
  UNUSED(bool, setWeightStreamingBudgetV2, (int64_t))
  UNUSED_CONST(int64_t, getWeightStreamingBudgetV2, ())
  UNUSED_CONST(int64_t, getWeightStreamingAutomaticBudget, ())
  UNUSED_CONST(int64_t, getWeightStreamingScratchMemorySize, ())
  UNUSED_CONST(int64_t const*, getProfileTensorValuesV2, (char const*, int32_t, trt::OptProfileSelector))
  UNUSED(trt::IExecutionContext*, createExecutionContextWithRuntimeConfig, (trt::IRuntimeConfig*))
  UNUSED(trt::IRuntimeConfig*, createRuntimeConfig, ())
  UNUSED_CONST(int64_t, getEngineStat, (trt::EngineStat))
  UNUSED_CONST(char const*, getAliasedInputTensor, (char const*))
#if NV_TENSORRT_MAJOR < 11
  UNUSED(trt::IExecutionContext*, createExecutionContextWithoutDeviceMemory, ())
  UNUSED_CONST(size_t, getDeviceMemorySize, ())
  UNUSED_CONST(int32_t const*, getProfileTensorValues, (char const*, int32_t, trt::OptProfileSelector))
  UNUSED_CONST(bool, hasImplicitBatchDimension, ())
  UNUSED_CONST(size_t, getDeviceMemorySizeForProfile, (int32_t))
  UNUSED(bool, setWeightStreamingBudget, (int64_t))
  UNUSED_CONST(int64_t, getWeightStreamingBudget, ())
  UNUSED_CONST(int64_t, getMinimumWeightStreamingBudget, ())
#endif
};

class ContextBase : public trt::apiv::VExecutionContext {
 public:
  UNUSED(trt::IExecutionContext*, getPImpl, ())
  UNUSED(void, setDebugSync, (bool))
  UNUSED_CONST(bool, getDebugSync, ())
  UNUSED(void, setProfiler, (trt::IProfiler*))
  UNUSED_CONST(trt::IProfiler*, getProfiler, ())
  UNUSED(void, setName, (char const*))
  UNUSED_CONST(char const*, getName, ())
  UNUSED(void, setDeviceMemory, (void*))
  UNUSED_CONST(bool, allInputDimensionsSpecified, ())
  UNUSED(void, setErrorRecorder, (trt::IErrorRecorder*))
  UNUSED_CONST(trt::IErrorRecorder*, getErrorRecorder, ())
  UNUSED(bool, executeV2, (void* const*))
  UNUSED(void, setEnqueueEmitsProfile, (bool))
  UNUSED_CONST(bool, getEnqueueEmitsProfile, ())
  UNUSED_CONST(bool, reportToProfiler, ())
  UNUSED_CONST(trt::Dims, getTensorStrides, (char const*))
  UNUSED_CONST(void*, getOutputTensorAddress, (char const*))
  UNUSED(bool, setOutputAllocator, (char const*, trt::IOutputAllocator*))
  UNUSED(trt::IOutputAllocator*, getOutputAllocator, (char const*))
  UNUSED(bool, setTemporaryStorageAllocator, (trt::IGpuAllocator*))
  UNUSED_CONST(trt::IGpuAllocator*, getTemporaryStorageAllocator, ())
  UNUSED(void, setPersistentCacheLimit, (size_t))
  UNUSED_CONST(size_t, getPersistentCacheLimit, ())
  UNUSED(bool, setNvtxVerbosity, (trt::ProfilingVerbosity))
  UNUSED_CONST(trt::ProfilingVerbosity, getNvtxVerbosity, ())
  UNUSED(void, setAuxStreams, (cudaStream_t*, int32_t))
  UNUSED(bool, setDebugListener, (trt::IDebugListener*))
  UNUSED(trt::IDebugListener*, getDebugListener, ())
  UNUSED(bool, setTensorDebugState, (char const*, bool))
  UNUSED_CONST(bool, getDebugState, (char const*))
  UNUSED(bool, setAllTensorsDebugState, (bool))
  UNUSED_CONST(trt::IRuntimeConfig*, getRuntimeConfig, ())
  UNUSED(bool, setUnfusedTensorsDebugState, (bool))
  UNUSED_CONST(bool, getUnfusedTensorsDebugState, ())
  UNUSED(bool, setCommunicator, (void*))
#if NV_TENSORRT_MAJOR < 11
  UNUSED_CONST(bool, allInputShapesSpecified, ())
#endif
};

class RegistryBase : public trt::IPluginRegistry {
 public:
  UNUSED(void, setErrorRecorder, (trt::IErrorRecorder*))
  UNUSED_CONST(trt::IErrorRecorder*, getErrorRecorder, ())
  bool isParentSearchEnabled() const override { unused("isParentSearchEnabled"); }
  UNUSED_THROWING(void, setParentSearchEnabled, (bool))
  UNUSED(bool, registerCreator, (trt::IPluginCreatorInterface&, char const*))
  UNUSED_CONST(trt::IPluginCreatorInterface* const*, getAllCreators, (int32_t*))
  UNUSED(trt::IPluginCreatorInterface*, getCreator, (char const*, char const*, char const*))
  UNUSED(bool, deregisterCreator, (trt::IPluginCreatorInterface const&))
  UNUSED(trt::IPluginResource*, acquirePluginResource, (char const*, trt::IPluginResource*))
  UNUSED(int32_t, releasePluginResource, (char const*))
  UNUSED(trt::IPluginCreatorInterface* const*, getAllCreatorsRecursive, (int32_t*))
#if NV_TENSORRT_MAJOR < 11
  UNUSED(bool, registerCreator, (trt::IPluginCreator&, char const*))
  UNUSED_CONST(trt::IPluginCreator* const*, getPluginCreatorList, (int32_t*))
  UNUSED(trt::IPluginCreator*, getPluginCreator, (char const*, char const*, char const*))
  UNUSED(bool, deregisterCreator, (trt::IPluginCreator const&))
#endif
};

#undef UNUSED
#undef UNUSED_CONST
#undef UNUSED_THROWING
#pragma GCC diagnostic pop

#endif

}  // namespace stand_in
