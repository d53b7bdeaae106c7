#include "core/topology.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace harness {

namespace {

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

std::vector<int> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> out;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return out;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(static_cast<size_t>(core), &set)) out.push_back(core);
  }
  return out;
}

}  // namespace

std::vector<int> parse_cpu_list(const std::string& text) {
  std::vector<int> out;
  const char* at = text.c_str();
  while (*at != '\0') {
    char* end = nullptr;
    const long first = std::strtol(at, &end, 10);
    if (end == at) break;
    long last = first;
    if (*end == '-') {
      at = end + 1;
      last = std::strtol(at, &end, 10);
      if (end == at) break;
    }
    for (long core = first; core <= last && core < CPU_SETSIZE; ++core) out.push_back(static_cast<int>(core));
    at = *end == ',' ? end + 1 : end;
    if (*end != ',') break;
  }
  return out;
}

std::vector<int> usable_of(const std::vector<int>& cores) {
  const std::vector<int> usable = usable_cores();
  std::vector<int> out;
  std::copy_if(cores.begin(), cores.end(), std::back_inserter(out),
               [&](int core) { return std::find(usable.begin(), usable.end(), core) != usable.end(); });
  return out;
}

std::vector<std::vector<int>> numa_nodes(const std::string& root) {
  std::vector<std::vector<int>> out;
  for (const int node : parse_cpu_list(first_line(root + "/online"))) {
    const std::vector<int> cores = parse_cpu_list(first_line(root + "/node" + std::to_string(node) + "/cpulist"));
    const std::vector<int> both = usable_of(cores);
    if (!both.empty()) out.push_back(both);
  }
  if (out.empty()) out.push_back(usable_cores());
  return out;
}

std::vector<int> cores_near_pci(const std::string& address, const std::string& root) {
  return parse_cpu_list(first_line(root + "/" + address + "/local_cpulist"));
}

void bind_thread(const std::vector<int>& cores) {
  if (cores.empty()) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) {
    if (core >= 0 && core < CPU_SETSIZE) CPU_SET(static_cast<size_t>(core), &set);
  }
  static_cast<void>(::pthread_setaffinity_np(::pthread_self(), sizeof set, &set));
}

void exact_timers() {
  static_cast<void>(::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL));
}

}  // namespace harness
