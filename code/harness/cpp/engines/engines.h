// The engines there may be in a binary. Each file has one; which are compiled in is decided by the SDKs CMake finds.
#pragma once

#include <cstddef>
#include <memory>

#include "core/engine.h"

namespace harness {

std::unique_ptr<Engine> load_null(const EngineSpec& spec, size_t device);
std::unique_ptr<Engine> load_simulated(const EngineSpec& spec, size_t device);
std::unique_ptr<Engine> load_openvino(const EngineSpec& spec, size_t device);
std::unique_ptr<Engine> load_tensorrt(const EngineSpec& spec, size_t device);

}  // namespace harness
