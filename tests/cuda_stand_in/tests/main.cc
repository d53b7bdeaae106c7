#include <gtest/gtest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  ::setenv("CUDA_STAND_IN_DEVICES", "4", 0);
  ::testing::InitGoogleTest(&argc, argv);
  // Each program that must abort is started anew: it has threads, and reads its own environment.
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  return RUN_ALL_TESTS();
}
