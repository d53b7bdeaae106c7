"""What benchmarks that generate text share: articles and their summaries, prompts, checkpoints, exports and scores."""
