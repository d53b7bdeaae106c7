"""Backends, one module per runtime: each builds engines from models and runs them."""

import sys

# OpenVINO's Python package sends usage statistics over the network when it is imported, from a process that it forks. No run may do that,
# and a fork of a process with other threads can wait for ever. Without this module it takes a stand-in that does nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
