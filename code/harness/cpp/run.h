// The actions of the harness process.
#pragma once

#include <string>
#include <vector>

#include "core/run_spec.h"

namespace harness {

// Runs one LoadGen test: loads the engines, warms up, calls StartTest, checks the logs. Throws Error, or ends the
// process through `fail`.
void run_test(const RunSpec& spec);

// Serves the engines of a node to a head: prints and reports where each lane listens, then answers batches until it is
// ended. run.json is that of a run on this machine alone. Throws Error.
void run_node(const RunSpec& spec);

// Simulates the test in virtual time, which needs simulated engines; writes simulation.json and devices.json into the
// output folder and prints the first. No log of LoadGen's is written: nothing of it can be staged. Throws Error.
void run_simulation(const RunSpec& spec);

// Measures the engine briefly; sends {"probe": {…}} on the progress pipe and prints it. See
// code/harness/python/probe.py.
void run_probe(const RunSpec& spec);

// Prints one JSON object: this binary's run.json schema version, and its backends and data set kinds with the keys each
// reads; see code/run/language.py.
void print_capabilities();

// Validates each run.json and prints a JSON line {"file", "error"}; error is null for a valid file. Returns whether all
// are valid.
bool check_files(const std::vector<std::string>& files);

// Prints what `run_test` would do, without loading an engine.
void run_explain(const RunSpec& spec);

}  // namespace harness
