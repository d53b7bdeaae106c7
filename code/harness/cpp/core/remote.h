// Batches on the way between a head and its nodes: the messages, and the data set of a head.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/dataset.h"

namespace harness {

// Environment variables of a process; node_variables.py of the schema has them, too. Its CURVE keys are its own, never
// in a file. A node has the others: the head's public key, where it listens (an address, or a folder of Unix sockets),
// and the ZeroMQ library.
constexpr const char* kKeysVariable = "HARNESS_NODE_KEYS";
constexpr const char* kHeadKeyVariable = "HARNESS_HEAD_KEY";
constexpr const char* kHostVariable = "HARNESS_NODE_HOST";
constexpr const char* kFolderVariable = "HARNESS_NODE_FOLDER";
constexpr const char* kLibraryVariable = "HARNESS_NODE_ZEROMQ";

// A request is this and the samples' indices, uint32 each. The node answers requests of a lane in their order.
struct RequestHead {
  uint64_t number = 0;
};

// An answer is this, the size of each sample's response in bytes (uint32 each, then padding to 8 bytes), and the
// responses, each padded to 8 bytes.
struct AnswerHead {
  uint64_t number = 0;
  int64_t held_ns = 0;  // from the request's arrival at the node to this answer
  uint64_t count = 0;
};

constexpr size_t padded(size_t bytes) {
  return (bytes + 7) / 8 * 8;
}

// Size of the answer with these responses, in bytes.
size_t answer_size(const mlperf::QuerySampleResponse* responses, size_t count);

// Writes the answer with a batch's responses, in the batch's order, into memory of that size.
void write_answer(uint64_t number, int64_t held_ns, const mlperf::QuerySampleResponse* responses, size_t count,
                  uint8_t* into);

// Reads an answer's responses for `batch` into `answers`; they point into `data`. Throws Error (kFailed) for an answer
// that is not of this form, or of another number of samples.
void read_answer(const Batch& batch, const uint8_t* data, size_t size, Answers& answers);

// A data set whose samples are computed elsewhere: what travels are indices and responses. Its own copy gives counts
// and lengths only.
std::unique_ptr<Dataset> remote_dataset(std::unique_ptr<Dataset> local);

}  // namespace harness
