"""The benchmarks, one package each, and the registry of their definitions."""
