// NUMA topology and thread binding.
#pragma once

#include <string>
#include <vector>

namespace harness {

// Parses the kernel's list format: "0-3,8" → {0, 1, 2, 3, 8}. Stops at the first invalid character.
std::vector<int> parse_cpu_list(const std::string& text);

// The processors of each NUMA node that this process may run on, from sysfs below `root`; a single node where sysfs has
// no NUMA information.
std::vector<std::vector<int>> numa_nodes(const std::string& root = "/sys/devices/system/node");

// The processors local to a PCI device such as "0000:17:00.0"; empty when sysfs does not list them.
std::vector<int> cores_near_pci(const std::string& address, const std::string& root = "/sys/bus/pci/devices");

// Those of `cores` that this process may run on.
std::vector<int> usable_of(const std::vector<int>& cores);

// Binds the calling thread to `cores`; an empty list, or one the kernel rejects, leaves it unbound.
void bind_thread(const std::vector<int>& cores);

// Sets the calling thread's timer slack to 1 ns for accurate timed waits; Linux's default is 50 µs.
void exact_timers();

}  // namespace harness
