#include "loadgen_records.h"

#include <cstdint>

#include "issue_query_controller.h"
#include "loadgen.h"

namespace harness {

namespace {

using mlperf::loadgen::QueryMetadata;
using mlperf::loadgen::SampleMetadata;

constexpr size_t kLine = 64;  // bytes

const QueryMetadata* query_of(const mlperf::QuerySampleResponse& response) {
  return reinterpret_cast<const SampleMetadata*>(response.id)->query_metadata;
}

// Fetches a line to write to it, so that it is not asked for a second time. What __builtin_prefetch makes of it without
// an option for the processor only reads.
void fetch(const void* address) {
#if defined(__x86_64__)
  asm volatile("prefetchw (%0)" : : "r"(address));  // NOLINT(hicpp-no-assembler)
#else
  __builtin_prefetch(address, 1);
#endif
}

// The promise that a query keeps is the word after its count of samples that are left. It is only fetched: where a
// LoadGen has it elsewhere, nothing is gained.
const void* promise_of(const QueryMetadata* query) {
  return reinterpret_cast<const void* const*>(&query->all_samples_done_time)[2];
}

}  // namespace

void fetch_records(const mlperf::QuerySampleResponse* responses, size_t count) {
  const QueryMetadata* last = nullptr;
  for (size_t i = 0; i < count; ++i) {
    const QueryMetadata* query = query_of(responses[i]);
    if (query == last) continue;
    last = query;
    const auto* begin = reinterpret_cast<const unsigned char*>(query);
    for (size_t at = 0; at < sizeof(QueryMetadata); at += kLine) fetch(begin + at);
    fetch(begin + sizeof(QueryMetadata) - 1);
  }
  if (count == 0 || query_of(responses[0]) == last) return;  // one query, which is near by now
  for (size_t i = 0; i < count; ++i) fetch(promise_of(query_of(responses[i])));
}

void complete_samples(mlperf::QuerySampleResponse* responses, size_t count) {
  if (count > 1) fetch_records(responses, count);
  mlperf::QuerySamplesComplete(responses, count);
}

}  // namespace harness
