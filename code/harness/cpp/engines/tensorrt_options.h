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
  int graphs_max_length = 0;
  bool start_from_device = false;
  std::optional<bool> windows_on_device;  // sliding_window_on_device; unset: on if the binary has the kernels
  bool version_compatible = false;
  std::vector<std::string> plugin_libs;
};

TrtOptions read_tensorrt_options(Reader& in);

}  // namespace harness
