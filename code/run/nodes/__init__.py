"""A run over several nodes: Ray places, starts, watches and ends them; batches travel over ZeroMQ (documentation/scale_out.md)."""
