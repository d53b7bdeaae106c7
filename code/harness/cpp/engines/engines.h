// Entry points of all engines: each reads its options. CMake compiles in those whose SDK it finds.
#pragma once

#include <memory>

#include "core/engine.h"
#include "core/json_reader.h"

namespace harness {

std::shared_ptr<const EngineLoader> read_null(Reader& options);
std::shared_ptr<const EngineLoader> read_simulated(Reader& options);
std::shared_ptr<const EngineLoader> read_openvino(Reader& options);
std::shared_ptr<const EngineLoader> read_tensorrt(Reader& options);
std::shared_ptr<const EngineLoader> read_remote(Reader& options);
std::shared_ptr<const EngineLoader> read_triton(Reader& options);

}  // namespace harness
