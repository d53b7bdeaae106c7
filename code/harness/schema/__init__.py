"""run.json, the one file that a harness gets: its dataclasses, its strict reader, and its JSON Schema."""
