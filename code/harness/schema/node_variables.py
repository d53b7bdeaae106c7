"""The environment variables of a harness process of a run over nodes, which core/remote.h of the C++ harness has, too."""

from __future__ import annotations

KEYS = "HARNESS_NODE_KEYS"
"""The process's own CURVE keys, 'public secret'; never in a file."""
HEAD_KEY = "HARNESS_HEAD_KEY"
"""Of a node: the head's public key, the only one that may connect."""
HOST = "HARNESS_NODE_HOST"
"""Of a node: the address that it listens on."""
FOLDER = "HARNESS_NODE_FOLDER"
"""Of a node on the head's own machine: where its Unix sockets are; '' for TCP."""
LIBRARY = "HARNESS_NODE_ZEROMQ"
"""Of a node: the ZeroMQ library."""
NAMES = {"keys": KEYS, "head_key": HEAD_KEY, "host": HOST, "folder": FOLDER, "library": LIBRARY}
"""For Ray's driver, which imports nothing of the harness."""
