"""From logs to a submission: staging, measurements, compliance, truncation, checking, packing."""
