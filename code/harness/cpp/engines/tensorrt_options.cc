#include "engines/tensorrt_options.h"

namespace harness {

TrtOptions read_tensorrt_options(Reader& in) {
  TrtOptions out;
  out.use_graphs = in.flag("use_graphs");
  out.graphs_max_length = static_cast<size_t>(in.whole("graphs_max_seqlen", 0, 1 << 20));
  out.graphs_memory_bytes = static_cast<size_t>(in.whole("graphs_max_memory", 0, 1 << 24)) << 20;
  out.copies = static_cast<size_t>(in.whole("gpu_copy_streams", 1, 4095));
  out.spins = in.flag("use_spin_wait");
  out.start_from_device = in.flag("start_from_device");
  out.windows_on_device = in.flag_or_null("sliding_window_on_device");
  out.version_compatible = in.flag("version_compatible");
  out.plugin_libs = in.texts("plugin_libs", {});
  return out;
}

}  // namespace harness
