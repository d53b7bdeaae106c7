// Completion of samples in groups: LoadGen's records of their queries are fetched all at once.
#pragma once

#include <cstddef>

#include "query_sample.h"

namespace harness {

// Fetches the records that QuerySamplesComplete is about to change. They lie in the cache of the thread that issued the
// queries, and LoadGen waits for each in turn: its atomic operations keep a processor from reading ahead. The ids must
// be those of queries that LoadGen issued in this process and that are not complete.
void fetch_records(const mlperf::QuerySampleResponse* responses, size_t count);

// LoadGen's QuerySamplesComplete, after fetch_records where it helps.
void complete_samples(mlperf::QuerySampleResponse* responses, size_t count);

}  // namespace harness
