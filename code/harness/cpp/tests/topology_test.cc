#include "core/topology.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "process.h"

namespace {

TEST(Topology, ReadsCpuLists) {
  EXPECT_EQ(harness::parse_cpu_list("0-3,8,10-11\n"), (std::vector<int>{0, 1, 2, 3, 8, 10, 11}));
  EXPECT_EQ(harness::parse_cpu_list("7"), std::vector<int>{7});
  EXPECT_TRUE(harness::parse_cpu_list("").empty());
  EXPECT_TRUE(harness::parse_cpu_list("no list").empty());
}

TEST(Topology, NodesHoldTheCoresThisProcessMayUse) {
  const harness_test::Folder folder;
  std::filesystem::create_directories(folder.file("node0"));
  std::filesystem::create_directories(folder.file("node1"));
  harness_test::write_text(folder.file("online"), "0-1\n");
  harness_test::write_text(folder.file("node0/cpulist"), "0-100000\n");
  harness_test::write_text(folder.file("node1/cpulist"), "100001\n");
  EXPECT_EQ(harness::numa_nodes(folder.path()).size(), 1U);
  EXPECT_FALSE(harness::numa_nodes(folder.path())[0].empty());
}

TEST(Topology, WithoutInformationThereIsOneNode) {
  EXPECT_EQ(harness::numa_nodes("/nowhere").size(), 1U);
  EXPECT_TRUE(harness::cores_near_pci("0000:17:00.0", "/nowhere").empty());
  harness::bind_thread({});
}

}  // namespace
