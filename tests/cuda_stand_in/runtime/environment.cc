// CUDA_STAND_IN_* variables; README.md lists them.
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "state.h"

namespace stand_in {

namespace {

std::string variable(const char* name, const std::string& other) {
  const char* found = std::getenv(name);
  return found == nullptr ? other : found;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);) {
    if (!part.empty()) out.push_back(part);
  }
  return out;
}

double number(const char* name, const std::string& text) {
  char* end = nullptr;
  const double out = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || out < 0) {
    violation("environment", std::string(name) + " has '" + text + "', which is not a number of at least 0");
  }
  return out;
}

// "0000:17:00.0" of device 7: none is at its index, so that nothing can take one for the other.
std::string pci_of(int device) {
  char text[32];
  std::snprintf(text, sizeof text, "0000:%02X:00.0", 16 + device);
  return text;
}

std::string uuid_of(int device) {
  char text[64];
  std::snprintf(text, sizeof text, "GPU-57a4d140-0000-0000-0000-%012d", device);
  return text;
}

// As CUDA does: the list ends at the first entry that names no device.
std::vector<int> visible_devices(int count) {
  std::vector<int> out;
  const char* wanted = std::getenv("CUDA_VISIBLE_DEVICES");
  if (wanted == nullptr) {
    for (int i = 0; i < count; ++i) out.push_back(i);
    return out;
  }
  for (const auto& entry : split(wanted, ',')) {
    int found = -1;
    for (int i = 0; i < count; ++i) {
      const bool by_uuid = entry.rfind("GPU-", 0) == 0 && uuid_of(i).rfind(entry, 0) == 0;
      if (by_uuid || entry == std::to_string(i)) found = i;
    }
    if (found < 0) break;
    out.push_back(found);
  }
  return out;
}

Fault read_fault(const std::string& text) {
  // call[@device]:nth[+]
  Fault out;
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size()) {
    violation("environment", "CUDA_STAND_IN_FAULT has '" + text + "', which is not call[@device]:nth[+]");
  }
  out.call = text.substr(0, colon);
  std::string nth = text.substr(colon + 1);
  if (nth.back() == '+') {
    out.lasts = true;
    nth.pop_back();
  }
  out.nth = static_cast<uint64_t>(number("CUDA_STAND_IN_FAULT", nth));
  const size_t at = out.call.find('@');
  if (at != std::string::npos) {
    out.device = static_cast<int>(number("CUDA_STAND_IN_FAULT", out.call.substr(at + 1)));
    out.call.resize(at);
  }
  return out;
}

void read_delays(Config& config) {
  const std::map<std::string, Cost> known = {
      {"copy", Cost::kCopy}, {"kernel", Cost::kKernel}, {"enqueue", Cost::kEnqueue}, {"graph", Cost::kGraph}};
  for (const auto& entry : split(variable("CUDA_STAND_IN_DELAY", ""), ',')) {
    const std::vector<std::string> parts = split(entry, ':');
    if (parts.size() != 2 || known.count(parts[0]) == 0) {
      violation("environment",
                "CUDA_STAND_IN_DELAY has '" + entry + "', which is not copy, kernel, enqueue or graph:microseconds");
    }
    config.delay_ns[known.at(parts[0])] = static_cast<int64_t>(number("CUDA_STAND_IN_DELAY", parts[1]) * 1000);
  }
}

}  // namespace

void read_environment(State& state) {
  Config& config = state.config;
  const auto whole = [](const char* name, const char* other) { return number(name, variable(name, other)); };
  const int count = static_cast<int>(whole("CUDA_STAND_IN_DEVICES", "1"));
  const auto megabytes = static_cast<size_t>(whole("CUDA_STAND_IN_MEMORY_MB", "4096"));
  for (const int physical : visible_devices(count)) {
    Device device;
    device.index = static_cast<int>(state.devices.size());
    device.uuid = uuid_of(physical);
    device.pci = pci_of(physical);
    device.total = megabytes << 20;
    state.devices.push_back(std::move(device));
  }
  read_delays(config);
  config.jitter = whole("CUDA_STAND_IN_JITTER", "0");
  config.graph_bytes = static_cast<size_t>(whole("CUDA_STAND_IN_GRAPH_MB", "2") * (1 << 20));
  config.name = variable("CUDA_STAND_IN_NAME", "stand-in for a GPU");
  const std::vector<std::string> capability = split(variable("CUDA_STAND_IN_CAPABILITY", "9.0"), '.');
  if (capability.size() != 2) violation("environment", "CUDA_STAND_IN_CAPABILITY is not of the form 9.0");
  config.major = static_cast<int>(number("CUDA_STAND_IN_CAPABILITY", capability[0]));
  config.minor = static_cast<int>(number("CUDA_STAND_IN_CAPABILITY", capability[1]));
  for (const auto& entry : split(variable("CUDA_STAND_IN_ALLOWED", ""), ',')) {
    config.allowed.insert(static_cast<int>(number("CUDA_STAND_IN_ALLOWED", entry)));
  }
  for (const auto& entry : split(variable("CUDA_STAND_IN_FAULT", ""), ',')) config.faults.push_back(read_fault(entry));
  config.report = variable("CUDA_STAND_IN_REPORT", "");
}

}  // namespace stand_in
