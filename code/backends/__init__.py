"""Backends, one module per runtime: each builds engines from models and runs them."""
