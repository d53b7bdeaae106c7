"""The benchmarks, a package each, and what each offers."""
