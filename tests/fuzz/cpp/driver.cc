// Calls the target with harmed copies of good inputs, the same in each run: for compilers without libFuzzer.
//
//   harness_fuzz SEED COUNT FILE…      COUNT inputs made of the files
//   harness_fuzz FILE                  one input as it is, such as one that was printed as a fault
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

const std::array<std::string, 24> kTokens = {"",
                                             std::string(1, '\0'),
                                             "\xff",
                                             "\xef\xbb\xbf",
                                             "null",
                                             "true",
                                             "-1",
                                             "0",
                                             "1e999",
                                             "1e-999",
                                             "{}",
                                             "[]",
                                             "\"\"",
                                             "[[[[[[[[",
                                             "{\"a\":",
                                             "18446744073709551616",
                                             "(",
                                             ")",
                                             "'<f4'",
                                             "'>f4'",
                                             ", ",
                                             "4294967296, 8",
                                             "9223372036854775807",
                                             "\\ud800"};

std::string read(const char* path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    static_cast<void>(std::fprintf(stderr, "cannot read %s\n", path));
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

void call(const std::string& input) {
  // A copy of the exact size, so that the sanitizer sees the first byte beyond it.
  const std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

// One to four changes. The first byte, which says what the content is, stays.
std::string harmed(std::string text, const std::vector<std::string>& all, std::mt19937_64& random) {
  const auto below = [&](size_t bound) { return static_cast<size_t>(random() % std::max<size_t>(bound, 1)); };
  const size_t changes = 1 + below(4);
  for (size_t change = 0; change < changes && text.size() > 1; ++change) {
    const size_t at = 1 + below(text.size() - 1);
    const size_t length = below(4) == 0 ? below(text.size() - at) : below(8);
    switch (below(7)) {
      case 0:
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        text[at] = static_cast<char>(random());
        break;
      case 2:
        text.resize(at);
        break;
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.insert(at, text.substr(at, length));
        break;
      case 5: {  // a number by another
        const size_t digit = text.find_first_of("0123456789", at);
        if (digit == std::string::npos) break;
        const size_t end = std::min(text.find_first_not_of("0123456789", digit), text.size());
        text.replace(digit, end - digit,
                     below(2) == 0 ? std::to_string(random() >> below(64)) : kTokens[below(kTokens.size())]);
        break;
      }
      default: {
        const std::string& other = below(2) == 0 ? kTokens[below(kTokens.size())] : all[below(all.size())];
        text.replace(at, std::min(length, text.size() - at), other.substr(0, 64));
      }
    }
  }
  return text;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2) {
    call(read(words[1]));
    return 0;
  }
  if (count < 4) {
    static_cast<void>(std::fprintf(stderr, "usage: harness_fuzz SEED COUNT FILE… | harness_fuzz FILE\n"));
    return 2;
  }
  std::vector<std::string> good;
  for (int i = 3; i < count; ++i) good.push_back(read(words[i]));
  for (const auto& input : good) call(input);
  std::mt19937_64 random(std::strtoull(words[1], nullptr, 10));
  const auto wanted = std::strtoull(words[2], nullptr, 10);
  std::ofstream last("last_input", std::ios::binary);
  for (unsigned long long i = 0; i < wanted; ++i) {
    const std::string input = harmed(good[random() % good.size()], good, random);
    last.seekp(0);
    last.write(input.data(), static_cast<std::streamsize>(input.size()));
    last.flush();
    if (::truncate("last_input", static_cast<off_t>(input.size())) != 0) return 4;
    call(input);
  }
  static_cast<void>(std::printf("%llu inputs, no fault\n", wanted));
  return 0;
}
