"""TensorRT-LLM's LLM API on NVIDIA GPUs."""
