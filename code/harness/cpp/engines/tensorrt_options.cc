#include "engines/tensorrt_options.h"

namespace harness {

TrtOptions read_tensorrt_options(Reader& in) {
  TrtOptions out;
  out.use_graphs = in.flag("use_graphs");
  out.graphs_max_length = static_cast<int>(in.whole("graphs_max_seqlen", 0, 1 << 20));
  out.start_from_device = in.flag("start_from_device");
  out.windows_on_device = in.flag_or_null("sliding_window_on_device");
  out.version_compatible = in.flag("version_compatible");
  out.plugin_libs = in.texts("plugin_libs", {});
  return out;
}

}  // namespace harness
