"""Searching a config's values on the machine they are for: `make tune`."""
