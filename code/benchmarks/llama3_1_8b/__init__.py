"""Llama 3.1 8B Instruct: summaries of CNN/DailyMail, for datacenters; its edge form is in code/benchmarks/llama3_1_8b_edge."""
