// The three things a harness does with a run.json.
#pragma once

#include <string>
#include <vector>

#include "core/run_spec.h"

namespace harness {

// One LoadGen test: engine loaded, warmed up, StartTest, logs checked. Throws Error, or ends the process through
// `fail`.
void run_test(const RunSpec& spec);

// A short measurement of the engine, sent as {"probe": {…}} on the progress pipe and printed; see
// code/harness/python/probe.py.
void run_probe(const RunSpec& spec);

// Prints, as one JSON object, this binary's schema of run.json, and its backends and kinds of data set, each with the
// keys that it reads; see code/run/language.py.
void print_capabilities();

// Reads each run.json and prints a JSON line: {"file", "error"}, which is null where it is of the schema. Returns
// whether all are.
bool check_files(const std::vector<std::string>& files);

// Prints what `run_test` would do. Loads no engine.
void run_explain(const RunSpec& spec);

}  // namespace harness
