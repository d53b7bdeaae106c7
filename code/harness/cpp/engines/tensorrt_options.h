// TensorRT engine options; also read in binaries without TensorRT, so that every binary checks them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json_reader.h"

namespace harness {

// Each member is the config field of the same name.
struct TrtOptions {
  bool use_graphs = false;
  size_t graphs_max_length = 0;
  size_t graphs_memory_bytes = 0;  // graphs_max_memory; 0: a share of what is free
  size_t copies = 1;               // gpu_copy_streams
  bool spins = false;              // use_spin_wait
  bool start_from_device = false;
  std::optional<bool> windows_on_device;  // sliding_window_on_device; unset: on if the binary has the kernels
  bool version_compatible = false;
  std::vector<std::string> plugin_libs;
};

TrtOptions read_tensorrt_options(Reader& in);

}  // namespace harness
