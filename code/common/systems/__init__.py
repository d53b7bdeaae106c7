"""Modules under the names that config files of public rounds import. Importing them probes nothing."""
