// Which processors belong together, and binding threads to them.
#pragma once

#include <string>
#include <vector>

namespace harness {

// "0-3,8" → {0, 1, 2, 3, 8}; what cannot be read ends the list.
std::vector<int> parse_cpu_list(const std::string& text);

// The processors of each NUMA node that this process may run on, from Linux's sysfs below `root`; one node where there
// is no such information.
std::vector<std::vector<int>> numa_nodes(const std::string& root = "/sys/devices/system/node");

// The processors near a PCI device such as "0000:17:00.0"; empty where Linux does not say.
std::vector<int> cores_near_pci(const std::string& address, const std::string& root = "/sys/bus/pci/devices");

// Binds the calling thread to `cores`; an empty list, or one the system refuses, leaves it free.
void bind_thread(const std::vector<int>& cores);

// Sets the calling thread's timer slack to 1 ns, so that timed waits end when they should. Linux's default is 50 µs.
void exact_timers();

}  // namespace harness
