// SHA-256 (FIPS 180-4), for the digests that engine.json holds of an engine's files.
#pragma once

#include <cstddef>
#include <string>

namespace harness {

// The digest of `size` bytes, as 64 lower-case hexadecimal digits.
std::string sha256(const void* data, size_t size);

}  // namespace harness
