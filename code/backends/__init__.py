"""Backends: each turns a model into an engine and an engine into answers. One module per runtime."""
