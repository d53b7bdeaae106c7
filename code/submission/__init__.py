"""Submissions: staging, measurements, compliance, truncation, checking and packing of runs."""
