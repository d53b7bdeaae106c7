"""What MLPerf's rules fix: rounds, metrics, seeds."""
