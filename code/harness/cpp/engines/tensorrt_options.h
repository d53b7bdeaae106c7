// Options of TensorRT's engines, which are read also where the engine itself is not compiled in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json_reader.h"

namespace harness {

// The fields of the same names.
struct TrtOptions {
  bool use_graphs = false;
  int graphs_max_length = 0;
  bool start_from_device = false;
  std::optional<bool> windows_on_device;  // sliding_window_on_device; unset: where the binary has kernels for it
  bool version_compatible = false;
  std::vector<std::string> plugin_libs;
};

TrtOptions read_tensorrt_options(Reader& in);

}  // namespace harness
