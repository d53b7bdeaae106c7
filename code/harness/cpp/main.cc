// The C++ harness process: harness [--probe | --explain | --simulate | --serve] run.json, harness --check run.json …,
// or harness
// --capabilities. It runs one LoadGen test or one measurement and exits.
//
// Exit status: 0 success, 2 usage error, 3 a prerequisite is missing, 4 the run failed, 130 interrupted.

#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/progress.h"
#include "core/run_spec.h"
#include "core/watch.h"
#include "run.h"

namespace {

using harness::Error;
using harness::Status;

void act(const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  std::string action;
  if (arguments == std::vector<std::string>{"--capabilities"}) {
    harness::print_capabilities();
    return;
  }
  for (const auto& argument : arguments) {
    if (argument.rfind("--", 0) != 0) {
      files.push_back(argument);
    } else if (argument == "--probe" || argument == "--explain" || argument == "--simulate" || argument == "--serve" ||
               argument == "--check") {
      action = argument;
    } else {
      throw Error(Status::kUsage, "unknown option " + argument,
                  "known options are --probe, --explain, --simulate, --serve, --check and --capabilities",
                  "run it through `make run_harness`");
    }
  }
  if (action == "--check") {
    if (!harness::check_files(files)) std::exit(static_cast<int>(Status::kUsage));
    return;
  }
  if (files.size() != 1) {
    throw Error(Status::kUsage, "the harness takes exactly one run.json",
                "it was given " + std::to_string(files.size()), "run it through `make run_harness`");
  }
  const harness::RunSpec spec = harness::read_run_spec(files.front());
  if (action == "--explain") {
    harness::run_explain(spec);
  } else if (action == "--simulate") {
    harness::run_simulation(spec);
  } else if (action == "--serve") {
    harness::run_node(spec);
  } else if (action == "--probe") {
    harness::run_probe(spec);
  } else {
    harness::run_test(spec);
  }
}

}  // namespace

int main(int argc, char** argv) {
  harness::block_signals();
  harness::end_with_launcher();
  try {
    act(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    harness::fail(harness::as_error(error, "the harness cannot continue", "run the same command again"));
  }
  return 0;
}
