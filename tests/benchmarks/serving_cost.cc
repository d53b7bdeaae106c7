// Times calls of an engine of the C++ harness, for tests/benchmarks/serving_cost.py: `serving_cost RUN.json` loads its
// first engine, then answers each line "rows length calls" with the median time of a call in ms.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/run_spec.h"

namespace {

double median_ms(harness::Stream& stream, const harness::Engine& engine, size_t rows, size_t length, size_t calls) {
  std::vector<int64_t> times;
  for (size_t call = 0; call < calls; ++call) {
    const int64_t begin = harness::now_ns();
    for (size_t input = 0; input < engine.inputs().size(); ++input) {
      const harness::Shape shape{{rows, length}, 2};
      auto* into = static_cast<int64_t*>(stream.input(input, shape));
      std::fill_n(into, shape.items(), 1);
    }
    harness::Work work;
    work.samples = rows;
    work.length = length;
    stream.enqueue(work);
    stream.wait();
    times.push_back(harness::now_ns() - begin);
  }
  std::sort(times.begin(), times.end());
  return static_cast<double>(times[times.size() / 2]) / 1e6;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: serving_cost RUN.json < shapes\n";
    return 2;
  }
  try {
    const harness::RunSpec spec = harness::read_run_spec(arguments[1]);
    const auto engine = harness::load_engine(spec.engines.front(), spec.devices.front());
    const auto stream = engine->stream();
    size_t rows = 0;
    size_t length = 0;
    size_t calls = 0;
    while (std::cin >> rows >> length >> calls) {
      std::cout << median_ms(*stream, *engine, rows, length, calls) << "\n" << std::flush;
    }
  } catch (const harness::Error& error) {
    std::cerr << error.text() << "\n";
    return static_cast<int>(error.status());
  }
  return 0;
}
