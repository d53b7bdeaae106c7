"""The stand-in for CUDA and TensorRT that the C++ harness is tested on: README.md."""
