"""Text generation by Hugging Face models in PyTorch, on GPUs with CUDA and on processors."""
