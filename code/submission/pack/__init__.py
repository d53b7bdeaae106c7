"""Truncating and packing a staged tree."""
