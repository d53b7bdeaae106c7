"""MLPerf's rules: rounds, metrics, seeds, facts of benchmarks."""
